"""The portfolios of a demo: read from a folder, those whose assets the market has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab.documents import canonical, load_document, portfolio_of
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.portfolio import Portfolio

PORTFOLIOS = Path(__file__).with_name("portfolios")


@dataclass(frozen=True)
class Cast:
    """Portfolios, and their documents as they are applied, by portfolio id."""

    portfolios: tuple[Portfolio, ...]
    documents: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, bases: frozenset[str]) -> "Cast":
        """Read `*.yaml` of a folder; `bases` are the assets that have a price.

        Raises:
            ConfigurationError: if a file does not hold.
            InvalidValueError: if none is left, or one names no account.
        """
        found, documents = [], {}
        for path in sorted(folder.glob("*.yaml")):
            document = load_document(path)
            portfolio = portfolio_of(document, 1)
            if not portfolio.accounts:
                raise InvalidValueError(f"{path}: accounts", [], "the venue account that the demo opens for it")
            if {asset for asset, _ in portfolio.targets} - {portfolio.quote} <= bases:
                found.append(portfolio)
                documents[portfolio.portfolio_id] = canonical(document)
        if not found:
            raise InvalidValueError("--portfolios", str(folder), f"*.yaml files whose assets are among {sorted(bases)}")
        return cls(tuple(found), documents)

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

    @property
    def receiver(self) -> Portfolio:
        """Return the portfolio that gets a deposit in the middle: the first that has an account to itself."""
        alone = [p for p in self.portfolios if len(self.sharing(p.accounts[0])) == 1]
        return (alone or list(self.portfolios))[0]
