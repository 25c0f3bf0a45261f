"""The portfolios of a demo: read from a folder, those whose assets the market has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trimtab.configuration import ConfigurationError, Problem
from trimtab.demo.money import deposits, holdings
from trimtab.documents import canonical, load_document, portfolio_of
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.portfolio import Portfolio
from trimtab.portfolio_file import ComputedTargets, Document

PORTFOLIOS = Path(__file__).with_name("portfolios")
QUOTE = "USDT"  # what every market of a demo is priced in
# Of every portfolio at the start, in quote currency: so much that a part of its orders is larger than what meets them.
EQUITY = Decimal(500_000)
RECORDED_EQUITY = Decimal(100_000)  # a short recording has to be enough for all of it


def read_folder(folder: Path) -> dict[Path, Document]:
    """Return the portfolios of a folder, `*.yaml`, by file.

    Raises:
        ConfigurationError: with every problem of the first file that does not hold, or that no demo can trade.
        InvalidValueError: if there is no file.

    """
    documents = {path: load_document(path) for path in sorted(folder.glob("*.yaml"))}
    if not documents:
        raise InvalidValueError("--portfolios", str(folder), "a folder with at least one portfolio as *.yaml")
    names: dict[str, Path] = {}
    for path, document in documents.items():
        problems = list(unfit(document))
        if document.portfolio in names:
            problems.append(
                Problem("portfolio", document.portfolio, f"another name than in {names[document.portfolio]}")
            )
        if problems:
            raise ConfigurationError(str(path), problems)
        names[document.portfolio] = path
    return documents


def unfit(document: Document) -> Iterator[Problem]:
    """Yield what a portfolio file may say in general, and not for a demo."""
    if not document.accounts:
        yield Problem("accounts", [], "the venue account that the demo opens for it")
    if isinstance(document.targets, ComputedTargets):
        yield Problem(
            "targets.method", document.targets.method, "weights by asset: the demo measures its drifts by them"
        )
    if document.quote != QUOTE:
        yield Problem("quote", document.quote, f"{QUOTE}, which the demo's markets are priced in")


@dataclass(frozen=True)
class Cast:
    """Portfolios, their documents as they are applied, by portfolio id, and what each is worth at the start.

    They begin with their money in the wrong places, or `on_target`.
    """

    portfolios: tuple[Portfolio, ...]
    documents: Mapping[str, str]
    equity: Decimal
    on_target: bool = False

    @classmethod
    def of(
        cls,
        documents: Mapping[Path, Document],
        bases: frozenset[str],
        equity: Decimal = EQUITY,
        *,
        on_target: bool = False,
    ) -> "Cast":
        """Take those portfolios whose assets are among `bases`, which have a price.

        Raises:
            InvalidValueError: if none is left.

        """
        found, kept = [], {}
        for document in documents.values():
            if document.assets - {document.quote} <= bases:
                portfolio = portfolio_of(document, 1)
                found.append(portfolio)
                kept[portfolio.portfolio_id] = canonical(document)
        if not found:
            wanted = sorted({asset for document in documents.values() for asset in document.assets} - {QUOTE})
            raise InvalidValueError("--portfolios", ", ".join(wanted), f"assets of the market: {sorted(bases)}")
        return cls(tuple(found), kept, equity, on_target)

    @property
    def instruments(self) -> list[str]:
        """Return what has to be traded, sorted."""
        pairs = {(asset, p.quote) for p in self.portfolios for asset, _ in p.targets if asset != p.quote}
        return sorted(f"{base}/{quote}" for base, quote in pairs)

    @property
    def accounts(self) -> list[str]:
        """Return the venue accounts, sorted."""
        return sorted({portfolio.accounts[0] for portfolio in self.portfolios})

    @property
    def fee_assets(self) -> dict[str, str]:
        """Return the accounts that pay their fees in BNB: those of a portfolio that holds it."""
        return {p.accounts[0]: "BNB" for p in self.portfolios if "BNB" in dict(p.targets)}

    def sharing(self, account: str) -> list[Portfolio]:
        """Return the portfolios of an account."""
        return [portfolio for portfolio in self.portfolios if portfolio.accounts[0] == account]

    def holdings(self, portfolio: Portfolio, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what a portfolio begins with, by asset; `prices` are in its quote currency."""
        return holdings(portfolio, prices, self.equity, on_target=self.on_target)

    def deposits(self, prices: Mapping[str, Decimal]) -> dict[str, dict[str, Decimal]]:
        """Return what each venue account receives at the start."""
        return deposits(self.portfolios, prices, self.equity, on_target=self.on_target)

    @property
    def receiver(self) -> Portfolio:
        """Return the portfolio that gets a deposit in the middle: the first that has an account to itself."""
        alone = [p for p in self.portfolios if len(self.sharing(p.accounts[0])) == 1]
        return (alone or list(self.portfolios))[0]
