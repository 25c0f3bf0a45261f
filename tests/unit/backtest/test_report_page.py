"""A report's page: the numbers of the JSON, untrusted names as text, the same bytes again, bounded however long."""

import json
import math
import re
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import played

from trimtab.backtest.score import YEAR_US
from trimtab.domain.errors import TrimtabError
from trimtab.exits import exit_code
from trimtab.report import parts
from trimtab.report.figures import figure_lines
from trimtab.report.series import Series
from trimtab.report.story import Story
from trimtab.report.trades import trades_of

EVIL = "<script>alert('x')</script>&\"'"


def drawn(*run: Any) -> str:
    return str(import_module("trimtab.report.page").page_of(*run).text())


@pytest.fixture(scope="module")
def page() -> str:
    return drawn(*played())


def test_its_figures_are_those_of_the_json(page: str) -> None:
    document = played()[0]
    lines = {line.key: line for line in figure_lines(document["policies"], "USDT")}
    for key, line in lines.items():
        assert [cell.value for cell in line.cells] == [each[key] for each in document["policies"].values()]
    shown = [float(value) for value in re.findall(r'<data value="([^"]+)">', page)]
    for each in document["policies"].values():
        assert {float(each[key]) for key in lines} <= {*shown}
        assert f"{each['final_equity']:,.2f}" in page
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == document


def test_the_same_run_gives_the_same_bytes(page: str) -> None:
    assert drawn(*played()) == page


def test_names_from_files_are_text(page: str) -> None:
    """Also where they stand in drawings, in what is shown on hover, and in the JSON."""
    document, field, outcomes = played()
    policies = {EVIL if name == "threshold" else name: each for name, each in document["policies"].items()}
    named = [replace(each, name=EVIL if each.name == "threshold" else each.name) for each in field]
    text = drawn(document | {"policies": policies}, named, outcomes)
    assert "<script>" not in text
    assert text.count("<script") == 1
    assert text.count("</script") == 1
    assert text.count("&lt;script&gt;") > 10
    assert "threshold" in page


def test_every_trade_is_there_with_its_reason(page: str) -> None:
    document, field, outcomes = played()
    diary = outcomes[0].diary
    assert diary is not None
    assert page.count('<td class="') == sum(each.bill.orders for each in outcomes)
    for number, deal in enumerate(diary.deals.values(), 1):
        trade = deal.trade
        assert f"<td>{number}</td>" in page
        assert f"{trade.side.value} {float(trade.quantity):,.6g} {trade.instrument}" in page
    assert page.count("threshold_reached: a drift has reached its bound") > len(diary.deals)  # in the drawing too
    assert len(document["policies"]) == len(field)


def test_it_asks_for_nothing_and_runs_nothing(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert not re.search(r"""\son\w+=""", page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r'href="#([^"]+)"', page)} | {*re.findall(r"url\(#([^)]+)\)", page)} <= {*ids}
    assert not re.search(r"#0[0-9a-f]{5}\b", page.partition("<main>")[2])  # every colour is one of the page's


def test_of_very_many_trades_the_largest_stay() -> None:
    document, _, outcomes = played()
    diary = outcomes[0].diary
    assert diary is not None
    story = Story("threshold", document["policies"]["threshold"], outcomes[0], diary)
    whole, cut = (trades_of("threshold", story.deals, "USDT", limit) for limit in (1_000, 3))
    assert (whole.left_out, len(cut.rows), cut.left_out) == (0, 3, len(whole.rows) - 3)
    numbers = [row.number for row in cut.rows]
    assert numbers == sorted(numbers)
    assert min(row.traded for row in cut.rows) >= max(row.traded for row in whole.rows if row.number not in numbers)
    assert cut.left_traded + sum(row.traded for row in cut.rows) == pytest.approx(float(outcomes[0].bill.traded))


def test_time_outside_the_band_is_that_of_the_looks() -> None:
    document, field, outcomes = played()
    held = Story(field[2].name, document["policies"][field[2].name], outcomes[2], outcomes[2].diary)  # type: ignore[arg-type]  # it has one
    looks = held.diary.looks
    past = sum(
        after.time_us - look.time_us
        for look, after in pairwise(looks)
        if any(abs(term.drift) > term.half_band for term in look.terms)
    )
    found = held.outside()
    assert found["any"] == past / (looks[-1].time_us - looks[0].time_us) > 0
    assert max(share for asset, share in found.items() if asset != "any") <= found["any"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3_000), st.integers(4, 60))
def test_thinning_keeps_every_extreme_and_the_ends(values: list[float], points_max: int) -> None:
    series = Series("a", list(range(len(values))), values)
    thin = series.thinned(points_max)
    assert len(thin.values) <= max(points_max, len(values) if len(values) <= points_max else 0)
    assert (min(thin.values), max(thin.values)) == (min(values), max(values))
    assert (thin.times_us[0], thin.times_us[-1]) == (0, len(values) - 1)
    assert list(thin.times_us) == sorted({*thin.times_us})
    assert all(values[time_us] == value for time_us, value in zip(thin.times_us, thin.values, strict=True))


def test_a_long_run_stays_below_a_few_megabytes() -> None:
    document, field, outcomes = played()
    score, times = outcomes[0].score, np.arange(100_000) * 3_600_000_000
    long = replace(score, times_us=tuple(times.tolist()), equities=(1.0, 2.0) * 50_000, risks=(1e-9,) * 99_999)
    text = drawn(document, field, [replace(each, score=long) for each in outcomes])
    assert len(text) < 3_000_000


def test_what_is_missing_is_one_line_and_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda name: None)
    with pytest.raises(
        TrimtabError, match=r"--report: needs jinja2 and matplotlib \(pip install 'trimtab\[report\]'\)"
    ) as found:
        parts.require_parts()
    assert exit_code(found.value) == 3


@pytest.mark.filterwarnings("error")
def test_tracking_is_of_one_stretch_where_looks_lie_further_apart_than_it_looks_back() -> None:
    """A recording of four looks that was silent before the last one."""
    _, _, outcomes = played()
    risks, times_us = (1e-6, 4e-6, 9e-6), (0, 1_000_000, 2_000_000, 60_000_000)
    outcome = replace(outcomes[0], score=replace(outcomes[0].score, times_us=times_us, risks=risks))
    assert outcome.diary is not None

    found = Story("short", {}, outcome, outcome.diary).tracking(1_500_000)

    assert found.times_us == [2_000_000, 60_000_000]
    spans_us = ((4e-6, 1_000_000), (9e-6, 58_000_000))
    assert found.values == pytest.approx([math.sqrt(risk * 2 / 3 / us * YEAR_US) for risk, us in spans_us])
