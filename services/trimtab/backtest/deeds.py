"""What owners of portfolios do in a world, when it is due."""

from collections import defaultdict, deque
from collections.abc import Sequence
from decimal import Decimal

from trimtab.backtest.arrival import Arrival
from trimtab.backtest.given import Deed
from trimtab.backtest.trading import Trading
from trimtab.domain.amounts import ZERO


class Deeds:
    """Does what is due. What is to go out and is not there goes as soon as it is: `owed` says how much still has to.

    `moved` has, by name, what really came and went.
    """

    def __init__(self, deeds: Sequence[Deed], trading: Trading) -> None:
        self._coming = deque(deeds)
        self._trading = trading
        self.owed: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
        self.moved: defaultdict[str, list[Arrival]] = defaultdict(list)

    async def do(self, now_us: int) -> None:
        """Do what is due by now."""
        for name, amounts in self.owed.items():
            for asset in [asset for asset, amount in amounts.items() if amount]:
                await self._move(now_us, name, asset, ZERO)
        while self._coming and self._coming[0].time_us <= now_us:
            deed = self._coming.popleft()
            for asset, amount in sorted((deed.funds or {}).items()):
                await self._move(now_us, deed.name, asset, amount)
            if deed.document is not None:
                await self._trading.apply(deed.name, deed.document)
            if deed.halted is not None:
                await self._trading.halt(deed.name, halted=deed.halted)

    async def _move(self, now_us: int, name: str, asset: str, amount: Decimal) -> None:
        wanted = amount - self.owed[name].get(asset, ZERO)
        moved = await self._trading.transfer(name, asset, wanted) if wanted else ZERO
        self.owed[name][asset] = moved - wanted
        if moved:
            self.moved[name].append(Arrival(now_us, asset, moved, self._trading.worth(name, asset)))
