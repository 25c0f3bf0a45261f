"""What a backtest runs on: a market from files, and how time passes on it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from trimtab.adapters.archive.recorded import is_archive, open_archive
from trimtab.backtest.closes import Closes
from trimtab.backtest.errors import UnplayableError
from trimtab.backtest.estimates import on_bars
from trimtab.backtest.fees import Fees
from trimtab.backtest.frame_market import FrameMarket, open_frames
from trimtab.backtest.shown import Shown
from trimtab.backtest.terms import Pace
from trimtab.exchange.bars import survey
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import Market, MarketEvent
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import by_kind, open_tapes
from trimtab.settings import Settings

T = TypeVar("T")
_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
# Between closes a book stands there anew so often. What stands at its best price is what three seconds trade (the depth
# model), so taking all of it each time is three quarters of what is traded at all, and no more.
_BEAT_US = 4_000_000
_FRAME_US, _FRAMES_SAVED = 10_000, 5  # as ingest.frame_interval_ms and frames_saved_max
_RECORDED_BEAT_US = 100_000
_FULL_US = 1_000_000  # as ingest.full_frame_interval_ms
_LOOKS_MAX = 20_000  # at the equity of a recorded span: what is kept of them stays small
_LATENCY_US = 20_000  # from a frame to an order at the venue; docs/performance.md has what it takes live


@dataclass(frozen=True, slots=True)
class Tape:
    """A market that ends. `bar_seconds` is how long its bars are, None if it has none."""

    market: Market
    end_us: int
    pace: Pace
    bar_seconds: int | None

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""
        return self.market.instruments

    def shown(self, fees: Fees) -> Shown:
        """Return the market's books before the first event."""
        if isinstance(self.market, FrameMarket):
            return Shown(self.instruments, fees, _FULL_US)
        return Shown(self.instruments, fees)

    def narrowed(self, assets: Collection[str]) -> "Tape":
        """Return it without closes and frames of what is neither held nor pays for it; all else is played whole.

        Of frames, pairs that never have a book are left out, and so is what comes before all others have one.

        Raises:
            UnplayableError: if they never have one at the same time.
            InvalidValueError: if an archive is damaged.
        """
        if isinstance(self.market, FrameMarket):
            return replace(self, market=self.market.of(None, assets).begun())
        if not isinstance(self.market, Closes):
            return self
        files = tuple(file for file in self.market.files if {file.base, file.quote} <= {*assets})
        return replace(self, market=replace(self.market, files=files))

    def settings(self, settings: Settings) -> Settings:
        """Return the services' settings as they have to be on this tape."""
        if self.bar_seconds is None:
            return settings
        return settings.model_copy(update={"drift": on_bars(settings.drift, self.bar_seconds)})

    def events(self) -> Iterator[MarketEvent]:
        """The market's events.

        Raises:
            UnplayableError: if the tape turns out to be damaged.
        """
        events = self.market.events()
        while True:
            event = _played(lambda: next(events, None))
            if event is None:
                return
            yield event


def open_tape(paths: Sequence[Path], *, ways: bool = False, costless: bool = False, seed: int = 0) -> Tape:
    """Open files or folders. Bars are books at their closes, or, with `ways`, the whole way through each bar.

    `costless` bars (their closes) have bottomless books without a spread; `seed` is that of the ways.

    Raises:
        UnplayableError: if they cannot be played, or not together.
        InvalidValueError: if an archive is damaged.
        UnreachableError: if an archive holds no full frame.
    """
    return _played(lambda: _opened(paths, ways=ways, costless=costless, seed=seed))


def on_frames(market: FrameMarket) -> Tape:
    """Return a tape of recorded frames, each of which is a moment, as for the live worker."""
    looks_us = max(_SECOND_US, (market.end_us - market.start_us) // _LOOKS_MAX)
    pace = Pace(1, _RECORDED_BEAT_US, looks_us, stands=False, latency_us=_LATENCY_US)
    return Tape(market, market.end_us, pace, None)


def _archived(path: Path, *, alone: bool, changed: bool) -> Tape:
    """Open an archive; it is what it is, by itself (not `changed` by what only bars can be told)."""
    if changed or not alone:
        raise TapeError(f"{path}: an archive; needed: nothing beside it, neither --costless nor --ways")
    market = open_frames(open_archive(path))
    if len(market.venues) != 1:
        raise TapeError(f"{path}: instruments of {', '.join(market.venues) or 'no venue'}; needed: of one venue")
    return on_frames(market)


def _opened(paths: Sequence[Path], *, ways: bool, costless: bool, seed: int) -> Tape:
    archive = next(filter(is_archive, paths), None)
    if archive is not None:
        return _archived(archive, alone=len(paths) == 1, changed=ways or costless)
    found = by_kind(paths)
    if costless and (ways or {*found} != {"bars"}):
        raise TapeError("without costs: needed: bars, and nothing but their closes")
    if {*found} == {"bars"}:
        closes = Closes(tuple(survey(path) for path in found["bars"]), costless)
        length_us = closes.length_us
        pace = Pace(1, _BEAT_US, max(length_us, _HOUR_US), stands=True)
        if not ways:
            return Tape(closes, closes.end_us, pace, length_us // _SECOND_US)
        pace = replace(pace, frame_us=_SECOND_US, latency_us=_LATENCY_US)
        return Tape(open_tapes(paths, seed=seed), closes.end_us, pace, length_us // _SECOND_US)
    market = open_tapes(paths, seed=seed)
    live = {"latency_us": _LATENCY_US, "burst": _FRAMES_SAVED, "burst_us": _FRAME_US, "looks": 1}
    pace = Pace(1, _RECORDED_BEAT_US, _SECOND_US, stands=False, **live)
    return Tape(market, market.end_us, pace, None)


def _played(play: Callable[[], T]) -> T:
    try:
        return play()
    except TapeError as error:
        raise UnplayableError(str(error)) from error
