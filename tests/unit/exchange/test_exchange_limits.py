"""What an address may ask and an account may order, on a clock of the test's own."""

from collections.abc import Callable

import pytest

from trimtab.exchange.errors import VenueError
from trimtab.exchange.limits import DAY_US, MINUTE_US, SECOND_US, Limits, Meters, Orders, PathRequests, Requests

MIDNIGHT_US = 1_700_006_400 * SECOND_US  # of a day in UTC
HOME, AWAY = "10.0.0.1", "10.0.0.2"


def refused(call: Callable[[], object]) -> tuple[int, int, int | None, str]:
    with pytest.raises(VenueError) as found:
        call()
    error = found.value
    return error.status, error.code, error.retry_after_seconds, error.text


def test_the_weight_of_a_minute_is_used_up_and_given_again_when_the_next_begins() -> None:
    requests, now_us = Requests(Limits(request_weight_1m=100)), MIDNIGHT_US + 41 * SECOND_US
    assert [requests.charge(HOME, 50, now_us), requests.charge(HOME, 50, now_us)] == [50, 100]
    status, code, retry_after, text = refused(lambda: requests.charge(HOME, 1, now_us + 1))
    assert (status, code, retry_after) == (429, -1003, 19)
    assert text.startswith("Too much request weight used; current limit is 100 request weight per 1 MINUTE.")
    assert requests.charge(AWAY, 1, now_us) == 1
    assert requests.charge(HOME, 1, MIDNIGHT_US + MINUTE_US) == 1
    assert requests.used(HOME, MIDNIGHT_US + 2 * MINUTE_US) == 0
    assert requests.callers[HOME].weight.peak == 101


def test_whoever_goes_on_is_banned_longer_each_time() -> None:
    requests, now_us = Requests(Limits(request_weight_1m=1, refusals_before_ban=2)), MIDNIGHT_US
    lengths = []
    for _ in range(14):
        requests.charge(HOME, 1, now_us)
        statuses = [refused(lambda: requests.charge(HOME, 1, now_us))[0] for _ in range(2)]  # noqa: B023 - called at once
        assert statuses == [429, 429]
        status, code, retry_after, text = refused(lambda: requests.charge(HOME, 1, now_us))  # noqa: B023 - as above
        assert (status, code) == (418, -1003)
        assert retry_after is not None
        until_us = now_us + retry_after * SECOND_US
        assert text.startswith(f"Way too much request weight used; IP banned until {until_us // 1000}.")
        assert refused(lambda: requests.charge(HOME, 1, until_us - SECOND_US))[:3] == (418, -1003, 1)  # noqa: B023 - as above
        lengths.append(retry_after)
        now_us = until_us
    assert lengths[:5] == [120, 240, 480, 960, 1920]
    assert max(lengths) == 3 * 86_400
    assert lengths == sorted(lengths)


def test_who_stays_away_for_days_starts_over_with_the_shortest_ban() -> None:
    requests = Requests(Limits(request_weight_1m=1, refusals_before_ban=0))
    for now_us in (MIDNIGHT_US, MIDNIGHT_US + DAY_US):
        requests.charge(HOME, 1, now_us)
        ban = refused(lambda: requests.charge(HOME, 1, now_us))  # noqa: B023 - called at once
    assert ban[2] == 240
    later_us = MIDNIGHT_US + 5 * DAY_US
    requests.charge(HOME, 1, later_us)
    assert refused(lambda: requests.charge(HOME, 1, later_us))[2] == 120


def test_refusals_only_count_towards_a_ban_when_nothing_is_let_through_between_them() -> None:
    requests, now_us = Requests(Limits(request_weight_1m=1, refusals_before_ban=2)), MIDNIGHT_US
    for _ in range(5):
        requests.charge(HOME, 1, now_us)
        for _ in range(2):
            assert refused(lambda: requests.charge(HOME, 1, now_us))[0] == 429  # noqa: B023 - called at once
        now_us += MINUTE_US


