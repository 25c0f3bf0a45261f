"""A dialect: how one exchange's clients speak to the venue behind it. The venue is the same for all."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault
from trimtab.exchange.house import House
from trimtab.exchange.schedule import Targets
from trimtab.exchange.venue import Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Part(Protocol):
    """A group of endpoints."""

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a dialect has for one venue. `gate` is the middleware that every request comes through first: it keeps
    limits, and puts refusals into the dialect's words.
    """

    gate: Middleware
    parts: tuple[Part, ...]


class Dialect(Protocol):
    """One exchange's protocol.

    Attributes:
        house: the rules by which it takes orders.
        demo: the account there is when no file names any, as in the accounts file.
        targets: what the schedule of faults strikes.
        open_always: paths that answer during maintenance, beside `/sim/`.

    """

    house: House
    demo: Mapping[str, object]
    targets: Targets
    open_always: tuple[str, ...]

    def endpoints(self, venue: Venue) -> Endpoints:
        """Put the dialect before a venue; its teller becomes the venue's."""
        ...

    def covers(self, path: str) -> bool:
        """Whether a path is the exchange's own, so that faults of requests may strike it."""
        ...

    def check_key(self, api_key: str, secret: str, passphrase: str) -> None:
        """See whether a client could sign with such a key.

        Raises ValueError.
        """
        ...

    def refusal(self, error: VenueError) -> web.Response:
        """A refused request's answer."""
        ...

    def failure(self, fault: Fault) -> web.Response:
        """The answer of a fault that is an error."""
        ...

    def closed(self) -> web.Response:
        """What everybody is told during maintenance."""
        ...
