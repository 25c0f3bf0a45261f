"""Portfolio files: what they mean, exactly."""

import json
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trimtab.configuration import ConfigurationError
from trimtab.documents import canonical, json_schema, load_document, parse_document, portfolio_of
from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.portfolio import (
    Allocation,
    Calendar,
    CostAdjusted,
    Hybrid,
    NoTradeRegion,
    Policy,
    Threshold,
    VolatilityThreshold,
)
from trimtab.drift.decision import policy_name
from trimtab.portfolio_file import Document, WindowsSection
from trimtab.yaml_text import load_yaml

MINIMAL = "portfolio: core\nquote: USDT\ntargets: {BTC: 0.1, USDT: 0.9}\n"
MIDNIGHT_US = 1_767_225_600_000_000  # Thursday, 1 January 2026
HOUR_US = 3_600_000_000


def read(text: str, tmp_path: Path) -> Document:
    file = tmp_path / "portfolio.yaml"
    file.write_text(text, encoding="utf-8")
    return load_document(file)


def test_weights_keep_their_digits(tmp_path: Path) -> None:
    portfolio = portfolio_of(read(MINIMAL, tmp_path), 1)

    assert portfolio.targets == (("BTC", Decimal("0.1")), ("USDT", Decimal("0.9")))


def test_defaults_are_spelled_out_in_the_canonical_text(tmp_path: Path) -> None:
    kept = json.loads(canonical(read(MINIMAL, tmp_path)))

    assert kept["policy"] == {"kind": "no_trade_region", "risk_aversion": "3"}
    assert kept["limits"]["max_trade_share"] == "0.1"
    assert kept["windows"]["utc"] == ["00:00-24:00"]
    assert list(kept) == sorted(kept)


def test_files_that_mean_the_same_have_the_same_canonical_text(tmp_path: Path) -> None:
    other = "dry_run: false\ntargets:\n  USDT: 9.0e-1\n  BTC: 0.100\nquote: 'USDT'\nportfolio: core # mine\n"

    assert canonical(read(other, tmp_path)) == canonical(read(MINIMAL, tmp_path))


def test_a_canonical_text_parses_to_the_same_portfolio(tmp_path: Path) -> None:
    text = MINIMAL + "policy: {kind: threshold, relative: 0.25}\nwindows: {weekdays: [sat, sun]}\naccounts: [a, b]\n"
    document = read(text, tmp_path)

    portfolio = parse_document(canonical(document), 7)

    assert portfolio == portfolio_of(document, 7)
    assert portfolio.version == 7
    assert portfolio.policy == Threshold(relative=Decimal("0.25"))
    assert portfolio.windows.weekdays == {5, 6}
    assert portfolio.accounts == ("a", "b")
    assert parse_document(canonical(document), 7) is portfolio


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("{kind: no_trade_region, risk_aversion: 5}", NoTradeRegion(Decimal(5))),
        ('{kind: calendar, cron: "0 0 * * *"}', Calendar("0 0 * * *", window_seconds=300)),
        ('{kind: calendar, cron: " 0  9 * * mon ", window_seconds: 60}', Calendar("0 9 * * MON", window_seconds=60)),
        ("{kind: threshold, absolute: 0.05}", Threshold(Decimal("0.05"))),
        ('{kind: hybrid, cron: "0 0 * * *", relative: 0.2}', Hybrid("0 0 * * *", relative=Decimal("0.2"))),
        (
            "{kind: volatility_threshold, absolute: 0.05}",
            VolatilityThreshold(Decimal("0.05"), None, Decimal("0.5"), Decimal(2)),
        ),
        (
            "{kind: volatility_threshold, relative: 0.2, scale_min: 1, scale_max: 1}",
            VolatilityThreshold(None, Decimal("0.2"), Decimal(1), Decimal(1)),
        ),
        (
            "{kind: cost_adjusted, absolute: 0.02}",
            CostAdjusted(Decimal("0.02"), None, Decimal(1), Decimal(1), Decimal(3)),
        ),
        (
            "{kind: cost_adjusted, absolute: 0.02, volatility_factor: 0, safety_factor: 0, risk_aversion: 1}",
            CostAdjusted(Decimal("0.02"), None, Decimal(0), Decimal(0), Decimal(1)),
        ),
    ],
)
def test_every_policy_means_what_it_says(text: str, policy: Policy, tmp_path: Path) -> None:
    document = read(f"{MINIMAL}policy: {text}\n", tmp_path)

    assert portfolio_of(document, 1).policy == policy
    assert parse_document(canonical(document), 1).policy == policy


def test_there_is_an_example_of_every_policy() -> None:
    found = {}
    for file in sorted((Path(__file__).parents[2] / "docs" / "examples" / "portfolios").iterdir()):
        text = file.read_text(encoding="utf-8")
        schema = file.parent / text.splitlines()[0].partition("$schema=")[2]
        assert schema.resolve().name == "portfolio.schema.json"
        assert schema.exists()
        found[file.stem] = portfolio_of(load_document(file), 1).policy

    assert {type(policy) for policy in found.values()} == set(get_args(Policy))
    assert all(name == policy_name(policy) for name, policy in found.items())


def test_no_policy_means_the_no_trade_region(tmp_path: Path) -> None:
    assert portfolio_of(read(MINIMAL, tmp_path), 1).policy == NoTradeRegion()


def test_a_window_past_midnight_goes_on_the_next_day(tmp_path: Path) -> None:
    document = read(MINIMAL + 'windows: {weekdays: [thu], utc: ["22:00-02:00"]}\n', tmp_path)
    windows = portfolio_of(document, 1).windows

    assert windows.contain(MIDNIGHT_US)
    assert windows.contain(MIDNIGHT_US + 2 * HOUR_US - 1)
    assert not windows.contain(MIDNIGHT_US + 2 * HOUR_US)
    assert windows.contain(MIDNIGHT_US + 22 * HOUR_US)
    assert not windows.contain(MIDNIGHT_US + 24 * HOUR_US)  # Friday is not listed


