"""The executor's picture of the market: the latest frame applied."""

from collections.abc import Callable

from trimtab.domain.errors import InvalidValueError
from trimtab.domain.market import Market
from trimtab.frames import Feed
from trimtab.messages import Frame
from trimtab.ports.topics import Record


class MarketView:
    """Follows market.frames. A frame that makes no sense leaves the market in doubt until the next full one."""

    def __init__(self) -> None:
        self._feed = Feed()

    def market(self) -> Market:
        """Return the latest market; its quotes are not to be traded on while it is not complete."""
        return self._feed.market

    def then(self, act: Callable[[], None]) -> Callable[[Record[Frame]], None]:
        """Return a reader of frames that applies each and then acts on the market, if nothing of it is missing."""

        def on_frame(record: Record[Frame]) -> None:
            try:
                self._feed = self._feed.advance(record.message, record.offset)
            except InvalidValueError:
                self._feed = self._feed.doubt(record.message)
                raise
            if self._feed.market.complete:
                act()

        return on_frame
