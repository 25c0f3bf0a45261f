"""How `trimtab status` shows where ledger and venue differ, and what a person can do about it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trimtab.cli.output import table, utc

if TYPE_CHECKING:
    from trimtab.adapters.postgres.reports import Lapsed, OpenBreak

_LAPSED = {
    "seen": "said to be unfilled: lapsed, the venue told of it after all",
    "changed": "said to be unfilled: lapsed, more of it was executed; what is left is still denied",
}


def break_document(each: "OpenBreak") -> dict[str, Any]:
    """Return a break as JSON has it."""
    return asdict(each) | {"to_do": _to_do(each)}


def lapsed_document(each: "Lapsed") -> dict[str, Any]:
    """Return a statement that lapsed as JSON has it."""
    return asdict(each) | {"what": _LAPSED[each.resolution]}


def show_differences(breaks: "Sequence[OpenBreak]", lapsed: "Sequence[Lapsed]") -> None:
    """Print a table of each, if there are any."""
    if breaks:
        columns = ("account", "portfolio", "kind", "asset", "venue has more", "since", "explained for", "what")
        table("Ledger and venue differ", columns, [_row(each) for each in breaks])
        table("What to do", ("account", "what", "to do"), [(e.account, e.detail or e.asset, _to_do(e)) for e in breaks])
    if lapsed:
        rows = [
            (e.account, e.portfolio_id, e.client_order_id, utc(e.event_time_us), _LAPSED[e.resolution]) for e in lapsed
        ]
        table("What was said of orders", ("account", "portfolio", "order", "when", "what"), rows)


def _row(each: "OpenBreak") -> tuple[object, ...]:
    since = utc(each.first_seen_us)
    holder = each.portfolio_id or "all"
    return (each.account, holder, each.kind, each.asset, each.difference, since, each.explained_by, each.detail)


def _to_do(each: "OpenBreak") -> str:
    if not each.client_order_id and each.explained_by:
        return f"the reconciler books it if exactly that lacks and {each.explained_by} has it; then trimtab resume"
    if not each.client_order_id:
        return f"if a person took it out: trimtab withdrawn {each.account} {each.asset} --portfolio NAME"
    if each.explained_by:
        return "the reconciler ends the order if the venue goes on denying it; then trimtab resume"
    said = f"trimtab unfilled {each.client_order_id} --portfolio {each.portfolio_id}"
    return f"find out at the venue what became of the order; if no more of it was executed: {said}"
