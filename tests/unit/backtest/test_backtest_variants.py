"""Many variants: asked for in words, over processes, gone on with; and the best so far, chosen without a look ahead."""

from decimal import Decimal
from pathlib import Path

import pytest
from backtest_tapes import PORTFOLIO, write_bars, write_portfolio

from trimtab.backtest.errors import UnplayableError
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import Contestant, contestants, walking
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.sweep import Sweep
from trimtab.backtest.tape import open_tape
from trimtab.backtest.variants import variants
from trimtab.configuration import ConfigurationError
from trimtab.documents import load_document, parse_document
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.portfolio import Calendar, Threshold
from trimtab.settings import Settings

RUN = Run(Decimal(1_000_000), Fees(), Settings())
VARY = ("policy.absolute=0.005,0.01,0.03,0.2",)
DAY_US = 86_400_000_000


def field(portfolio: Path, *vary: str) -> list[Contestant]:
    return contestants(load_document(portfolio), (), variants(vary))


@pytest.fixture
def portfolio(tmp_path: Path) -> Path:
    return write_portfolio(tmp_path)


def test_every_combination_is_a_variant(portfolio: Path) -> None:
    found = field(portfolio, "policy.absolute=0.01,0.02", "limits.max_trade_share=0.1,1")
    assert [each.name for each in found[1:]] == [
        f"policy.absolute={bound} limits.max_trade_share={share}"
        for bound in ("0.01", "0.02")
        for share in ("0.1", "1")
    ]
    means = [parse_document(each.entrant.document, 1) for each in found[1:]]
    assert [(each.policy, each.limits.max_trade_share) for each in means] == [
        (Threshold(Decimal(bound)), Decimal(share)) for bound in ("0.01", "0.02") for share in ("0.1", "1")
    ]
    assert len({each.entrant.name for each in found}) == 5


