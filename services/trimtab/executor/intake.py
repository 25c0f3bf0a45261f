"""Signals in: one transaction each, which refuses or admits, reserves, and writes the first orders as intents."""

from collections.abc import Sequence

from trimtab.domain.errors import (
    InsufficientFundsError,
    InvalidValueError,
    LedgerConflictError,
    LedgerRefusedError,
    UnreachableError,
)
from trimtab.domain.orders import ChildOrder, ParentOrder, ParentState
from trimtab.executor.admission import Admitted, Refused, Superseded, judge, refusal, require_possible
from trimtab.executor.desk import Desk
from trimtab.executor.intents import fund_parent, submit_child
from trimtab.executor.sending import Sender
from trimtab.executor.tactics import Place, next_move
from trimtab.executor.work import Work
from trimtab.ledger.parents import close_parent
from trimtab.messages import Signal
from trimtab.ports.ledger import PortfolioRow, TradingBook, WorkItem
from trimtab.ports.topics import Record


class Intake:
    """From a signal to orders on their way, in one commit."""

    def __init__(self, desk: Desk, sender: Sender, work: Work) -> None:
        self._desk = desk
        self._sender = sender
        self._work = work

    async def handle(self, record: Record[Signal]) -> None:
        """Settle one signal; orders that can go out at once are sent after the commit, the work loop does the rest.

        Raises:
            FencedError: if another executor owns the shard by now.
            UnreachableError: if the ledger does not answer, or no market has been seen yet; the record will be handed
                in again.
            LedgerConflictError: if another transaction stood in the way; as above.
            InvalidValueError: if the signal's time is absurd; a frame that explains it may be on its way, so that it is
                handed in again a few times and then given up.
        """
        signal, taken_us = record.message, self._desk.clock.now_us()
        if not self._desk.market().instruments:
            raise UnreachableError("the market", "market.frames", "no full frame since the start")
        require_possible(signal, self._desk.market())
        try:
            outcome, children = await self._settle(signal, record.partition)
        except LedgerConflictError:
            self._desk.meter.count("shadow_ledger_lock_failures_total")
            raise
        except InsufficientFundsError as shortage:
            outcome, children = await self._refuse(signal, record.partition, "insufficient_funds", shortage), ()
        except (LedgerRefusedError, InvalidValueError) as objection:
            outcome = await self._refuse_unwritable(signal, record.partition, "ledger_refused", objection)
            children = ()
        self._desk.meter.count("signals_total", outcome=outcome)
        if children:
            self._send(signal, children, taken_us)
        self._work.touch()  # after the orders: it reads the ledger, and that can wait

    async def give_up(self, record: Record[Signal], failure: Exception) -> None:
        """Settle a signal that cannot be handled: its portfolio rests, then drift may decide afresh.

        One whose time is absurd settles nothing: a portfolio would rest until then.

        Raises:
            FencedError, UnreachableError, LedgerConflictError: as `handle` does.
        """
        try:
            require_possible(record.message, self._desk.market())
        except InvalidValueError:
            self._desk.meter.count("signals_total", outcome="impossible_time")
            return
        outcome = await self._refuse_unwritable(record.message, record.partition, "internal_error", failure)
        self._desk.meter.count("signals_total", outcome=outcome)
        self._work.touch()

    def _send(self, signal: Signal, children: Sequence[tuple[ParentOrder, ChildOrder]], taken_us: int) -> None:
        """Let the committed orders go out, the times of the way here in their trail."""
        stamped = self._desk.trail.stamped
        with stamped("trimtab.taken_us", taken_us), stamped("trimtab.committed_us", self._desk.clock.now_us()):
            for parent, child in children:
                self._work.run(signal.portfolio_id, self._sender.place(parent, child))
        tick_us = self._desk.trail.tick_us()
        if tick_us is not None:
            self._desk.meter.observe("rebalance_duration_seconds", (self._desk.clock.now_us() - tick_us) / 1_000_000)

    async def _settle(self, signal: Signal, shard: int) -> tuple[str, Sequence[tuple[ParentOrder, ChildOrder]]]:
        desk = self._desk
        async with desk.ledger.transaction() as book:
            await book.fence(desk.ownership.fence(shard))
            row = await book.portfolio(signal.portfolio_id)
            match judge(signal, row, desk.market(), shard, frozenset(desk.venues)):
                case Superseded(reason):
                    return reason, ()
                case Refused() as verdict:
                    return await self._write_refusal(book, signal, verdict), ()
                case Admitted(parents):
                    assert row is not None
                    children = [await self._open(book, parent, row) for parent in parents]
                    await book.record_signal(signal, "accepted", signal.reason)
                    rest_us = signal.deadline_us if row.dry_run else None
                    await book.bump(signal.portfolio_id, "signal", signal.event_time_us, rest_us)
                    return "accepted", [pair for pair in children if pair is not None]

    async def _open(
        self, book: TradingBook, parent: ParentOrder, row: PortfolioRow
    ) -> tuple[ParentOrder, ChildOrder] | None:
        """Write a parent; if its funds are there, reserve them and write its first child too."""
        desk, now_us = self._desk, self._desk.now_us()
        if row.dry_run:
            await self._open_dry(book, parent, now_us)
            return None
        if parent.state is ParentState.WAITING:
            await book.add_parent(parent, dry_run=False)
            return None
        quote = desk.quote(parent)
        instrument = desk.market().instruments[f"{parent.venue}:{parent.instrument}"]
        funded, asset, amount = await fund_parent(book, parent, instrument.step)
        if funded.quantity == 0:
            await book.add_parent(parent, dry_run=False)
            await close_parent(book, WorkItem(parent, None, 0, dry_run=False), "no_funds", now_us)
            return None
        await book.add_parent(funded, dry_run=False)
        await book.reserve(funded, asset, amount)
        item = WorkItem(funded, None, 0, dry_run=False)
        move = next_move(item, quote, now_us, frozenset(), desk.settings)
        if not isinstance(move, Place) or self._sender.held(funded.account):
            return None
        return funded, await submit_child(book, item, move, desk.clock.now_us() // 1_000, now_us)

    async def _open_dry(self, book: TradingBook, parent: ParentOrder, now_us: int) -> None:
        await book.add_parent(parent, dry_run=True)
        await close_parent(book, WorkItem(parent, None, 0, dry_run=True), "dry_run", now_us)

    async def _refuse_unwritable(self, signal: Signal, shard: int, reason: str, objection: Exception) -> str:
        """Refuse a signal that the ledger may not even keep (its id is taken, say); the portfolio moves on without it.

        It must neither hold up the signals behind it nor leave drift waiting for its answer.
        """
        try:
            return await self._refuse(signal, shard, reason, objection)
        except LedgerRefusedError as error:
            self._desk.log.warning("signal not kept", signal=signal.signal_id, reason=str(error))
            return await self._refuse(signal, shard, reason, error, keep=False)

    async def _refuse(self, signal: Signal, shard: int, reason: str, why: Exception, *, keep: bool = True) -> str:
        """Settle a signal that could not be written as it is; the new state says why and until when."""
        self._desk.log.warning("signal refused", signal=signal.signal_id, reason=str(why))
        async with self._desk.ledger.transaction() as book:
            await book.fence(self._desk.ownership.fence(shard))
            row = await book.portfolio(signal.portfolio_id)
            if row is None or row.ledger_version != signal.ledger_version:
                return "older_version"
            return await self._write_refusal(book, signal, refusal(reason, signal), keep=keep)

    async def _write_refusal(self, book: TradingBook, signal: Signal, verdict: Refused, *, keep: bool = True) -> str:
        if keep:
            await book.record_signal(signal, "refused", verdict.reason)
        await book.bump(signal.portfolio_id, verdict.reason, signal.event_time_us, verdict.not_before_us)
        return verdict.reason
