"""A recorded past of one portfolio: a still market, and one thing of every other kind when it is said so."""

from dataclasses import replace
from decimal import Decimal

from recorded_topics import Topics
from trimtab.cost_rows import ChargedFee
from trimtab.domain.orders import Liquidity
from trimtab.messages import (
    Costs,
    Frame,
    FrameQuote,
    InstrumentRules,
    PortfolioState,
    Position,
    Risk,
    Targets,
)
from trimtab.replay.basis import Past, past_of
from trimtab.replay.charges import Charges
from trimtab.replay.moment import Moment, Moments
from trimtab.replay.verdict import Verdict, as_of
from trimtab.settings import DriftSettings

D = Decimal
START_US = 1_700_000_000_000_000
SETTINGS = DriftSettings()
WEIGHTS = '{"BTC":"0.5","USDT":"0.5"}'
METHOD = '{"method":"inverse_volatility","assets":["BTC"],"cash":"0.5","every":"0 0 * * *"}'
RULES = InstrumentRules(
    "binance", "BTC/USDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5), D(0), D("0.001"), tradable=True
)


class World:
    """Writes records, each stamped a millisecond later than the last; `second` is the market's time."""

    def __init__(self) -> None:
        self.topics = Topics()
        self.second = 0
        self._sequence = 0
        self._recorded_ms = 0

    @property
    def now_us(self) -> int:
        return START_US + self.second * 1_000_000

    def frame(self, *, full: bool = True, ladder: tuple[int, ...] = (100, 1_000_000), session: str = "a") -> int:
        self._sequence += 1
        quote = FrameQuote("binance", "BTC/USDT", self.now_us, self._sequence, ladder, (101, 1_000_000))
        rules = (RULES,) if full else ()
        return self._keep(Frame(session, self._sequence, self.now_us, full, rules, (quote,)))

    def frames(self, seconds: int) -> None:
        """One full frame a second, and one that is not."""
        for _ in range(seconds):
            self.second += 1
            self.frame()
            self.frame(full=False)

    def state(
        self, version: int, btc: str = "50", document: int = 1, targets: str = WEIGHTS, name: str = "core"
    ) -> int:
        """BTC at 1 USDT beside 50 USDT."""
        amounts = {"BTC": D(btc) * 1, "USDT": D(50)}
        base = PortfolioState(
            event_id=f"{name}/{version}",
            portfolio_id=name,
            ledger_version=version,
            event_time_us=self.now_us,
            document_version=document,
            document=f'{{"portfolio":"{name}","quote":"USDT","targets":{targets},"limits":{{"min_trade":"1"}},'
            '"policy":{"kind":"threshold","absolute":"0.1"}}',
            halted=False,
            reason="",
            not_before_us=0,
            positions=tuple(Position("main", "binance", asset, n, D(0)) for asset, n in amounts.items()),
            open_orders=(),
            recent_signals_us=(),
        )
        return self._keep(base)

    def risk(self, frame: int, quote: str = "USDT") -> int:
        name = f"{quote}/{frame}"
        return self._keep(Risk(name, self.now_us, frame, quote, "test", 100, ("BTC",), (D("0.25"),), (D("0.25"),)))

    def targets(self, frame: int, btc: str, document: int = 1, name: str = "core") -> int:
        weights = (D(btc), 1 - D(btc))
        made = Targets(
            f"{name}/{frame}",
            name,
            document,
            self.now_us,
            self.now_us,
            frame,
            0,
            -1,
            "inverse_volatility",
            ("BTC", "USDT"),
            weights,
            weights,
        )  # fmt: skip - one line a field says no more
        return self._keep(made)

    def costs(self, frame: int, sequence: int, fee: str, coefficient: str = "0") -> int:
        row = ChargedFee("binance", "BTC/USDT", Liquidity.TAKER, RULES.taker_fee, D(fee), D(40), D(1), D(1))
        made = Costs(f"{frame}/{sequence}", sequence, -1, self.now_us, frame, (0,), (row,))
        impact = {"impact_coefficient": D(coefficient), "impact_prior": D("0.6"), "impact_trades": D("12.34")}
        return self._keep(replace(made, **impact) if impact["impact_coefficient"] else made)

    def moment(self, frame: int) -> Moment:
        return Moments(self.topics, Charges(self.topics).at).at(frame)

    def past(self, name: str = "core") -> Past:
        return past_of(self.topics, name)[0]

    def verdict(self, frame: int) -> Verdict:
        return as_of(self.topics, SETTINGS, self.past(), "core", self.moment(frame))

    def publish(self, frame: int) -> str:
        """Publish what is decided at a frame on what is written by now, as a worker would; return its id."""
        decision = self.verdict(frame).decision
        self._keep(decision)
        return decision.signal_id

    def forge(self, frame: int, **changes: object) -> str:
        """Publish a signal that was decided otherwise."""
        decision = replace(self.verdict(frame).decision, **changes)
        self._keep(decision)
        return decision.signal_id

    def _keep(self, message: object) -> int:
        self._recorded_ms = max(self._recorded_ms + 1, self.now_us // 1_000)
        return self.topics.keep(message, self._recorded_ms)
