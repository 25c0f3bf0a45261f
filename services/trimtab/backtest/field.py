"""Who takes part in a backtest: a portfolio under its own policy, and the same portfolio under others."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.backtest.entrant import Entrant, Walk
from trimtab.backtest.variants import Variant, document_of
from trimtab.configuration import NAME
from trimtab.documents import canonical, load_document, parse_document
from trimtab.domain.amounts import ONE
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.ids import derive
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


WALKER = "walk_forward"


@dataclass(frozen=True, slots=True)
class Contestant:
    """An entrant by the name that its result is reported under."""

    name: str
    entrant: Entrant


def contestants(policy: Document, against: Sequence[str], variants: Sequence[Variant] = ()) -> list[Contestant]:
    """Return the portfolio, what it is held against (names of BASELINES, or files of other portfolios), its variants.

    The portfolio's own result goes by its policy's name, another file's by its portfolio's, a variant's by what is
    varied; what has a name that is taken comes after it with "_2" and so on.

    Raises:
        InvalidValueError: for a name that is neither.
        ConfigurationError: for a file that does not hold, or a variant that would not.
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
    found += [(str(variant), variant.of(policy)) for variant in variants]
    taken: set[str] = set()
    return [_contestant(_free(name, taken), document) for name, document in found]


def walking(policy: Document, variants: Sequence[Contestant], every_us: int) -> tuple[Contestant, Walk]:
    """Return who changes to the best of the variants so far, every so often; it begins as the portfolio itself."""
    walker = _contestant(WALKER, policy)
    name = walker.entrant.name
    documents = {each.entrant.name: named(name, json.loads(each.entrant.document)) for each in variants}
    return walker, Walk(name, documents, every_us)


def held(field: Sequence[Contestant]) -> set[str]:
    """Return the assets that anybody wants to hold, and what pays for them."""
    return {asset for each in field for asset in (*each.entrant.weights, each.entrant.quote)}


def require_listed(field: Sequence[Contestant], pairs: Collection[str]) -> None:
    """Raise InvalidValueError unless everything that anybody wants to hold has a book on the tape."""
    for each in field:
        quote = each.entrant.quote
        for asset in sorted(each.entrant.weights):
            if asset != quote and f"{asset}/{quote}" not in pairs:
                raise InvalidValueError(f"{each.name}: targets.{asset}", f"{asset}/{quote}", _allowed(pairs))


def _under(document: Document, policy: Mapping[str, object]) -> Document:
    return document_of(json.loads(canonical(document)) | {"policy": dict(policy)})


def entrant(portfolio_id: str, data: Mapping[str, Any]) -> Entrant:
    """Return who takes part by this id, on target, with a portfolio file's data.

    Raises:
        ConfigurationError: if it does not hold.
    """
    text = named(portfolio_id, data)
    portfolio = parse_document(text, 1)
    return Entrant(portfolio.portfolio_id, text, portfolio.quote, dict(_weights(portfolio)))


def _contestant(name: str, document: Document) -> Contestant:
    return Contestant(name, entrant(_id(name), json.loads(canonical(document))))


def named(portfolio_id: str, data: Mapping[str, Any]) -> str:
    """Return a document under this id, with the account of that name alone, trading for real."""
    own = {"portfolio": portfolio_id, "accounts": [], "dry_run": False}
    return canonical(document_of({**data, **own}))


def _id(name: str) -> str:
    """Return a portfolio id that nobody else has."""
    plain = name.replace("_", "-")
    return plain if re.match(NAME, plain) else f"v-{derive('entrant', name)}"


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
