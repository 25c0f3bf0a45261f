"""Open orders, worked frame by frame: serial within a portfolio, concurrent across portfolios."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence

from trimtab.domain.errors import TrimtabError
from trimtab.executor.desk import Desk
from trimtab.executor.intents import close_parent, emit_parent, fund_parent, request_cancel, submit_child
from trimtab.executor.sending import Sender
from trimtab.executor.tactics import Cancel, Close, Fund, Move, Place, Wait, next_move
from trimtab.ports.ledger import LedgerBook, WorkItem

# How often (wall clock) the ledger is asked for what other processes changed: settled sells, halts.
_REFRESH_SECONDS = 0.1
_RETRY_SECONDS = 1.0


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

    def touch(self) -> None:
        """Read the ledger soon: something of ours changed."""
        self._touched.set()

    async def follow(self) -> None:
        """Keep the picture of open orders fresh, until cancelled."""
        while True:
            self._touched.clear()
            try:
                self._items = await self._read()
            except TrimtabError as error:
                self._desk.log.warning("open orders cannot be read", reason=str(error))
                await self._desk.clock.sleep(_RETRY_SECONDS)
            if self._items:
                await self._desk.clock.sleep(_REFRESH_SECONDS)
            else:
                await self._touched.wait()

    async def _read(self) -> dict[str, Sequence[WorkItem]]:
        grouped: dict[str, list[WorkItem]] = defaultdict(list)
        for item in await self._desk.ledger.work(self._desk.ownership.shards):
            grouped[item.parent.portfolio_id].append(item)
        return dict(grouped)

    def on_frame(self) -> None:
        """Start whatever this frame calls for."""
        for portfolio_id, items in self._items.items():
            if not self._running[portfolio_id] and any(self._move(item, items) is not None for item in items):
                self.run(portfolio_id, self._advance(portfolio_id))

    def run(self, portfolio_id: str, work: Coroutine[None, None, None]) -> None:
        """Start a piece of a portfolio's work; until it ends, no frame starts another for it."""
        self._running[portfolio_id] += 1
        task = asyncio.get_running_loop().create_task(self._guarded(portfolio_id, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, portfolio_id: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except TrimtabError as error:
            # What was written stands; what was not is found again by the next frame or look-up.
            self._desk.log.warning("work interrupted", portfolio_id=portfolio_id, reason=str(error))
            await self._desk.clock.sleep(_RETRY_SECONDS)
        finally:
            self._running[portfolio_id] -= 1
            self.touch()

    def _move(self, item: WorkItem, items: Sequence[WorkItem]) -> Move | None:
        """Return what to do with a parent now, None to wait."""
        desk, parent = self._desk, item.parent
        if item.halted:
            live = item.child is not None and not item.child.state.terminal
            settled = live and item.child is not None and (item.child.state.unsettled or item.child.cancel_requested)
            move: Move = Wait("venue_answer") if settled else Cancel("halted") if live else Close("halted")
        else:
            unsettled = frozenset(other.parent.parent_id for other in items)
            move = next_move(item, desk.quote(parent), desk.now_us(), unsettled, desk.settings)
        if isinstance(move, Wait) or (isinstance(move, Place) and self._sender.held(parent.account)):
            return None
        return move

    async def _advance(self, portfolio_id: str) -> None:
        """Make the next move of every parent of one portfolio."""
        requests = []
        for parent_id in [item.parent.parent_id for item in await self._desk.ledger.work_of(portfolio_id)]:
            request = await self._decide(portfolio_id, parent_id)
            if request is not None:
                requests.append(request)
        await asyncio.gather(*requests)
        self._items[portfolio_id] = await self._desk.ledger.work_of(portfolio_id)

    async def _decide(self, portfolio_id: str, parent_id: str) -> Coroutine[None, None, None] | None:
        """Decide one parent's move under lock and write it; return the request to make after the commit, if any."""
        async with self._desk.ledger.transaction() as book:
            await book.portfolio(portfolio_id)
            items = await book.work_items(portfolio_id)
            item = next((item for item in items if item.parent.parent_id == parent_id), None)
            move = self._move(item, items) if item is not None else None
            if item is None or move is None:
                return None
            await book.fence(self._desk.ownership.fence(item.parent.shard))
            return await self._write(book, item, move)

    async def _write(self, book: LedgerBook, item: WorkItem, move: Move) -> Coroutine[None, None, None] | None:
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

    async def _fund(self, book: LedgerBook, item: WorkItem, now_us: int) -> None:
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
        await emit_parent(book, funded, "funded", now_us, dry_run=item.dry_run)
