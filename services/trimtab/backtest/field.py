"""Who takes part in a backtest: a portfolio under its own policy, and the same portfolio under others."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.backtest.world import Entrant
from trimtab.documents import canonical, load_document, parse_document
from trimtab.domain.amounts import ONE
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.decision import policy_name
from trimtab.portfolio_file import Document

BASELINES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "calendar": {"kind": "calendar", "cron": "0 0 * * 1"},
        "threshold": {"kind": "threshold", "absolute": "0.05"},
        # No drift ever reaches 1, as no weight that is to be held at all can be off by everything.
        "buy_and_hold": {"kind": "threshold", "absolute": "1"},
    }
)
"""What a policy is held against: every Monday at midnight (UTC); at a drift of 0.05; never."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """An entrant by the name that its result is reported under."""

    name: str
    entrant: Entrant


def contestants(policy: Document, against: Sequence[str]) -> list[Contestant]:
    """Return the portfolio and what it is held against: names of BASELINES, or files of other portfolios.

    The portfolio's own result goes by its policy's name, another file's by its portfolio's; what has a name that is
    taken comes after it with "_2" and so on.

    Raises:
        InvalidValueError: for a name that is neither.
        ConfigurationError: for a file that does not hold.
    """
    found = [(policy_name(parse_document(canonical(policy), 1).policy), policy)]
    for name in against:
        if name in BASELINES:
            found.append((name, _under(policy, BASELINES[name])))
        elif Path(name).is_file():
            other = load_document(Path(name))
            if other.quote != policy.quote:
                raise InvalidValueError(f"{name}: quote", other.quote, f"{policy.quote}, as the policy's")
            found.append((other.portfolio, other))
        else:
            raise InvalidValueError("--against", name, f"{', '.join(BASELINES)}, or a portfolio file")
    taken: set[str] = set()
    return [_contestant(_free(name, taken), document) for name, document in found]


def require_listed(field: Sequence[Contestant], pairs: Collection[str]) -> None:
    """Raise InvalidValueError unless everything that anybody wants to hold has a book on the tape."""
    for each in field:
        quote = each.entrant.quote
        for asset in sorted(each.entrant.weights):
            if asset != quote and f"{asset}/{quote}" not in pairs:
                raise InvalidValueError(f"{each.name}: targets.{asset}", f"{asset}/{quote}", _allowed(pairs))


def varied(document: Document, changes: Mapping[str, Any]) -> Document:
    """Return a portfolio file with other values; keys are paths ("policy.risk_aversion").

    Raises:
        ConfigurationError: if it does not hold so.
    """
    data = json.loads(canonical(document))
    for path, value in changes.items():
        *sections, key = path.split(".")
        section = data
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    return _document(data)


def _under(document: Document, policy: Mapping[str, object]) -> Document:
    return _document(json.loads(canonical(document)) | {"policy": dict(policy)})


def _document(data: Mapping[str, Any]) -> Document:
    text = json.dumps(data)
    parse_document(text, 1)  # what is wrong with it is said in the same words everywhere
    return Document.model_validate_json(text)


def _contestant(name: str, document: Document) -> Contestant:
    own = json.loads(canonical(document)) | {"portfolio": name.replace("_", "-"), "accounts": [], "dry_run": False}
    text = canonical(_document(own))
    portfolio = parse_document(text, 1)
    return Contestant(name, Entrant(portfolio.portfolio_id, text, portfolio.quote, dict(_weights(portfolio))))


def _weights(portfolio: Portfolio) -> Iterator[tuple[str, Decimal]]:
    """Yield what a portfolio begins with: its targets, or while there are none an equal share of everything."""
    allocation = portfolio.allocation
    if allocation is None:
        yield from portfolio.targets
        return
    for asset in allocation.assets:
        yield asset, (ONE - allocation.cash) / len(allocation.assets)
    yield portfolio.quote, allocation.cash


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _allowed(pairs: Collection[str]) -> str:
    return f"what is on the tape: {', '.join(sorted(pairs))}"
