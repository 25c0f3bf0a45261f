"""A book kept from updates equals the venue's own, wherever the snapshot falls and whatever is lost."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.venues.depth import DepthBook, DepthUpdate, Outcome

Change = tuple[str, int, int]  # side, price, quantity

changes = st.lists(st.tuples(st.sampled_from("ba"), st.integers(1, 12), st.integers(0, 3)), min_size=1, max_size=4)
streams = st.lists(changes, min_size=1, max_size=12)


class Exchange:
    """The venue's book: ids count single changes, as Binance's do."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, int]] = {"b": {}, "a": {}}
        self.last_id = 100

    def publish(self, batch: list[Change]) -> DepthUpdate:
        first = self.last_id + 1
        for side, price, quantity in batch:
            self.last_id += 1
            if quantity:
                self.sides[side][price] = quantity
            else:
                self.sides[side].pop(price, None)
        levels = {s: [(f"{p}.00", f"{q}.0") for side, p, q in batch if side == s] for s in "ba"}
        return DepthUpdate(first, self.last_id, 0, 0, levels["b"], levels["a"])

    def snapshot(self) -> tuple[int, list[tuple[str, str]], list[tuple[str, str]]]:
        bids, asks = ([(f"{p}.00000000", f"{q}.000") for p, q in self.sides[side].items()] for side in "ba")
        return self.last_id, bids, asks

    def top(self) -> tuple[tuple[tuple[Decimal, Decimal], ...], ...]:
        bids = sorted(self.sides["b"].items(), reverse=True)
        asks = sorted(self.sides["a"].items())
        return tuple(tuple((Decimal(p), Decimal(q)) for p, q in side[:5]) for side in (bids, asks))


@given(before=streams, after=streams, overlap=st.integers(0, 12))
def test_a_snapshot_in_midstream_gives_the_venues_book(
    before: list[list[Change]], after: list[list[Change]], overlap: int
) -> None:
    exchange, book = Exchange(), DepthBook()
    updates = [exchange.publish(batch) for batch in before]
    for update in updates[max(0, len(updates) - overlap) :]:
        assert book.update(update) is Outcome.KEPT
    assert book.load(*exchange.snapshot())
    for update in book.take_kept():
        assert book.update(update) is Outcome.OLD
    for batch in after:
        assert book.update(exchange.publish(batch)) is Outcome.APPLIED
        assert book.top(5) == exchange.top()
    assert book.levels == (len(exchange.sides["b"]), len(exchange.sides["a"]))


@given(before=streams, kept=streams)
def test_updates_kept_for_the_snapshot_are_applied_after_it(
    before: list[list[Change]], kept: list[list[Change]]
) -> None:
    exchange, book = Exchange(), DepthBook()
    for batch in before:
        exchange.publish(batch)
    snapshot = exchange.snapshot()
    for batch in kept:
        book.update(exchange.publish(batch))
    assert book.load(*snapshot)
    assert [book.update(update) for update in book.take_kept()] == [Outcome.APPLIED] * len(kept)
    assert book.top(5) == exchange.top()


@given(before=streams, lost=streams, after=streams)
def test_a_lost_update_voids_the_book_until_the_next_snapshot(
    before: list[list[Change]], lost: list[list[Change]], after: list[list[Change]]
) -> None:
    exchange, book = Exchange(), DepthBook()
    book.load(*exchange.snapshot())
    for batch in before:
        book.update(exchange.publish(batch))
    for batch in lost:
        exchange.publish(batch)
    first, *rest = [exchange.publish(batch) for batch in after]
    assert book.update(first) is Outcome.GAP
    assert not book.in_sync
    assert book.top(5) == ((), ())
    assert all(book.update(update) is Outcome.KEPT for update in rest)
    assert book.load(*exchange.snapshot())
    assert all(book.update(update) is Outcome.OLD for update in book.take_kept())
    assert book.top(5) == exchange.top()


def test_a_snapshot_inside_an_update_is_spanned_by_it() -> None:
    book = DepthBook()
    assert book.load(50093239218, [("100.0", "1")], [("101.0", "1")])
    spanning = DepthUpdate(50093239208, 50093239224, 0, 0, [("100.0", "2")], [])
    assert book.update(spanning) is Outcome.APPLIED
    assert book.top(1)[0] == ((Decimal(100), Decimal(2)),)


def test_a_second_update_that_overlaps_is_a_gap() -> None:
    book = DepthBook()
    book.load(10, [], [])
    assert book.update(DepthUpdate(9, 12, 0, 0, [], [])) is Outcome.APPLIED
    assert book.update(DepthUpdate(12, 15, 0, 0, [], [])) is Outcome.GAP


def test_a_snapshot_older_than_the_kept_updates_is_refused() -> None:
    book = DepthBook()
    book.update(DepthUpdate(20, 21, 0, 0, [], []))
    assert not book.load(18, [], [])
    assert not book.in_sync
    assert book.load(19, [], [])


def test_one_price_written_in_two_ways_is_one_level() -> None:
    book = DepthBook()
    book.load(1, [("8042.9", "1")], [])
    book.update(DepthUpdate(2, 2, 0, 0, [("8042.90000000", "3")], []))
    assert book.top(5)[0] == ((Decimal("8042.9"), Decimal(3)),)


def test_removing_a_level_that_was_never_seen_is_nothing() -> None:
    book = DepthBook()
    book.load(1, [("10", "1")], [])
    assert book.update(DepthUpdate(2, 2, 0, 0, [("9", "0.00000000")], [])) is Outcome.APPLIED
    assert book.levels == (1, 0)
