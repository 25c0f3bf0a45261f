"""What a test says to the exchange, under /sim/: accounts, transfers, faults, the clock, and how things stand."""

from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from trimtab.exchange.accounts import Account
from trimtab.exchange.bodies import UNITS_MAX, Amount, Count, Milliseconds, Strict, body_of
from trimtab.exchange.clock import SPEED_MAX, wall_us
from trimtab.exchange.dialect import Dialect
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault, Kind
from trimtab.exchange.instruments import start_price
from trimtab.exchange.limits import Limits, Meters
from trimtab.exchange.misconduct import Misconduct
from trimtab.exchange.rest import answer, decimal_text
from trimtab.exchange.signing import Credentials
from trimtab.exchange.venue import Venue

Asset = Annotated[str, Field(pattern=r"^\S{1,64}$")]
Price = Annotated[Decimal, Field(gt=0, le=UNITS_MAX)]
Rate = Annotated[Decimal, Field(ge=0, lt=1)]


class AccountSpec(Strict):
    """An account to open. Fees as fractions; `fee_asset` such as BNB pays them from its balance, discounted (Binance).
    `passphrase` belongs to the API key (Coinbase).
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    api_key: Annotated[str, Field(min_length=1, max_length=128)]
    secret: Annotated[str, Field(min_length=1, max_length=128)]
    passphrase: Annotated[str, Field(max_length=128)] = ""
    balances: dict[Asset, Annotated[Decimal, Field(ge=0, le=UNITS_MAX, decimal_places=8)]] = Field(default_factory=dict)
    maker_fee: Rate = Decimal("0.001")
    taker_fee: Rate = Decimal("0.001")
    fee_asset: Asset | None = None
    fee_discount: Rate = Decimal("0.25")

    def open(self, venue: Venue, dialect: Dialect) -> None:
        """Open it.

        Raises ValueError if its name or API key is taken, or nobody could sign with its secret.
        """
        dialect.check_key(self.api_key, self.secret, self.passphrase)
        account = Account(self.name, self.maker_fee, self.taker_fee, self.fee_asset, self.fee_discount)
        venue.open_account(account, Credentials(self.name, self.api_key, self.secret, self.passphrase), self.balances)


class LimitsSpec(Strict):
    """What addresses and accounts may do; what is not named is as on Binance."""

    request_weight_1m: Count = Limits().request_weight_1m
    sapi_weight_1m: Count = Limits().sapi_weight_1m
    sapi_account_weight_1s: Count = Limits().sapi_account_weight_1s
    orders_10s: Count = Limits().orders_10s
    orders_1d: Count = Limits().orders_1d
    refusals_before_ban: Annotated[int, Field(ge=0, le=2**53)] = Limits().refusals_before_ban

    def limits(self) -> Limits:
        """As the meters want them."""
        return Limits(**self.model_dump())


class AccountsFile(Strict):
    """What `--accounts` names. `prices` (USDT) are those of fee assets that have no book here."""

    accounts: list[AccountSpec]
    limits: LimitsSpec = LimitsSpec()
    prices: dict[Asset, Annotated[Decimal, Field(gt=0, le=UNITS_MAX)]] = Field(
        default_factory=lambda: {"BNB": start_price("BNBUSDT")}
    )


class _Transfer(Strict):
    account: str
    asset: Asset
    amount: Amount


class _Speed(Strict):
    speed: Annotated[float, Field(gt=0, le=SPEED_MAX)]


class _FaultSpec(Strict):
    kind: Kind
    endpoint: str = ""
    count: Count | None = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    status: Annotated[int, Field(ge=500, le=599)] = 503
    code: Annotated[int, Field(lt=0, ge=-(2**31))] | None = None
    retry_after_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 1
    latency_ms: Milliseconds = 1000
    cut: Literal["body", "connection"] = "body"
    streams: Literal["market", "user", "all"] = "all"
    duration_ms: Annotated[Milliseconds, Field(ge=1)] | None = 2000
    skew_ms: Annotated[int, Field(ge=-3_600_000, le=3_600_000)] = 0
    drift_ppm: Annotated[int, Field(ge=-900_000, le=1_000_000)] = 0
    notice_ms: Milliseconds = 0
    symbol: str = ""
    share_percent: Annotated[int, Field(ge=1, le=99)] = 1
    sides: Literal["bids", "asks", "both"] = "both"
    symbol_status: Literal["BREAK", "HALT"] = "BREAK"


class Controls:
    """The endpoints under /sim/."""

    def __init__(self, venue: Venue, misconduct: Misconduct, dialect: Dialect) -> None:
        self._venue = venue
        self._misconduct = misconduct
        self._dialect = dialect

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.get("/sim/status", self._status),
            web.post("/sim/accounts", self._open_account),
            web.get("/sim/accounts/{name}", self._account),
            web.post("/sim/deposit", self._deposit),
            web.post("/sim/withdraw", self._withdraw),
            web.post("/sim/faults", self._arm),
            web.get("/sim/faults", self._armed),
            web.delete("/sim/faults", self._disarm),
            web.post("/sim/pause", self._pause),
            web.post("/sim/resume", self._resume),
            web.post("/sim/speed", self._speed),
            web.get("/sim/limits", self._limits),
            web.post("/sim/limits", self._limit),
            web.get("/sim/journal/summary", self._journal),
        )

    async def _status(self, _: web.Request) -> web.Response:
        venue = self._venue
        return answer(
            {
                "market_us": venue.now_us(),
                "speed": venue.clock.speed,
                "paused": venue.clock.paused,
                "events": venue.events,
                "ended": venue.ended,
                "broken": venue.broken,
                "messages_sent": venue.hub.sent,
                "connections": len(venue.hub.connections),
                "symbols": sorted(venue.engine.instruments),
                "accounts": sorted(venue.engine.accounts.by_name),
            }
        )

    async def _open_account(self, request: web.Request) -> web.Response:
        spec = await body_of(request, AccountSpec)
        try:
            spec.open(self._venue, self._dialect)
        except ValueError as error:
            raise VenueError(-1, str(error), 409) from error
        return answer({"account": spec.name}, 201)

    async def _account(self, request: web.Request) -> web.Response:
        name = self._known(request.match_info["name"])
        account = self._venue.engine.accounts.by_name[name]
        balances = {
            asset: {"free": decimal_text(balance.free), "locked": decimal_text(balance.locked)}
            for asset, balance in sorted(account.balances.items())
        }
        return answer(
            {"account": name, "balances": balances, "open_orders": len(self._venue.engine.history.open_orders(name))}
        )

    async def _deposit(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _Transfer)
        self._venue.transfer(self._known(spec.account), spec.asset, spec.amount)
        return answer({"account": spec.account})

    async def _withdraw(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _Transfer)
        self._venue.transfer(self._known(spec.account), spec.asset, -spec.amount)
        return answer({"account": spec.account})

    async def _arm(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _FaultSpec)
        fault = self._misconduct.arm(Fault(**spec.model_dump()))
        return answer(asdict(fault), 201)

    async def _armed(self, _: web.Request) -> web.Response:
        return answer([asdict(fault) for fault in self._misconduct.armed()])

    async def _disarm(self, request: web.Request) -> web.Response:
        text = request.query.get("fault_id")
        if text is not None and not text.isdigit():
            raise VenueError(-1, f"fault_id {text!r}: must be a number")
        return answer({"disarmed": self._misconduct.disarm(int(text) if text else None)})

    async def _pause(self, _: web.Request) -> web.Response:
        self._venue.clock.set(paused=True)
        return answer({"paused": True})

    async def _resume(self, _: web.Request) -> web.Response:
        self._venue.clock.set(paused=False)
        return answer({"paused": False})

    async def _speed(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _Speed)
        self._venue.clock.set(speed=spec.speed)
        return answer({"speed": spec.speed})

    async def _journal(self, _: web.Request) -> web.Response:
        journal = self._venue.journal
        return answer({"path": str(journal.path), "lines": dict(sorted(journal.counts.items()))})

    async def _limits(self, _: web.Request) -> web.Response:
        meters = self._venue.meters
        callers = {
            address: {
                "weight_1m": meters.requests.used(address, wall_us()),
                "weight_1m_peak": caller.weight.peak,
                "refused": caller.refused,
                "banned_until_us": caller.banned_until_us,
            }
            for address, caller in sorted(meters.requests.callers.items())
        }
        orders = {
            account: {"orders_10s_peak": ten_seconds, "orders_1d_peak": day}
            for account, (ten_seconds, day) in sorted(meters.orders.peaks().items())
        }
        return answer({"limits": asdict(meters.limits), "addresses": callers, "accounts": orders})

    async def _limit(self, request: web.Request) -> web.Response:
        spec = await body_of(request, LimitsSpec)
        self._venue.meters = Meters(spec.limits())
        return answer(asdict(self._venue.meters.limits))

    def _known(self, name: str) -> str:
        if name not in self._venue.engine.accounts.by_name:
            raise VenueError(-1, f"account {name!r}: not here", 404)
        return name
