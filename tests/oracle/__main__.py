"""python -m oracle: hold the fast path against the oracle on as many cases as asked for."""

import argparse
import json
import sys
import time
from multiprocessing import Pool

from oracle.compare import CASES_PER_WORLD, Count, answers, compared

DIFFERENCES_SHOWN = 20


def main() -> int:
    options = _options()
    first, worlds = options.first // CASES_PER_WORLD, -(-options.cases // CASES_PER_WORLD)
    asked = ((options.seed, number) for number in range(first, first + worlds))
    count, began = Count(), time.monotonic()
    with Pool(options.processes) as pool:
        for found in pool.imap(_one, asked, chunksize=4):
            count.add(found)
            if count.cases % (CASES_PER_WORLD * 50) == 0:
                _tell(count, began)
    sys.stdout.write(json.dumps(_summary(options, count, time.monotonic() - began), indent=1) + "\n")
    return 1 if count.differences else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="go on from this case of the seed")
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


def _one(asked: tuple[int, int]) -> Count:
    return compared(answers(*asked))


def _tell(count: Count, began: float) -> None:
    rate = count.cases / (time.monotonic() - began)
    told = f"{count.cases} cases, {len(count.differences)} differences, {rate:.0f} a second\n"
    sys.stderr.write(told)
    sys.stderr.flush()


def _summary(options: argparse.Namespace, count: Count, seconds: float) -> dict[str, object]:
    return {
        "seed": options.seed,
        "first": options.first,
        "cases": count.cases,
        "screened": count.screened,
        "decisions": dict(count.decisions.most_common()),
        "plans": dict(count.plans.most_common()),
        "differences": len(count.differences),
        "shown": count.differences[:DIFFERENCES_SHOWN],
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
