"""What drift does with a frame: the market advanced, and one portfolio of ten assets looked at."""

from trimtab.bench.inputs import SETTINGS, THRESHOLD, frame, market, portfolio, risk, state
from trimtab.bench.row import Row
from trimtab.bench.timing import microseconds
from trimtab.domain.portfolio import NoTradeRegion, Policy
from trimtab.drift.decision import judge, prepare
from trimtab.frames import Feed


def measure() -> list[Row]:
    """Return the rows."""
    message = frame()
    policies: dict[str, Policy] = {"threshold": THRESHOLD, "no_trade_region": NoTradeRegion()}
    rows = [Row("drift.frame_of_12_books", microseconds(lambda: Feed().advance(message, 1)), "us")]
    for name, policy in policies.items():
        rows += _rows(name, policy)
    return rows


def _rows(name: str, policy: Policy) -> list[Row]:
    books = market(frame())
    rows = []
    for drifted, outcome in ((False, "hold"), (True, "drifted")):
        subject = prepare(risk(), state(books, drifted=drifted), portfolio(policy), SETTINGS)
        judge(books, subject, explain=False)

        def check() -> None:
            judge(books, subject, explain=False)  # noqa: B023 - called before the loop goes on

        rows.append(Row(f"drift.check.{name}.{outcome}", microseconds(check), "us"))
    return rows
