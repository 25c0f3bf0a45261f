"""How much one asset moves: exponentially weighted, and no single return counts for more than it may."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO
from trimtab.drift.memory import Memory

# Past so many standard deviations a return counts as so many: bounded influence (Muler & Yohai 2008).
CLIP = Decimal(5)
# A standard deviation of fewer points is no measure to clip by.
CLIP_AFTER = 10


@dataclass(slots=True)
class Variability:
    """Variance per year, and its long-run level, of so many points. Runs under the caller's decimal context."""

    variance: Decimal = ZERO
    long_run: Decimal = ZERO
    count: int = 0

    def learn(
        self, rate: Decimal, memory: Memory, long_memory: Memory, *, points: int = 1, stretch: Decimal = ONE
    ) -> Decimal:
        """Take a log return over the root of its years; return it in standard deviations, clipped.

        It stands for so many points; its square is stretched to make up for points that stood still before.
        """
        if self.variance and self.count >= CLIP_AFTER:
            bound = CLIP * self.variance.sqrt()
            rate = max(-bound, min(rate, bound))
        self.count += points
        square = rate * rate * stretch
        self.variance += memory.weight(self.count, points) * (square - self.variance)
        self.long_run += long_memory.weight(self.count, points) * (square - self.long_run)
        return rate / self.variance.sqrt() if self.variance else ZERO
