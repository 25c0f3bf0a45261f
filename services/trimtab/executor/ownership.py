"""Which shards of rebalance.signals this process owns, and the epoch that proves it."""

from collections.abc import Iterable

from trimtab.domain.errors import FencedError
from trimtab.ports.ledger import Fence, TradingLedger


class Ownership:
    """Epochs of the owned shards; taking one fences every earlier owner off."""

    def __init__(self, ledger: TradingLedger, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._fences: dict[int, Fence] = {}

    async def take(self, shards: Iterable[int]) -> None:
        for shard in shards:
            self._fences[shard] = await self._ledger.own(f"signals/{shard}", self._owner)

    async def drop(self, shards: Iterable[int], _lost: bool = False) -> None:  # noqa: FBT001, FBT002 - the consumer's
        for shard in shards:
            self._fences.pop(shard, None)

    def fence(self, shard: int) -> Fence:
        """Return the proof of ownership. Raise FencedError if the shard is not ours."""
        try:
            return self._fences[shard]
        except KeyError:
            raise FencedError(f"shard {shard} of rebalance.signals belongs to another executor") from None

    @property
    def shards(self) -> tuple[int, ...]:
        return tuple(sorted(self._fences))
