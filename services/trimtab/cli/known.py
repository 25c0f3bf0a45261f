"""Which portfolios there are, and the one answer to a name that is none of them."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from trimtab.configuration import meant
from trimtab.domain.errors import TrimtabError
from trimtab.exits import MISCONFIGURED

if TYPE_CHECKING:
    from trimtab.adapters.kafka.reading import Reading
    from trimtab.adapters.postgres.reports import Reports
    from trimtab.messages import PortfolioState, Targets
    from trimtab.ports.topics import Record

_NAMES_SHOWN_MAX = 20
_STATES_MAX = 1_000_000
_TARGETS_MAX = 1_000_000


class UnknownNameError(TrimtabError):
    """A portfolio or an account was named that is not there; the message says which are."""

    exit_code = MISCONFIGURED

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        names = sorted(known)
        shown = ", ".join(names[:_NAMES_SHOWN_MAX]) or "none yet"
        more = f" and {len(names) - _NAMES_SHOWN_MAX} more" if len(names) > _NAMES_SHOWN_MAX else ""
        super().__init__(f"{kind} {name}: not known; known: {shown}{more}{meant(names, name)}")


async def require_portfolio(reports: "Reports", name: str) -> None:
    """Raise UnknownNameError unless the ledger has this portfolio."""
    if not await reports.status(name):
        raise UnknownNameError("portfolio", name, [each.portfolio_id for each in await reports.status()])


async def require_account(reports: "Reports", name: str) -> None:
    """Raise UnknownNameError unless the ledger has this venue account."""
    accounts = await reports.accounts()
    if name not in accounts:
        raise UnknownNameError("account", name, accounts)


def published_state(reading: "Reading", portfolio: str) -> "PortfolioState":
    """Return a portfolio's newest state as every other system sees it.

    Raises:
        UnknownNameError: if none was ever published.
        UnreachableError: if the broker does not answer.

    """
    from trimtab.topics import PORTFOLIO_STATE

    found = [record.message for record in reading.tail(PORTFOLIO_STATE, _STATES_MAX)]
    mine = [state for state in found if state.portfolio_id == portfolio]
    if not mine:
        raise UnknownNameError("portfolio", portfolio, {state.portfolio_id for state in found})
    return max(mine, key=lambda state: state.ledger_version)


def computed_targets(reading: "Reading") -> "Mapping[str, Record[Targets]]":
    """Return the computed targets that count last, by portfolio, as the drift workers see them.

    Raises:
        UnreachableError: if the broker does not answer.

    """
    from trimtab.drift.targets import current
    from trimtab.topics import PORTFOLIO_TARGETS

    return current(sorted(reading.tail(PORTFOLIO_TARGETS, _TARGETS_MAX), key=lambda record: record.offset))