def test_another_kind_begins_its_policy_anew(portfolio: Path) -> None:
    _, found = field(portfolio, "policy.kind=calendar", "policy.cron=0 0 * * *")
    assert parse_document(found.entrant.document, 1).policy == Calendar("0 0 * * *")


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("policy.absolute", "as policy.absolute=0.02,0.05"),
        ("policy.absolute=", "as policy.absolute=0.02,0.05"),
        ("policy..absolute=1", "as policy.absolute=0.02,0.05"),
    ],
)
def test_what_is_no_variation_is_said(portfolio: Path, vary: str, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        field(portfolio, vary)


def test_values_that_do_not_hold_are_said_with_their_variant(portfolio: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"policy.absolute=7.*policy.absolute"):
        field(portfolio, "policy.absolute=0.01,7")
    with pytest.raises(ConfigurationError, match="luck"):
        field(portfolio, "policy.luck=1")


def test_processes_find_what_one_does_and_go_on_from_what_is_kept(
    tmp_path: Path, portfolio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep(RUN, (write_bars(tmp_path / "tape", 300),))
    entrants = field(portfolio, *VARY)
    alone = RUN.play(sweep.open(), entrants, lambda _: None)
    shelf, done = sweep.shelf(tmp_path / "kept", entrants), list[int]()
    assert figures(sweep.play(entrants, 2, shelf, done.append)) == figures(alone)
    assert (done[0], done[-1]) == (0, len(entrants))
    monkeypatch.setattr(Sweep, "open", lambda _: pytest.fail("played again"))
    assert figures(sweep.play(entrants, 2, sweep.shelf(tmp_path / "kept", entrants), done.append)) == figures(alone)


def test_what_is_kept_is_of_this_tape_and_these_terms_alone(tmp_path: Path, portfolio: Path) -> None:
    tape, (entrant,) = write_bars(tmp_path / "tape", 300), field(portfolio)
    sweep = Sweep(RUN, (tape,))
    shelf = sweep.shelf(tmp_path / "kept", [entrant])
    shelf.put(entrant.entrant.document, RUN.play(sweep.open(), [entrant], lambda _: None)[0])
    assert sweep.shelf(tmp_path / "kept", [entrant]).take(entrant.entrant.document) is not None
    dearer = Sweep(Run(RUN.equity, Fees(taker=Decimal("0.002")), RUN.settings), (tape,))
    assert dearer.shelf(tmp_path / "kept", [entrant]).take(entrant.entrant.document) is None
    write_bars(tape, 300, seed=2)
    assert sweep.shelf(tmp_path / "kept", [entrant]).take(entrant.entrant.document) is None


def test_processes_show_everybody_the_same_market_whatever_they_hold(tmp_path: Path) -> None:
    """SOL is listed half way: who holds none waits for it too, as beside those who do."""
    tape = write_bars(tmp_path / "tape", 300)
    late = tape / "SOL_USDT-5m.csv"
    head, *bars = late.read_text().splitlines()
    late.write_text("\n".join([head, *bars[150:], ""]))
    core = write_portfolio(tmp_path, PORTFOLIO.replace(" SOL: 0.2,", "").replace("USDT: 0.1", "USDT: 0.3"))
    entrants = contestants(load_document(core), (str(write_portfolio(tmp_path, name="sol.yaml")),))
    sweep = Sweep(RUN, (tape,))
    alone = RUN.play(sweep.open(), entrants, lambda _: None)

    shared = sweep.play(entrants, 2, sweep.shelf(tmp_path / "kept", entrants), lambda _: None)

    assert figures(shared) == figures(alone)
    assert len({each.score.times_us for each in shared}) == 1
    assert sweep.shelf(tmp_path / "kept", entrants[:1]).take(entrants[0].entrant.document) is None


def test_a_failure_in_a_process_is_said_here(tmp_path: Path, portfolio: Path) -> None:
    tape = write_bars(tmp_path / "tape", 300)
    sweep = Sweep(RUN, (tape,))
    entrants = field(portfolio, *VARY)
    torn = tape / "BTC_USDT-5m.csv"
    torn.write_text(torn.read_text() + "x")
    with pytest.raises(UnplayableError, match=r"BTC_USDT-5m\.csv:302"):
        sweep.play(entrants, 2, None, lambda _: None)


def walk(folder: Path, portfolio: Path, bars: int) -> list[Outcome]:
    entrants = field(portfolio, *VARY)
    walker, how = walking(load_document(portfolio), entrants[1:], DAY_US)
    return RUN.play(open_tape([write_bars(folder, bars)]), [*entrants, walker], lambda _: None, how)


def test_walking_forward_knows_nothing_of_what_comes(tmp_path: Path, portfolio: Path) -> None:
    """With four days more on the tape, all that was chosen and done before them is the same."""
    early, late = (walk(tmp_path / str(bars), portfolio, bars)[-1] for bars in (3 * 288, 7 * 288))
    assert 1 <= len(early.followed) <= len(late.followed)
    end_us = early.score.times_us[-2]
    assert [each for each in late.followed if each[0] <= end_us] == list(early.followed)
    shared = len(early.score.times_us) - 1
    assert early.score.equities[:shared] == late.score.equities[:shared]


def test_walking_forward_follows_the_best_so_far(tmp_path: Path, portfolio: Path) -> None:
    outcomes = walk(tmp_path / "tape", portfolio, 3 * 288)
    walker, candidates = outcomes[-1], outcomes[1:-1]
    when_us, chosen = walker.followed[0]
    costs = {each.name: cost_until(each, when_us) for each in candidates}
    assert costs[chosen] == min(costs.values()) < max(costs.values())
    assert when_us == walker.score.times_us[0] + DAY_US


def cost_until(outcome: Outcome, time_us: int) -> float:
    score = outcome.score
    known = sum(at <= time_us for at in score.times_us) - 1
    return sum(score.risks[:known]) + sum(score.paid[:known])


def figures(outcomes: list[Outcome]) -> list[tuple[object, ...]]:
    return [(each.name, each.score, each.holdings, each.bill.orders, each.bill.fees) for each in outcomes]
