"""Open orders, worked frame by frame: serial within a portfolio, concurrent across portfolios."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress

from trimtab.executor.desk import Desk
from trimtab.executor.intents import fund_parent, request_cancel, submit_child
from trimtab.executor.sending import Sender
from trimtab.executor.tactics import Cancel, Close, Fund, Move, Place, Wait, next_move, withdraw
from trimtab.ledger.parents import close_parent, parent_event
from trimtab.ledger.turns import surviving
from trimtab.ports.ledger import TradingBook, WorkItem

# How often (wall clock) the ledger is asked for what other processes changed: settled sells, halts; and, while nothing
# is open here, for orders of shards that were taken over.
_REFRESH_SECONDS = 0.1
_IDLE_SECONDS = 1.0
_RETRY_SECONDS = 1.0
# While event time has not moved for so long (wall clock) nothing is placed and what rests is taken back: without a
# market no deadline would ever end it.
_SILENCE_US = 10_000_000

Request = Coroutine[None, None, None]


class Work:
    """What is open, and the next move of each.

    Moves are looked for in memory, on every frame; a move that is found is decided again under the portfolio's lock,
    on what the ledger says then.
    """

    def __init__(self, desk: Desk, sender: Sender) -> None:
        self._desk = desk
        self._sender = sender
        self._items: dict[str, Sequence[WorkItem]] = {}
        self._running: Counter[str] = Counter()
        self._touched = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._event_us, self._heard_us = desk.now_us(), desk.clock.now_us()
        self._look_due_us = 0

    def touch(self) -> None:
        """Read the ledger soon: something of ours changed."""
        self._touched.set()

    async def follow(self) -> None:
        """Keep the picture of open orders fresh and look at it, frames or not (halts must not wait for one)."""
        while True:
            self._touched.clear()
            with surviving(self._desk.log, self._desk.meter, "open orders cannot be read") as turn:
                await self.refresh()
            if turn.failed:
                await self._desk.clock.sleep(_RETRY_SECONDS)
            elif self._items:
                await self._desk.clock.sleep(_REFRESH_SECONDS)
            else:
                with suppress(TimeoutError):
                    # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._touched.wait()

    async def refresh(self) -> None:
        """Take a fresh picture of what is open, and start what it calls for.

        Raises:
            UnreachableError: if the ledger does not answer.
        """
        self._items = await self._read()
        self._look()

    @property
    def busy(self) -> bool:
        """Whether anything that was started is still under way."""
        return bool(self._tasks)

    async def settled(self) -> None:
        """Wait until nothing that was started is under way any more: for worlds whose clock stands meanwhile."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _read(self) -> dict[str, Sequence[WorkItem]]:
        grouped: dict[str, list[WorkItem]] = defaultdict(list)
        for item in await self._desk.ledger.work(self._desk.ownership.shards):
            grouped[item.parent.portfolio_id].append(item)
        return dict(grouped)

    def on_frame(self) -> None:
        """Start whatever this frame calls for, unless the last look took so long that others come first."""
        now_us = self._desk.clock.now_us()
        if self._desk.now_us() != self._event_us:
            self._event_us, self._heard_us = self._desk.now_us(), now_us
        if now_us >= self._look_due_us:
            self._look()

    def _look(self) -> None:
        began_us = self._desk.clock.now_us()
        self._look_all()
        ended_us = self._desk.clock.now_us()
        # With very many open orders a look takes longer than frames are apart: at most half of the time goes into it.
        self._look_due_us = ended_us + (ended_us - began_us)

    def _look_all(self) -> None:
        for portfolio_id, items in self._items.items():
            with surviving(self._desk.log, self._desk.meter, "no move can be decided", portfolio_id=portfolio_id):
                if portfolio_id not in self._running and next(self._moving(items), None) is not None:
                    self.run(portfolio_id, self._advance(portfolio_id))

    def run(self, portfolio_id: str, work: Request) -> None:
        """Start a piece of a portfolio's work; until it ends, no frame starts another for it."""
        self._running[portfolio_id] += 1
        task = asyncio.get_running_loop().create_task(self._guarded(portfolio_id, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, portfolio_id: str, work: Request) -> None:
        try:
            # What was written stands; what was not is found again by the next frame or look-up.
            with surviving(self._desk.log, self._desk.meter, "work interrupted", portfolio_id=portfolio_id) as turn:
                await work
            if turn.failed:
                await self._desk.clock.sleep(_RETRY_SECONDS)
        finally:
            self._running[portfolio_id] -= 1
            if not self._running[portfolio_id]:
                del self._running[portfolio_id]
            self.touch()

    def _moving(self, items: Sequence[WorkItem]) -> Iterator[WorkItem]:
        """Yield which of a portfolio's parents have a move now."""
        unsettled = _unsettled(items)
        return (item for item in items if self._move(item, unsettled) is not None)

    def _move(self, item: WorkItem, unsettled: frozenset[str]) -> Move | None:
        """Return what to do with a parent now, None to wait."""
        desk, parent, child = self._desk, item.parent, item.child
        silent = desk.clock.now_us() - self._heard_us > _SILENCE_US
        if silent and child is not None and not child.state.terminal:
            move = withdraw(item, "no_market")
        else:
            move = next_move(item, None if silent else desk.quote(parent), desk.now_us(), unsettled, desk.settings)
        if isinstance(move, Wait) or (isinstance(move, Place) and self._sender.held(parent.account)):
            return None
        if isinstance(move, Place | Cancel) and parent.account not in desk.venues:
            return None  # another process has this account's key; here no more can be done than close it in time
        return move

    async def _advance(self, portfolio_id: str) -> None:
        """Make the next move of every parent of one portfolio that has one, as far as is known here."""
        items = self._items.get(portfolio_id, ())
        requests: list[Request] = []
        try:
            for parent_id in [item.parent.parent_id for item in self._moving(items)]:
                request = await self._decide(portfolio_id, parent_id)
                if request is not None:
                    requests.append(request)
        finally:  # what is committed goes out, whatever became of the decisions after it
            outcomes = await asyncio.gather(*requests, return_exceptions=True)
        for failure in (outcome for outcome in outcomes if outcome is not None):
            raise failure
        self._items[portfolio_id] = await self._desk.ledger.work_of(portfolio_id)

    async def _decide(self, portfolio_id: str, parent_id: str) -> Request | None:
        """Decide one parent's move under lock and write it; return the request to make after the commit, if any."""
        request: Request | None = None
        try:
            async with self._desk.ledger.transaction() as book:
                await book.portfolio(portfolio_id)
                items = await book.work_items(portfolio_id)
                item = next((item for item in items if item.parent.parent_id == parent_id), None)
                move = self._move(item, _unsettled(items)) if item is not None else None
                if item is None or move is None:
                    return None
                await book.fence(self._desk.ownership.fence(item.parent.shard))
                request = await self._write(book, item, move)
        except BaseException:
            if request is not None:
                request.close()  # nothing of it was committed, or nobody knows: it is not sent, a look-up tells
            raise
        if isinstance(move, Close):
            self._desk.tell_closed(item.parent)
        return request

    async def _write(self, book: TradingBook, item: WorkItem, move: Move) -> Request | None:
        desk, now_us, parent = self._desk, self._desk.now_us(), item.parent
        match move:
            case Place():
                child = await submit_child(book, item, move, desk.clock.now_us() // 1_000, now_us)
                return self._sender.place(parent, child)
            case Cancel(reason) if item.child is not None:
                return self._sender.cancel(parent, await request_cancel(book, item, item.child, reason, now_us))
            case Fund():
                await self._fund(book, item, now_us)
            case Close(reason):
                await close_parent(book, item, reason, now_us)
            case _:
                pass
        return None

    async def _fund(self, book: TradingBook, item: WorkItem, now_us: int) -> None:
        parent = item.parent
        instrument = self._desk.market().instruments.get(f"{parent.venue}:{parent.instrument}")
        if instrument is None:
            return
        funded, asset, amount = await fund_parent(book, parent, instrument.step)
        if funded.quantity == 0:
            await close_parent(book, item, "no_funds", now_us)
            return
        await book.change_parent(parent.parent_id, state=funded.state, quantity=funded.quantity, reason="funded")
        await book.reserve(funded, asset, amount)
        await book.emit(parent_event(funded, "funded", now_us, dry_run=item.dry_run))


def _unsettled(items: Sequence[WorkItem]) -> frozenset[str]:
    """Return the ids of a portfolio's parents that are not released: what they bring is not there yet."""
    return frozenset(item.parent.parent_id for item in items)
