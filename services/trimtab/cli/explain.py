"""`trimtab explain`: why a portfolio would trade or hold now, with every number."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.output import Json, result, table
from trimtab.cli.start import started
from trimtab.domain.errors import InvalidValueError, UnreachableError

if TYPE_CHECKING:
    from trimtab.cli.reading import Reading
    from trimtab.domain.market import Market
    from trimtab.messages import Costs
    from trimtab.ports.topics import Record

# A full frame comes every second, and at most a hundred others.
_FRAMES_MAX = 2_000


def explain(
    portfolio: Annotated[str, typer.Argument(help="The portfolio.")],
    as_json: Json = False,
) -> None:
    """Decide now, on the last recorded inputs, and show every term. Nothing is traded."""
    from trimtab.cli.known import computed_targets, published_state, refit_costs
    from trimtab.cli.reading import open_reading
    from trimtab.documents import parse_document
    from trimtab.drift.aiming import explain_targets
    from trimtab.drift.decision import decide
    from trimtab.drift.explanation import explain as rows_of
    from trimtab.drift.targets import aimed
    from trimtab.drift.tariff import explain_costs
    from trimtab.topics import MARKET_RISK

    settings = started()
    with open_reading(settings) as reading:
        state = published_state(reading, portfolio)
        written = parse_document(state.document, state.document_version)
        targets = computed_targets(reading).get(portfolio) if written.allocation is not None else None
        risks = reading.tail(MARKET_RISK, 1)
        costs = refit_costs(reading)
        market = _market(reading, settings.kafka.bootstrap_servers, costs)
    parsed = aimed(written, targets)
    risk = risks[-1] if risks else None
    decision = decide(market, risk, state, parsed, settings.drift)
    assets = {term.asset for term in decision.terms} | {asset for asset, _ in parsed.targets}
    rows = (
        *rows_of(decision, parsed, risk.message if risk is not None else None),
        *explain_costs(market, costs, assets, parsed.quote, settings.drift),
        *explain_targets(parsed, targets, risk, market.event_time_us, settings.drift.risk_observations_min),
    )
    result(
        {"portfolio": portfolio, "decision": asdict(decision), "rows": [asdict(row) for row in rows]},
        as_json=as_json,
        readable=lambda: table(
            f"{portfolio}: {rows[0].value}",
            ("term", "value", "unit", "meaning"),
            [(row.term, row.value, row.unit, row.meaning) for row in rows],
        ),
    )


def _market(reading: "Reading", kafka: str, costs: "Record[Costs] | None") -> "Market":
    from trimtab.frames import Feed
    from trimtab.topics import MARKET_FRAMES

    feed = Feed()
    for record in reading.tail(MARKET_FRAMES, _FRAMES_MAX):
        try:
            feed = feed.advance(record.message, record.offset, costs)
        except InvalidValueError:
            feed = feed.doubt()
    if not feed.market.complete:
        raise UnreachableError("market data", f"market.frames on {kafka}", "no full frame yet; is ingest running?")
    return feed.market
