"""From database rows to the ledger's nouns, and back."""

from typing import Any

from psycopg.rows import DictRow

from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce
from trimtab.messages import Break
from trimtab.ports.ledger import FillRow, WorkItem

# Any: what psycopg can send.
_PARENT = tuple(name for name in ParentOrder.__slots__ if name not in {"side", "depends_on", "state"})
_CHILD = tuple(name for name in ChildOrder.__slots__ if name not in {"kind", "time_in_force", "state", "parent_id"})
_FILL = tuple(name for name in FillRow.__slots__ if name != "side")


def parent_of(row: DictRow) -> ParentOrder:
    return ParentOrder(
        side=Side(row["side"]),
        depends_on=tuple(row["depends_on"]),
        state=ParentState(row["state"]),
        **{name: row[name] for name in _PARENT},
    )


def parent_values(parent: ParentOrder) -> dict[str, Any]:
    return {name: getattr(parent, name) for name in _PARENT} | {
        "side": parent.side.value,
        "depends_on": list(parent.depends_on),
        "state": parent.state.value,
    }


def child_of(row: DictRow) -> ChildOrder:
    return ChildOrder(
        parent_id=row["parent_id"],
        kind=OrderKind(row["c_kind"]),
        time_in_force=TimeInForce(row["c_time_in_force"]),
        state=OrderState(row["c_state"]),
        **{name: row[f"c_{name}"] for name in _CHILD},
    )


def child_values(child: ChildOrder) -> dict[str, Any]:
    return {name: getattr(child, name) for name in _CHILD} | {
        "parent_id": child.parent_id,
        "kind": child.kind.value,
        "time_in_force": child.time_in_force.value,
        "state": child.state.value,
    }


def work_item_of(row: DictRow) -> WorkItem:
    return WorkItem(
        parent=parent_of(row),
        child=None if row["c_client_order_id"] is None else child_of(row),
        attempts=row["attempts"],
        dry_run=row["dry_run"],
        halted=row["halted"],
    )


def fill_of(row: DictRow) -> FillRow:
    return FillRow(side=Side(row["side"]), **{name: row[name] for name in _FILL})


def break_of(row: DictRow) -> Break:
    return Break(**row)


def break_values(found: Break) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Break.__slots__}
