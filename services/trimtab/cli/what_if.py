"""`trimtab replay --what-if`: what would have become of a recorded portfolio under another file, and the bill."""

from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli.output import result, say, table
from trimtab.cli.start import started

if TYPE_CHECKING:
    from trimtab.replay.extent import Asked

_SHOWN = {
    "signals": "signals",
    "orders": "orders",
    "orders_placed": "sent to the venue",
    "fills": "fills",
    "turnover": "turnover",
    "fees": "fees",
    "spread_cost": "spread",
    "impact_cost": "impact",
    "delay_cost": "delay",
    "opportunity_cost": "missed",
    "trading_bp": "trading, bp",
    "risk_bp": "risk, bp",
    "total_bp": "both, bp",
    "realised_gain": "realised gain",
    "start_equity": "equity at the begin",
    "final_equity": "equity in the end",
}
_DIFFERENCES_MAX = 100
_UNPRICED = {"left_out": "held, without a price here, and left out", "unpriced_fees": "fees without a price here"}
_COLUMNS = ("time", "what", "pair", "side")


def what_if(
    file: Path, portfolio: str | None, begin: "Asked", end: "Asked", archive: Path | None, *, as_json: bool
) -> None:
    """Play what is recorded of a portfolio under its own policy and under that of a file; print both and what was.

    Raises:
        ConfigurationError: if the file does not hold.
        UnanswerableError: if nothing is recorded that could answer.
        UnplayableError: if the span has no frames, or cannot be played.
        InvalidValueError: if the file wants what was not recorded, or the archive is damaged.
        UnreachableError: if Kafka or the registry does not answer, or no full frame is kept.
    """
    from trimtab.cli.progress import tape_bar
    from trimtab.cli.replay import opened
    from trimtab.documents import load_document
    from trimtab.whatif.question import Question, answered
    from trimtab.whatif.result import document

    settings, other = started(), load_document(file)
    question = Question(portfolio or other.portfolio, other, begin, end)
    with ExitStack() as stack:
        recorded, beside = (stack.enter_context(opened(settings, archive)) for _ in range(2))
        answer = answered(recorded, beside, question, settings, lambda *span: stack.enter_context(tape_bar(*span)))
    found = document(answer, round(settings.drift.signal_lifetime_seconds * 1_000_000))
    result(found, as_json=as_json, readable=lambda: _show(found, file))


def _show(found: Mapping[str, Any], file: Path) -> None:
    span, bills = found["span"], found["bill"]
    say(f"{found['portfolio']}: {span['from']} to {span['to']}, frames {span['first_frame']} to {span['last_frame']}")
    for name, what in _UNPRICED.items():
        if found[name]:
            say(f"{what}: {_listed(found[name])}")
    for name, amounts in found["owed"].items():
        say(f"{name}: taken out then, and not there to be taken: {_listed(amounts)}")
    sides = {
        "recorded": "recorded",
        "engine": "engine, recorded policy",
        "other": f"engine, {file.name}",
        "difference": "difference",
    }
    rows = [(title, *(_cell(bills[side][name]) for side in sides)) for name, title in _SHOWN.items()]
    table(f"The bill, {found['quote']}", ("", *sides.values()), rows)
    both = found["comparisons"]
    _compared("What was, and what the engine makes of it", ("recorded", "engine"), both["engine"])
    _compared(f"The recorded policy, and {file.name}", ("recorded policy", file.name), both["other"])


def _compared(title: str, names: tuple[str, str], found: Mapping[str, Any]) -> None:
    one, other = names
    say(
        f"{title}: {found['same']} signals the same, {found['otherwise']} otherwise, {found['only_one']} only {one},"
        f" {found['only_other']} only {other}"
    )
    said = {"otherwise": "otherwise", "only_one": f"only {one}", "only_other": f"only {other}"}
    rows = [
        (each["time"][:23], said[each["kind"]], *way, *(_quantity(each[name], *way) for name in ("one", "other")))
        for each in found["differences"][:_DIFFERENCES_MAX]
        for way in _ways(each)
    ]
    if rows:
        table(title, (*_COLUMNS, *names), rows)


def _ways(each: Mapping[str, Any]) -> list[tuple[str, str]]:
    trades = [trade for name in ("one", "other") if each[name] for trade in each[name]["trades"]]
    return sorted({(trade["instrument"], trade["side"]) for trade in trades})


def _quantity(signal: Mapping[str, Any] | None, pair: str, side: str) -> str:
    """Return what a signal trades of a pair this way, why, and when if it has another time."""
    trades = signal["trades"] if signal is not None else ()
    found = next((each for each in trades if (each["instrument"], each["side"]) == (pair, side)), None)
    if signal is None or found is None:
        return ""
    return f"{found['quantity']} at {signal['time'][11:23]}, {signal['reason']}"


def _listed(amounts: Mapping[str, str]) -> str:
    return ", ".join(f"{amount} {asset}" for asset, amount in amounts.items())


def _cell(value: float) -> Decimal:
    return Decimal(f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}")
