"""A plan in the making: orders placed one after another, each out of what its account still has."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ZERO, ceil_to, floor_to, quantise
from trimtab.domain.ids import derive
from trimtab.domain.orders import Side
from trimtab.drift.costs import shown
from trimtab.drift.crosses import best_cross
from trimtab.drift.offers import Key, Offer, Places
from trimtab.drift.purse import Purse
from trimtab.drift.reasons import Reason
from trimtab.drift.wants import Want
from trimtab.messages import Deferral, Trade


@dataclass(slots=True)
class _Leg:
    offer: Offer
    quantity: Decimal = ZERO
    depends_on: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class _Option:
    """What one account could do of a want, after which sales of funders; `whole` if that is all of it."""

    offer: Offer
    quantity: Decimal
    whole: bool
    sales: tuple[tuple[Offer, Decimal], ...] = ()


@dataclass(slots=True)
class Draft:
    """Orders by account, symbol and side, and what they leave: in the purses, one an account, and of the wants.

    `funders` names the wants with something extra, in the order in which they are to pay.
    """

    places: Places
    purses: Sequence[Purse]
    wants: dict[str, Want]
    funders: Sequence[str]
    _legs: dict[Key, _Leg] = field(default_factory=dict)

    def cross(self) -> None:
        """Trade what can be traded by one order instead of two."""
        while (found := best_cross(self.places, self.purses, self.wants)) is not None:
            self._place(found.offer, found.quantity)
            steps = found.offer.quote.instrument.step / found.quantity
            found.over.trade(found.spent, found.spent * steps)
            found.under.trade(found.gained, found.gained * steps + max(found.loss, ZERO))
            for want, ended in zip((found.over, found.under), found.ends, strict=True):
                want.done = want.done or ended

    def sell(self, want: Want) -> None:
        """Sell what is left of a correction, where it lies."""
        offers = list(self.places.offers(want.asset, Side.SELL))
        while offers and (option := self._pick(self._sales(want, offers))) is not None:
            offers.remove(option.offer)
            self._trade(option.offer, option.quantity)

    def buy(self, want: Want) -> None:
        """Buy what is left of a correction, where the cash lies, and raise what is lacking."""
        offers = list(self.places.offers(want.asset, Side.BUY))
        while offers and (option := self._payable(want, offers)) is not None:
            offers.remove(option.offer)
            for offer, quantity in (*option.sales, (option.offer, option.quantity)):
                self._trade(offer, quantity)
            want.grain = max(want.grain, self._coarseness(self._legs[option.offer.key].depends_on))

    def trades(self, signal_id: str) -> Iterator[Trade]:
        """Yield the orders as a signal has them: sells, crosses, buys."""
        ids = {key: derive("trade", signal_id, *key) for key in self._legs}
        for leg in sorted(self._legs.values(), key=self._turn):
            rules = leg.offer.quote.instrument
            seen = shown(leg.offer.quote, leg.offer.side, leg.quantity)
            yield Trade(
                trade_id=ids[leg.offer.key],
                venue=rules.venue,
                account=leg.offer.account.name,
                instrument=rules.symbol,
                base=rules.base,
                quote=rules.quote,
                side=leg.offer.side,
                quantity=quantise(leg.quantity),
                decision_price=quantise(leg.offer.quote.mid),
                limit_price=quantise(leg.offer.limit),
                volatility=self.places.covariance.volatility(rules.base, rules.quote),
                depends_on=tuple(ids[key] for key in leg.depends_on),
                depth=seen.depth,
                depth_vwap=seen.vwap,
                depth_worst=seen.worst,
            )

    def deferred(self, cut: Collection[str]) -> Iterator[Deferral]:
        """Yield whatever correction was not carried out to the step, and why; `cut` was larger before its cap."""
        for want in self.wants.values():
            if want.left > 0 and want.left >= want.grain:
                yield Deferral(want.asset, self._obstacle(want))
            elif want.asset in cut:
                yield Deferral(want.asset, Reason.MAX_TRADE_SHARE)

    def _obstacle(self, want: Want) -> Reason:
        offers = list(self.places.offers(want.asset, want.side))
        if not offers:
            return Reason.INSTRUMENT_NOT_TRADABLE
        if not any(offer.fitting(want.left / offer.worth) for offer in offers):
            return Reason.BELOW_MINIMUM_TRADE
        return Reason.INSUFFICIENT_FUNDS

    def _turn(self, leg: _Leg) -> int:
        if leg.offer.quote.instrument.quote != self.places.holdings.quote:
            return 1
        return 0 if leg.offer.side is Side.SELL else 2

    def _coarseness(self, sells: Iterable[Key]) -> Decimal:
        """Return by how much these orders together may bring less than was asked of them: a step of each, by value."""
        offers = (self._legs[key].offer for key in sells)
        return sum((offer.quote.instrument.step * offer.worth for offer in offers), ZERO)

    def _sales(self, want: Want, offers: Iterable[Offer]) -> Iterator[_Option]:
        for offer in offers:
            wanted, there = offer.fitting(want.open / offer.worth), self.purses[offer.rank].holds(want.asset)
            can = wanted if wanted <= there else offer.fitting(there)
            if can:
                yield _Option(offer, can, can == wanted)

    def _pick(self, options: Iterable[_Option]) -> _Option | None:
        """Return the cheapest option that does all, else the one that does most; the preferred account among equals."""
        found = list(options)
        whole = [option for option in found if option.whole]
        if len(whole) == 1:
            return whole[0]  # nothing to compare: what it costs need not be worked out
        if whole:
            return min(whole, key=self._dearness)
        return max(found, key=lambda option: (option.quantity * option.offer.worth, -option.offer.rank), default=None)

    def _dearness(self, option: _Option) -> tuple[Decimal, int]:
        return self.places.cost(option.offer, option.quantity * option.offer.worth), option.offer.rank

    def _payable(self, want: Want, offers: Sequence[Offer]) -> _Option | None:
        option = self._pick(self._purchases(want, offers, raising=False))
        if option is not None and option.whole:
            return option
        return self._pick(self._purchases(want, offers, raising=True))

    def _purchases(self, want: Want, offers: Iterable[Offer], *, raising: bool) -> Iterator[_Option]:
        for offer in offers:
            wanted, cash = offer.fitting(want.open / offer.worth), self.purses[offer.rank].cash
            sales = tuple(self._raised(offer.rank, wanted * offer.spends - cash)) if raising else ()
            cash += sum((quantity * sale.brings for sale, quantity in sales), ZERO)
            payable = cash / offer.spends
            can = wanted if wanted <= payable else offer.fitting(payable)
            if can:
                yield _Option(offer, can, can == wanted, sales)

    def _raised(self, rank: int, lacking: Decimal) -> Iterator[tuple[Offer, Decimal]]:
        """Yield the sales of funders that bring what an account is lacking, as far as they may and can be sold."""
        for want in (self.wants[asset] for asset in self.funders):
            offer = self.places.offer(rank, want.asset, self.places.holdings.quote, Side.SELL)
            if offer is None or lacking <= 0:
                continue
            step, there = offer.quote.instrument.step, self._legs.get(offer.key)
            most = min(self.purses[rank].holds(want.asset), min(want.left + want.extra, want.cap) / offer.worth)
            quantity = min(ceil_to(lacking / offer.brings, step), floor_to(most, step))
            if quantity > 0 and quantity + (there.quantity if there else ZERO) >= offer.smallest:
                lacking -= quantity * offer.brings
                yield offer, quantity

    def _trade(self, offer: Offer, quantity: Decimal) -> None:
        """Place an order against the quote currency and note it with the want."""
        self._place(offer, quantity)
        step = offer.quote.instrument.step
        self.wants[offer.quote.instrument.base].trade(quantity * offer.worth, step * offer.worth)

    def _place(self, offer: Offer, quantity: Decimal) -> None:
        """Put an order down, or enlarge it, and take what it spends out of its account's purse."""
        rules, purse, cash = offer.quote.instrument, self.purses[offer.rank], self.places.holdings.quote
        leg = self._legs.setdefault(offer.key, _Leg(offer))
        leg.quantity += quantity
        if offer.side is Side.SELL:
            purse.take(rules.base, quantity)
            if rules.quote == cash:
                purse.proceeds.append((offer.key, quantity * offer.brings))
        elif rules.quote == cash:
            leg.depends_on = purse.draw(quantity * offer.spends)
        else:
            purse.take(rules.quote, quantity * offer.spends)