def test_what_costs_nothing_after_all_is_given_back_in_its_own_minute_only() -> None:
    requests = Requests(Limits())
    requests.charge(HOME, 5, MIDNIGHT_US)
    requests.refund(HOME, 1, MIDNIGHT_US)
    assert requests.used(HOME, MIDNIGHT_US) == 4
    requests.charge(HOME, 2, MIDNIGHT_US + MINUTE_US)
    requests.refund(HOME, 5, MIDNIGHT_US)
    assert requests.used(HOME, MIDNIGHT_US + MINUTE_US) == 2


def test_paths_under_sapi_have_a_budget_each_and_bring_no_ban() -> None:
    budget = PathRequests(2, MINUTE_US, "1 MINUTE")
    for path in ("/one", "/other"):
        assert [budget.charge(HOME, path, 1, MIDNIGHT_US) for _ in range(2)] == [1, 2]
    for _ in range(50):
        assert refused(lambda: budget.charge(HOME, "/one", 1, MIDNIGHT_US))[:3] == (429, -1003, 60)
    assert budget.charge(AWAY, "/one", 1, MIDNIGHT_US) == 1
    assert budget.charge(HOME, "/one", 1, MIDNIGHT_US + MINUTE_US) == 1


def test_unfilled_orders_are_limited_by_ten_seconds_and_by_the_day() -> None:
    orders, now_us = Orders(Limits(orders_10s=2, orders_1d=3)), MIDNIGHT_US + 3 * SECOND_US
    for _ in range(2):
        orders.check("ann", now_us)
        orders.placed("ann", now_us)
    text = "Too many new orders; current limit is 2 orders per 10 SECOND."
    assert refused(lambda: orders.check("ann", now_us)) == (429, -1015, 7, text)
    orders.check("bob", now_us)
    now_us += 7 * SECOND_US
    orders.check("ann", now_us)
    orders.placed("ann", now_us)
    assert orders.counts("ann", now_us) == (1, 3)
    text = "Too many new orders; current limit is 3 orders per 1 DAY."
    assert refused(lambda: orders.check("ann", now_us)) == (429, -1015, 86_390, text)
    orders.check("ann", MIDNIGHT_US + DAY_US)
    assert orders.counts("ann", MIDNIGHT_US + DAY_US) == (0, 0)
    assert orders.peaks() == {"ann": (2, 3), "bob": (0, 0)}


def test_the_first_fill_of_an_order_takes_it_off_the_count() -> None:
    orders = Orders(Limits())
    for _ in range(7):
        orders.placed("ann", MIDNIGHT_US)
    orders.first_filled("ann", MIDNIGHT_US, maker=False)
    assert orders.counts("ann", MIDNIGHT_US) == (6, 6)
    orders.first_filled("ann", MIDNIGHT_US, maker=True)
    assert orders.counts("ann", MIDNIGHT_US) == (1, 1)
    orders.first_filled("ann", MIDNIGHT_US, maker=True)
    assert orders.counts("ann", MIDNIGHT_US) == (0, 0)
    orders.placed("ann", MIDNIGHT_US)
    assert orders.counts("ann", MIDNIGHT_US) == (1, 1)


def test_the_limits_are_shown_as_they_are() -> None:
    shown = {(row["rateLimitType"], row["interval"], row["intervalNum"]): row["limit"] for row in Limits().shown()}
    assert shown == {
        ("REQUEST_WEIGHT", "MINUTE", 1): 6_000,
        ("ORDERS", "SECOND", 10): 100,
        ("ORDERS", "DAY", 1): 200_000,
        ("RAW_REQUESTS", "MINUTE", 5): 300_000,
    }
    own = Meters(Limits(orders_10s=7, sapi_weight_1m=1))
    assert own.limits.orders()[0]["limit"] == 7
    own.sapi.charge(HOME, "/x", 1, MIDNIGHT_US)
    assert refused(lambda: own.sapi.charge(HOME, "/x", 1, MIDNIGHT_US))[0] == 429
