"""Self-trade prevention: which of two orders of one account expires instead of trading (Binance spot, "STP FAQ")."""

from trimtab.exchange.book import ZERO
from trimtab.exchange.instruments import Prevention
from trimtab.exchange.orders import Order, PreventedMatch


def expires_taker(prevention: Prevention) -> bool:
    """Whether the incoming order of this mode ends where it would meet an own one."""
    return prevention in {"EXPIRE_TAKER", "EXPIRE_BOTH"}


def expires_maker(prevention: Prevention) -> bool:
    """Whether the resting order ends that an incoming one of this mode would meet."""
    return prevention in {"EXPIRE_MAKER", "EXPIRE_BOTH"}


def prevented_match(taker: Order, maker: Order, match_id: int, time_us: int) -> PreventedMatch:
    """The match of two orders as they stand; the taker's mode decides, whatever the maker's is."""
    return PreventedMatch(
        account=taker.account,
        symbol=taker.symbol,
        match_id=match_id,
        taker_order_id=taker.order_id,
        maker_order_id=maker.order_id,
        prevention=taker.prevention,
        price=maker.price,
        quantity=min(taker.leaves, maker.leaves),
        taker_prevented=taker.leaves if expires_taker(taker.prevention) else ZERO,
        maker_prevented=maker.leaves if expires_maker(taker.prevention) else ZERO,
        time_us=time_us,
    )