def test_a_window_that_ends_at_midnight_is_one_window(tmp_path: Path) -> None:
    document = read(MINIMAL + 'windows: {utc: ["22:00-00:00"]}\n', tmp_path)

    assert portfolio_of(document, 1).windows.minutes == ((1_320, 1_440),)


COMPUTED = "{method: equal_risk_contribution, assets: [SOL, BTC], cash: 0.05, every: 0 0 * *  mon}"


def test_a_method_takes_the_place_of_weights(tmp_path: Path) -> None:
    document = read(MINIMAL.replace("{BTC: 0.1, USDT: 0.9}", COMPUTED), tmp_path)
    portfolio = portfolio_of(document, 3)

    assert portfolio.targets == ()
    assert portfolio.allocation == Allocation(
        "equal_risk_contribution", ("BTC", "SOL"), "0 0 * * MON", ((ZERO, ONE), (ZERO, ONE)), Decimal("0.05")
    )
    assert parse_document(canonical(document), 3) == portfolio
    assert document.assets == {"BTC", "SOL"}


def test_bounds_stand_with_their_assets(tmp_path: Path) -> None:
    bounded = COMPUTED.replace("}", ", bounds: {SOL: [0.1, 0.3]}, smoothing: 1, min_change: 0}")
    allocation = portfolio_of(read(MINIMAL.replace("{BTC: 0.1, USDT: 0.9}", bounded), tmp_path), 1).allocation

    assert allocation is not None
    assert allocation.bounds == ((ZERO, ONE), (Decimal("0.1"), Decimal("0.3")))
    assert (allocation.smoothing, allocation.min_change) == (1, 0)


@pytest.mark.parametrize("utc", ["08:00-12:00 12:00-16:00", "22:00-02:00 02:00-03:00", "23:00-00:00 00:00-01:00"])
def test_windows_that_only_touch_are_apart(utc: str, tmp_path: Path) -> None:
    one, other = utc.split()

    assert read(MINIMAL + f'windows: {{utc: ["{other}", "{one}"]}}\n', tmp_path).windows.utc == [other, one]


@given(st.lists(st.tuples(st.integers(0, 1_439), st.integers(1, 1_440)), min_size=1, max_size=6))
def test_windows_are_refused_exactly_if_two_share_a_minute(windows: list[tuple[int, int]]) -> None:
    texts = [f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}" for start, end in windows]
    minutes = [
        set(range(start, end)) if start < end else {*range(start, 1_440), *range(end)}
        for start, end in windows
        if start != end
    ]
    sound = len(minutes) == len(windows) and sum(map(len, minutes)) == len(set().union(*minutes))

    try:
        WindowsSection(utc=texts)
    except ValidationError:
        assert not sound
    else:
        assert sound


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert read("\ufeff" + MINIMAL, tmp_path) == read(MINIMAL, tmp_path)


def test_a_weight_of_minus_nothing_is_nothing(tmp_path: Path) -> None:
    other = MINIMAL.replace("{", "{ETH: -0.0, ")

    assert canonical(read(other, tmp_path)) == canonical(read(other.replace("-0.0", "0"), tmp_path))


def test_thirds_rounded_by_hand_become_exact(tmp_path: Path) -> None:
    document = read("portfolio: p\nquote: USDT\ntargets: {A: 0.3333, B: 0.3333, C: 0.3333}\n", tmp_path)
    weights = dict(portfolio_of(document, 1).targets)

    assert sum(weights.values()) == 1
    assert max(weights.values()) - min(weights.values()) <= Decimal("1e-17")


@given(st.lists(st.integers(min_value=0, max_value=10_000), min_size=1, max_size=12).filter(any))
def test_targets_sum_to_one_exactly(shares: list[int]) -> None:
    total = sum(shares)
    weights = {f"A{index}": (Decimal(share) / total).quantize(Decimal("1e-6")) for index, share in enumerate(shares)}

    targets = portfolio_of(Document(portfolio="p", quote="USDT", targets=weights), 1).targets

    assert sum(weight for _, weight in targets) == 1
    assert all(weight >= 0 for _, weight in targets)
    assert [asset for asset, _ in targets] == sorted(weights)
    assert all(abs(weight - weights[asset]) <= Decimal("0.0001") for asset, weight in targets)


def test_words_that_yaml_1_1_takes_for_flags_are_assets() -> None:
    data, problems = load_yaml("{NO: 0.5, ON: 0.5, at: 22:00, when: 2024-01-01, n: 010}", "text")

    assert data == {"NO": Decimal("0.5"), "ON": Decimal("0.5"), "at": "22:00", "when": "2024-01-01", "n": 10}
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not json", "the whole"),
        ('{"portfolio": "core", "quote": "USDT", "targets": {"BTC": "1e0"}}', "targets.BTC"),
        ('{"portfolio": "core", "quote": "USDT", "targets": {"BTC": "0.5"}}', "targets"),
        (
            '{"portfolio": "core", "quote": "USDT", "targets": {"BTC": "1"}, "policy": {"kind": "sometimes"}}',
            "policy.kind",
        ),
    ],
)
def test_a_text_that_is_no_canonical_document_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"portfolio document: {problem}: found"):
        parse_document(text, 1)


def test_the_shipped_json_schema_is_up_to_date() -> None:
    shipped = Path(__file__).parents[2] / "schemas" / "portfolio.schema.json"

    assert shipped.read_text(encoding="utf-8") == json_schema(), "run: make schema"
