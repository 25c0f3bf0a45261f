"""From corrections to orders: `drift.planner` from its words, all of its six steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.funds import Stand, funded
from oracle.offers import Key, Offer, Stall, up
from oracle.purses import NOTHING, Purse, Want
from trimtab.domain.orders import Side


@dataclass
class Leg:
    """An order in the making."""

    offer: Offer
    quantity: Fraction = NOTHING
    depends_on: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Orders as a signal has them, and what was not carried out, asset by asset, with the reason."""

    legs: tuple[Leg, ...]
    deferred: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Return why it holds, if there are no orders."""
        return self.deferred[0][1] if self.deferred else "below_minimum_trade"

    @property
    def detail(self) -> str:
        return ", ".join(f"{asset}: {reason}" for asset, reason in self.deferred)


@dataclass(frozen=True)
class Cross:
    """One order instead of two; `spent` and `gained` are values of all of it."""

    offer: Offer
    over: Want
    under: Want
    quantity: Fraction
    spent: Fraction
    gained: Fraction
    ends: tuple[bool, bool]
    saving: Fraction


@dataclass
class Task:
    """Everything that a plan stands on."""

    stall: Stall
    equity: Fraction
    surplus: Fraction  # cash by value that the portfolio has too much of
    corrections: Sequence[tuple[str, Fraction]]
    stands: Sequence[Stand]
    room: Sequence[str]
    share: Fraction


@dataclass
class Work:
    """A plan on its way."""

    stall: Stall
    purses: list[Purse]
    wants: dict[str, Want]
    funders: list[str]
    legs: dict[Key, Leg] = field(default_factory=dict)


def planned(task: Task) -> Plan:
    """Return the plan."""
    capped = [(asset, max(min(change, task.share), -task.share)) for asset, change in task.corrections]
    purses = _purses(task)
    places = {stand.asset: i for i, stand in enumerate(task.stands)}
    changes = [NOTHING] * len(task.stands)
    for asset, change in capped:
        changes[places[asset]] = change
    cash = sum((purse.cash for purse in purses), NOTHING) / task.equity
    grown, extra = funded(task.stands, changes, [places[name] for name in task.room], cash)
    wants = {}
    for asset, change in capped:
        now = grown[places[asset]] if change > 0 else change
        side = Side.BUY if now > 0 else Side.SELL
        wants[asset] = Want(asset, side, task.share * task.equity, left=abs(now) * task.equity)
    for i, amount in extra:
        name = task.stands[i].asset
        wants.setdefault(name, Want(name, Side.SELL, task.share * task.equity)).extra = amount * task.equity
    work = Work(task.stall, purses, wants, [task.stands[i].asset for i, _ in extra])
    _crosses(work)
    for asset, change in capped:
        if change < 0:
            _sell(work, wants[asset])
    for asset, _ in capped:
        if wants[asset].side is Side.BUY:
            _buy(work, wants[asset])
    cut = {asset for (asset, change), (_, kept) in zip(task.corrections, capped, strict=True) if change != kept}
    return Plan(
        tuple(sorted(work.legs.values(), key=lambda leg: leg.offer.turn)),
        tuple(_deferred(work, cut)),
        tuple(work.funders),
    )


def _purses(task: Task) -> list[Purse]:
    surplus, found = task.surplus, []
    for account in task.stall.accounts:
        cash = max(account.available.get(task.stall.cash, NOTHING), NOTHING)
        spare = min(cash, surplus)
        surplus -= spare
        found.append(Purse(dict(account.available), spare, cash - spare))
    return found


def _crosses(work: Work) -> None:
    while found := list(_possible(work)):
        best = min(
            found,
            key=lambda c: (not all(c.ends), -c.saving, c.offer.rank, c.offer.key[1], c.offer.side is Side.SELL),
        )
        _place(work, best.offer, best.quantity)
        step, lost = best.offer.step / best.quantity, max(best.spent - best.gained, NOTHING)
        best.over.traded(best.spent, step * best.spent)
        best.under.traded(best.gained, step * best.gained + lost)
        best.over.closed |= best.ends[0]
        best.under.closed |= best.ends[1]


def _possible(work: Work) -> Iterator[Cross]:
    for rank in range(len(work.purses)):
        for over in work.wants.values():
            for under in work.wants.values():
                if over.side is Side.SELL and over.open + over.extra > 0 and under.side is Side.BUY and under.open > 0:
                    for base, quote, side in ((over, under, Side.SELL), (under, over, Side.BUY)):
                        offer = work.stall.offer(rank, base.asset, quote.asset, side)
                        found = _cross(work, offer, over, under) if offer is not None else None
                        if found is not None:
                            yield found


def _cross(work: Work, offer: Offer, over: Want, under: Want) -> Cross | None:
    sell = work.stall.offer(offer.rank, over.asset, work.stall.cash, Side.SELL)
    buy = work.stall.offer(offer.rank, under.asset, work.stall.cash, Side.BUY)
    if sell is None or buy is None:
        return None
    price = offer.mid * (1 + offer.fee * offer.side.sign)  # what one unit of base moves of the other, fee included
    spent, gained = (sell.worth, price * buy.worth) if offer.side is Side.SELL else (price * sell.worth, buy.worth)
    most = (
        (over.open + over.extra) / spent,
        under.open / gained,
        work.purses[offer.rank].holds(over.asset) / offer.spends,
    )
    quantity = offer.fits(min(most))
    if not quantity:
        return None
    spent, gained = spent * quantity, gained * quantity
    lost, value = spent - gained, quantity * offer.worth
    ends = (
        not sell.fits((over.open - spent) / sell.worth),
        not buy.fits((under.open - gained - max(lost, NOTHING)) / buy.worth),
    )
    # the book's own cost has the fee once, and what is lost has it too
    saving = value * (sell.cost(value) + buy.cost(value)) - value * (offer.cost(value) - offer.fee) - lost
    return Cross(offer, over, under, quantity, spent, gained, ends, saving) if any(ends) and saving >= 0 else None


def _sell(work: Work, want: Want) -> None:
    offers = work.stall.offers(want.asset, Side.SELL)
    while offers:
        options = []
        for offer in offers:
            wanted = offer.fits(want.open / offer.worth)
            can = offer.fits(min(wanted, work.purses[offer.rank].holds(want.asset)))
            options.append((offer, can, can == wanted))
        offer, quantity = _chosen(options)
        if not quantity:
            return
        offers = [other for other in offers if other is not offer]
        _direct(work, offer, quantity)


def _chosen(options: Sequence[tuple[Offer, Fraction, bool]]) -> tuple[Offer, Fraction]:
    """Return the cheapest that does all, else what does most by value; the first of equals; zero if none does any."""
    whole = [
        (offer.cost(can * offer.worth), offer.rank, offer, can) for offer, can, is_all in options if can and is_all
    ]
    if whole:
        return min(whole, key=lambda option: option[:2])[2:]
    return min(((-can * offer.worth, offer.rank, offer, can) for offer, can, _ in options), key=lambda o: o[:2])[2:]


def _buy(work: Work, want: Want) -> None:
    offers = work.stall.offers(want.asset, Side.BUY)
    while offers:
        plain = [_payable(work, want, offer, []) for offer in offers]
        raised = {offer.rank: _raised(work, want, offer) for offer in offers}
        if any(can and whole for _, can, whole in plain):
            offer, quantity = _chosen(plain)
            sales = []
        else:
            offer, quantity = _chosen([_payable(work, want, offer, raised[offer.rank]) for offer in offers])
            sales = raised[offer.rank]
        if not quantity:
            return
        offers = [other for other in offers if other is not offer]
        for sale, amount in sales:
            _direct(work, sale, amount)
        _direct(work, offer, quantity)
        paid_from = [work.legs[key].offer for key in work.legs[offer.key].depends_on]
        want.grain = max(want.grain, sum((sale.step * sale.worth for sale in paid_from), NOTHING))


def _payable(
    work: Work, want: Want, offer: Offer, sales: Sequence[tuple[Offer, Fraction]]
) -> tuple[Offer, Fraction, bool]:
    cash = work.purses[offer.rank].cash + sum((amount * sale.brings for sale, amount in sales), NOTHING)
    wanted = offer.fits(want.open / offer.worth)
    can = offer.fits(min(wanted, cash / offer.spends))
    return offer, can, can == wanted


def _raised(work: Work, want: Want, offer: Offer) -> list[tuple[Offer, Fraction]]:
    """Return the sells of funders that bring what the account lacks."""
    purse, found = work.purses[offer.rank], []
    lacking = offer.fits(want.open / offer.worth) * offer.spends - purse.cash
    for funder in (work.wants[name] for name in work.funders):
        sale = work.stall.offer(offer.rank, funder.asset, work.stall.cash, Side.SELL)
        if sale is None or lacking <= 0:
            continue
        most = min(purse.holds(funder.asset), min(funder.left + funder.extra, funder.cap) / sale.worth)
        quantity = min(up(lacking / sale.brings, sale.step), most // sale.step * sale.step)
        there = work.legs[sale.key].quantity if sale.key in work.legs else NOTHING
        if quantity > 0 and quantity + there >= sale.smallest:
            found.append((sale, quantity))
            lacking -= quantity * sale.brings
    return found


def _direct(work: Work, offer: Offer, quantity: Fraction) -> None:
    _place(work, offer, quantity)
    work.wants[offer.base].traded(quantity * offer.worth, offer.step * offer.worth)


def _place(work: Work, offer: Offer, quantity: Fraction) -> None:
    purse, leg = work.purses[offer.rank], work.legs.setdefault(offer.key, Leg(offer))
    leg.quantity += quantity
    if offer.side is Side.BUY and offer.quote == work.stall.cash:
        leg.depends_on = purse.draw(quantity * offer.spends)
        return
    spent = offer.base if offer.side is Side.SELL else offer.quote
    purse.held[spent] -= quantity * offer.spends
    if offer.side is Side.SELL and offer.quote == work.stall.cash:
        purse.proceeds.append([offer.key, quantity * offer.brings])


def _deferred(work: Work, cut: set[str]) -> Iterator[tuple[str, str]]:
    for want in work.wants.values():
        if want.left > 0 and want.left >= want.grain:
            offers = work.stall.offers(want.asset, want.side)
            if not offers:
                yield want.asset, "instrument_not_tradable"
            elif any(offer.fits(want.left / offer.worth) for offer in offers):
                yield want.asset, "insufficient_funds"
            else:
                yield want.asset, "below_minimum_trade"
        elif want.asset in cut:
            yield want.asset, "max_trade_share"
