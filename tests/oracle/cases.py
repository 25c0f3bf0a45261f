"""What every run of many cases has to show."""

from oracle.compare import CASES_PER_WORLD, Count, answers, compared

SEED, HALF = 1, 50_000
TRADED = {"band_exceeded", "max_deviation", "threshold_reached", "calendar_due", "benefit_above_cost"}
HELD = {
    *("market_incomplete", "halted", "orders_in_flight", "not_before", "outside_window", "cooldown"),
    *("signals_per_hour", "not_due", "missing_price", "empty_book", "crossed_book", "stale_price"),
    *("equity_not_positive", "risk_missing", "within_band", "cost_above_benefit", "instrument_not_tradable"),
}
UNPLANNED = {"below_minimum_trade", "insufficient_funds"}
PLANNED = {
    *("with a sell", "with a cross", "with a buy", "buys that wait for sells", "funders", "on two accounts or more"),
    *("deferred: below_minimum_trade", "deferred: insufficient_funds", "deferred: max_trade_share"),
    *("0 orders", "1 orders", "2 orders", "3 orders", "4 orders or more", "past the visible depth"),
}


def assert_half(first: int) -> None:
    """Compare half of the cases, from this one on, in which every kind of decision must occur."""
    count = Count()
    for number in range(first // CASES_PER_WORLD, (first + HALF) // CASES_PER_WORLD):
        count.add(compared(answers(SEED, number)))
    assert count.differences == [], "\n".join(count.differences[:10])
    assert count.cases == HALF
    assert count.screened > HALF / 2
    assert min(count.decisions[reason] for reason in TRADED) > HALF / 1_000
    assert {reason.split(":")[0] for reason in count.decisions} == TRADED | HELD
    assert {reason.split(": ")[1] for reason in count.decisions if ":" in reason} >= UNPLANNED
    assert set(count.plans) >= PLANNED
