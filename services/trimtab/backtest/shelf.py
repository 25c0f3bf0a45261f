"""Outcomes kept in a folder, so that a sweep that was interrupted goes on from what it had."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from trimtab.backtest.bill import Bill
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.score import Score
from trimtab.domain.ids import derive

_CHUNK = 1 << 20


def fingerprint(tape: Iterable[Path], *terms: object) -> str:
    """Return a hash of files (of folders, what lies in them), byte for byte, and of everything else that matters."""
    files = (file for path in sorted(tape) for file in (sorted(path.iterdir()) if path.is_dir() else [path]))
    digests = [f"{file.name} {_digest(file)}" for file in files if file.is_file()]
    return derive("backtest", *digests, *terms)


class Shelf:
    """A file for each outcome, named by a hash of the run and the entrant's document."""

    def __init__(self, folder: Path, run: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._run = run

    def take(self, document: str) -> Outcome | None:
        """Return what is kept of this document in this run; None if nothing is."""
        path = self._path(document)
        return _outcome(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def put(self, document: str, outcome: Outcome) -> None:
        """Keep an outcome; whoever looks meanwhile finds it whole or not at all."""
        path = self._path(document)
        half = path.with_suffix(f".{os.getpid()}")
        half.write_text(json.dumps(_kept(outcome)), encoding="utf-8")
        half.replace(path)

    def _path(self, document: str) -> Path:
        return self._folder / f"{derive('outcome', self._run, document)}.json"


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _kept(outcome: Outcome) -> dict[str, Any]:
    bill = {each.name: getattr(outcome.bill, each.name) for each in fields(Bill) if not each.name.startswith("_")}
    return {
        "name": outcome.name,
        "bill": {name: str(value) if isinstance(value, Decimal) else value for name, value in bill.items()},
        "score": asdict(outcome.score),
        "holdings": {asset: str(amount) for asset, amount in outcome.holdings.items()},
    }


def _outcome(kept: Mapping[str, Any]) -> Outcome:
    sums: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in kept["bill"].items()
    }
    series: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept["score"].items()
    }
    holdings = {asset: Decimal(text) for asset, text in kept["holdings"].items()}
    return Outcome(kept["name"], Bill(**sums), Score(**series), holdings)
