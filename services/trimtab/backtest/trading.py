"""The executor's side of a world: its own intake, work and ledger rules over a ledger in memory and engines."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from trimtab.adapters.memory.clock import VirtualClock
from trimtab.adapters.memory.ledger import MemoryLedger
from trimtab.backtest.backlog import Backlog
from trimtab.backtest.bill import Bill, Price
from trimtab.backtest.diary import Diary
from trimtab.backtest.errors import WorldError
from trimtab.backtest.fees import Fees
from trimtab.backtest.shown import Shown
from trimtab.backtest.venue import EngineVenue
from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.market import Market
from trimtab.domain.orders import OrderState, ParentState
from trimtab.exchange.market import MarketEvent
from trimtab.executor.desk import Desk
from trimtab.executor.intake import Intake
from trimtab.executor.ownership import Ownership
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.ledger.recording import record_report
from trimtab.ledger.settlement import settle_fill, settle_parent
from trimtab.messages import Fill, Message, OrderEvent, ParentEvent, PortfolioState, Signal
from trimtab.ports.metrics import Unmetered
from trimtab.ports.topics import Record
from trimtab.ports.trail import Untracked
from trimtab.settings import ExecutorSettings
from trimtab.topics import REBALANCE_SIGNALS

_SHARD = 0

OnState = Callable[[PortfolioState], None]
OnMessage = Callable[[Message], None]


class Trading:
    """Each portfolio has an account of its name, at an engine of its own. `on_state` hears of every new state,
    `on_message` of everything that the ledger tells.

    `diaries` are kept of the portfolios that have one.
    """

    def __init__(
        self,
        quotes: Mapping[str, str],
        shown: Shown,
        fees: Fees,
        market: Callable[[], Market],
        clock: VirtualClock,
        log: FilteringBoundLogger,
        settings: ExecutorSettings,
        on_state: OnState,
        diaries: Mapping[str, Diary],
        on_message: OnMessage = lambda _: None,
    ) -> None:
        self.bills = {name: Bill() for name in quotes}
        self._quotes = quotes
        self._shown = shown
        self._clock = clock
        self._on_state = on_state
        self._diaries = diaries
        self._transfers = 0
        self._on_message = on_message
        self._ledger = MemoryLedger(newest_only=True)
        self._backlog = Backlog(shown.instruments)
        self._venues = {name: EngineVenue(name, shown, self._backlog, fees, clock) for name in quotes}
        self._owned = Ownership(self._ledger, "backtest")
        desk = Desk(
            self._ledger, self._venues, self._owned, market, clock, Unmetered(), Untracked(), log, settings
        )  # fmt: skip
        sender = Sender(desk)
        self._work = Work(desk, sender)
        self._intake = Intake(desk, sender, self._work)

    @property
    def busy(self) -> bool:
        """Whether any order is open, or what it had set aside."""
        return self._ledger.busy

    async def open(self, name: str, document: str, deposits: Mapping[str, Decimal]) -> None:
        """Begin with a portfolio: its account at the venue, its books in the ledger, its first state."""
        if not self._owned.shards:
            await self._owned.take([_SHARD])
        now_us = self._clock.now_us()
        self._venues[name].fund(deposits)
        async with self._ledger.transaction() as book:
            await book.add_account(name, self._shown.venue)
            await book.apply_portfolio(name, document, [name], dry_run=False)
            for asset, amount in sorted(deposits.items()):
                await book.transfer(f"deposit {name} {asset}", "deposit", name, name, asset, amount, now_us)
            await book.bump(name, "applied", now_us)
        self._tell_states()

    async def apply(self, name: str, document: str) -> None:
        """Give a portfolio another document, as its owner might."""
        async with self._ledger.transaction() as book:
            await book.apply_portfolio(name, document, [name], dry_run=False)
            await book.bump(name, "applied", self._clock.now_us())
        self._tell_states()

    async def halt(self, name: str, *, halted: bool) -> None:
        """Stop a portfolio, as its owner might, or let it go on."""
        async with self._ledger.transaction() as book:
            if halted:
                await book.halt(name, "as recorded")
            else:
                await book.resume(name)
        self._tell_states()

    async def transfer(self, name: str, asset: str, amount: Decimal) -> Decimal:
        """Bring funds in, or out (negative) as far as they are free; return what was moved."""
        self._transfers += 1
        async with self._ledger.transaction() as book:
            if amount < 0:
                free = min(await book.available(name, name, asset), self._venues[name].free(asset))
                amount = -min(-amount, free)
            if amount:
                now_us, entry_id = self._clock.now_us(), f"transfer {self._transfers}"
                self._venues[name].engine.transfer(name, asset, amount, now_us)
                await book.transfer(entry_id, "external_transfer", name, name, asset, amount, now_us)
                await book.bump(name, "external_transfer", now_us)
        self._tell_states()
        return amount

    async def happen(self, event: MarketEvent) -> None:
        """Let the market move, and record what that did to resting orders."""
        self._backlog.add(event)
        full = self._backlog.full(event.symbol)
        for venue in self._venues.values():
            for report in venue.hear(event.symbol) if full or venue.resting else ():
                async with self._ledger.transaction() as book:
                    await record_report(book, report)
        if full:
            self._backlog.clear(event.symbol)

    async def step(self, signals: Sequence[Signal], looks: int) -> None:
        """Take signals in and work what is open, looked at so many times at most."""
        self._work.on_frame()
        for signal in signals:
            await self._intake.handle(Record(signal, REBALANCE_SIGNALS.name, _SHARD, 0))
            if self._ledger.accepted(signal):
                self.bills[signal.portfolio_id].accept(signal)
                if diary := self._diaries.get(signal.portfolio_id):
                    diary.accept(signal)
        for _ in range(looks):
            await self._hear()
            if not self.busy:
                break
            await self._work.refresh()
            if not self._work.busy:
                break
        await self._hear()
        self._tell_states()

    def require_agreement(self) -> None:
        """Raise WorldError unless the ledger has of every account exactly what the engine has."""
        for name, venue in self._venues.items():
            booked = {asset: amount for (_, asset), amount in self._ledger.balances(name).items()}
            if booked != venue.held():
                raise WorldError(f"{name}: the ledger has {booked}, the engine {venue.held()}")

    def holdings(self, name: str) -> dict[str, Decimal]:
        """Return what a portfolio has, by asset."""
        return {asset: amount for (_, asset), amount in self._ledger.balances(name).items()}

    def worth(self, name: str, asset: str) -> Decimal:
        """Return what a unit of an asset is worth now in a portfolio's quote currency; 0 if it has no price."""
        return self._pricing(name)(asset)

    async def _hear(self) -> None:
        """Wait for what is under way, and let everybody hear of what was committed."""
        while True:
            await self._work.settled()
            told = self._ledger.told()
            if not told:
                return
            for message in told:
                await self._tell(message)

    def _tell_states(self) -> None:
        for state in self._ledger.states():
            self._on_state(state)

    async def _tell(self, message: Message) -> None:
        self._on_message(message)
        match message:
            case Fill():
                top = self._venues[message.account].tops.pop(message.trade_id)
                cost = self.bills[message.portfolio_id].fill(message, top, self._pricing(message.portfolio_id))
                if diary := self._diaries.get(message.portfolio_id):
                    diary.fill(message, cost)
                key = message.venue, message.account, message.trade_id
                async with self._ledger.transaction() as book:
                    await settle_fill(book, message.portfolio_id, *key)
            case ParentEvent(state=ParentState.CLOSED):
                pricing = self._pricing(message.portfolio_id)
                missed = self.bills[message.portfolio_id].close(message, self._shown.mid_of, pricing)
                if diary := self._diaries.get(message.portfolio_id):
                    diary.close(message, missed)
                async with self._ledger.transaction() as book:
                    await settle_parent(book, message.portfolio_id, message.parent_id, message.event_time_us)
            case OrderEvent(state=OrderState.SUBMITTED):
                self.bills[message.portfolio_id].placed += 1
            case _:
                pass

    def _pricing(self, name: str) -> Price:
        quote = self._quotes[name]
        return lambda asset: ONE if asset == quote else self._shown.mid_of(f"{asset}/{quote}") or ZERO
