"""What a demo run comes to: one document, and whether it holds."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trimtab.demo.measures import Measures, percentile
from trimtab.demo.oracle import Verdict
from trimtab.domain.amounts import ZERO
from trimtab.replay.parity import Parity


@dataclass(frozen=True)
class PortfolioOutcome:
    """One portfolio's largest drift at the start and at the end, and whether a decision at the end would hold."""

    portfolio_id: str
    drift_start: Decimal
    drift_end: Decimal
    within_band: bool
    reason: str


@dataclass(frozen=True)
class Summary:
    """Everything the contract names, and each portfolio's outcome."""

    measures: Measures
    verdict: Verdict
    parity: Parity
    portfolios: tuple[PortfolioOutcome, ...]
    dead_letters: int
    stack_ready_seconds: float = 0.0
    kills: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the summary as the contract has it."""
        measures, verdict = self.measures, self.verdict
        times = list(measures.tick_to_order_ms.values())
        return {
            "frames": measures.frames,
            "signals": measures.signals,
            "orders": measures.orders_by_outcome(),
            "fills": len(measures.fills),
            "venue_trades": verdict.venue_trades,
            "ledger_trades": verdict.ledger_trades,
            "doubled_orders": verdict.doubled_orders,
            "lost_fills": verdict.lost_fills,
            "invented_fills": verdict.invented_fills,
            "repeated_fills": verdict.repeated_fills,
            "ledger_equals_venue": verdict.ledger_equals_venue,
            "differences": list(verdict.differences),
            "max_abs_drift": {
                "start": float(round(max((p.drift_start for p in self.portfolios), default=ZERO), 6)),
                "end": float(round(max((p.drift_end for p in self.portfolios), default=ZERO), 6)),
            },
            "tick_to_order_ms": {
                "p50": percentile(times, 0.50),
                "p99": percentile(times, 0.99),
                "max": max(times, default=None),
                "orders": len(times),
            },
            "stack_ready_seconds": round(self.stack_ready_seconds, 2),
            "dlq_records": self.dead_letters,
            "replay": self.parity.document(),
            "kills": list(self.kills),
            "portfolios": [
                {
                    "portfolio": p.portfolio_id,
                    "max_abs_drift": {"start": float(round(p.drift_start, 6)), "end": float(round(p.drift_end, 6))},
                    "within_band": p.within_band,
                    "reason": p.reason,
                }
                for p in self.portfolios
            ],
        }

    @property
    def holds(self) -> bool:
        """Whether every promise held: nothing doubled, lost or dead, ledger equal to venue, all within their bands, and
        everything decided again came out equal.
        """
        unknown = self.measures.orders_by_outcome()["unknown"]
        settled = self.verdict.holds and self.parity.holds and self.dead_letters == 0 and unknown == 0
        return settled and bool(self.portfolios) and all(p.within_band for p in self.portfolios)
