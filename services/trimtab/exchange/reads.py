"""What look-ups see of accounts: the truth, or for a while what was true a moment ago."""

from dataclasses import replace

from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.history import History


class Reads:
    """An engine's accounts as questions about them are answered.

    Stale, they are as they were when they were frozen, like a copy that lags behind: what was accepted, filled or moved
    since is not there yet. What is done to orders works on the truth at all times.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._history: History | None = None
        self._accounts: dict[str, Account] = {}

    @property
    def history(self) -> History:
        """Orders and executions, for questions only."""
        return self._engine.history if self._history is None else self._history

    def account(self, name: str) -> Account:
        """An account's balances and terms, for questions only. One that was opened since is as it is."""
        return self._accounts.get(name) or self._engine.accounts.by_name[name]

    def freeze(self) -> None:
        """Stand still from now on."""
        self._history = self._engine.history.copied()
        self._accounts = {name: _copied(account) for name, account in self._engine.accounts.by_name.items()}

    def thaw(self) -> None:
        """See everything again."""
        self._history = None
        self._accounts = {}


def _copied(account: Account) -> Account:
    return replace(account, balances={asset: replace(balance) for asset, balance in account.balances.items()})
