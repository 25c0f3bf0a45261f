"""One drawing as SVG that stands inside a page: it takes the page's colours and shows texts on hover."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 980.0
_MARGINS = {"right": 14.0, "top": 10.0, "bottom": 26.0}
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
# Drawn with a colour that nothing else has; in the page it is the variable, so that light and dark are one drawing.
TOKENS: Mapping[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "band": "#040404",
    "buy": "#050505",
    "sell": "#060606",
    **{f"s{number}": f"#0a000{number}" for number in range(6)},
    **{f"c{number}": f"#0b000{number}" for number in range(5)},
}
DASHES: Sequence[Any] = ("-", (0, (6, 2)), (0, (2, 2)), (0, (7, 2, 1.5, 2)), (0, (1, 1.5)), (0, (10, 3)))
"""Lines differ in more than colour."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that shows a text on hover: edges in a plot's own coordinates, None for the plot's."""

    axes: Any
    left: float
    right: float
    text: str
    bottom: float | None = None
    top: float | None = None


@dataclass(slots=True)
class Chart:
    """`name` keeps the ids of several drawings in a page apart; `label` says what is drawn to who cannot see it.
    Of its width so many points at the `left` are for the axis.
    """

    name: str
    label: str
    heights: Sequence[float]
    spots: list[Spot] = field(default_factory=list)
    texts: dict[str, Sequence[str]] = field(default_factory=dict)
    left: float = 74.0
    figure: Any = None
    axes: list[Any] = field(default_factory=list)

    @contextmanager
    def drawing(self) -> Iterator[list[Any]]:
        """Yield the plots, one below the other with one time axis; what a user set up for matplotlib plays no part."""
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_style(self.name))
            inner = sum(self.heights)
            total = inner + _MARGINS["top"] + _MARGINS["bottom"]
            self.figure = Figure(figsize=(WIDTH / 72, total / 72), dpi=72)
            FigureCanvasSVG(self.figure)
            grid = self.figure.subplots(
                len(self.heights), 1, sharex=True, squeeze=False, height_ratios=list(self.heights)
            )
            self.axes = [row[0] for row in grid]
            self.figure.subplots_adjust(
                left=self.left / WIDTH,
                right=1 - _MARGINS["right"] / WIDTH,
                top=1 - _MARGINS["top"] / total,
                bottom=_MARGINS["bottom"] / total,
                hspace=0.16 if len(self.heights) > 1 else 0,
            )
            yield self.axes

    def svg(self) -> str:
        """Return the drawing; call it while `drawing` lasts."""
        stream = io.StringIO()
        self.figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        ET.register_namespace("", _SVG)
        ET.register_namespace("xlink", _XLINK)
        root = ET.fromstring(stream.getvalue())  # noqa: S314 - what was drawn here a line above
        for each in root.findall(f"{{{_SVG}}}metadata"):
            root.remove(each)
        for gid, texts in self.texts.items():
            uses = root.findall(f".//{{{_SVG}}}g[@id='{gid}']//{{{_SVG}}}use")
            for use, text in zip(uses, texts, strict=True):
                ET.SubElement(use, f"{{{_SVG}}}title").text = text
        self._add_spots(root)
        _clean(root, self.name)
        root.attrib.update({"role": "img", "aria-label": self.label})
        for key in ("width", "height"):
            root.attrib.pop(key, None)
        return _recoloured(ET.tostring(root, encoding="unicode"))

    def _add_spots(self, root: ET.Element) -> None:
        height = self.figure.get_figheight() * 72
        group = ET.Element(f"{{{_SVG}}}g", {"class": "spots"})
        for spot in self.spots:
            box = spot.axes.get_window_extent()
            left, right = (spot.axes.transData.transform((x, 0))[0] for x in (spot.left, spot.right))
            low, high = (
                edge if value is None else spot.axes.transData.transform((0, value))[1]
                for value, edge in ((spot.bottom, box.y0), (spot.top, box.y1))
            )
            left, right = max(left, box.x0), min(right, box.x1)
            shape = {"x": left, "y": height - high, "width": max(right - left, 0.5), "height": max(high - low, 0.5)}
            rect = ET.SubElement(group, f"{{{_SVG}}}rect", {key: f"{number:.1f}" for key, number in shape.items()})
            ET.SubElement(rect, f"{{{_SVG}}}title").text = spot.text
        marks = [each for each in root.iter() if each.get("id") in self.texts]
        root.append(group)
        parents = {child: parent for parent in root.iter() for child in parent}
        for mark in marks:  # above the spots, or nobody could hover over them
            parents[mark].remove(mark)
            root.append(mark)


def _style(name: str) -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 11,
        "axes.edgecolor": TOKENS["grid"],
        "axes.labelcolor": TOKENS["muted"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": TOKENS["grid"],
        "grid.linewidth": 0.7,
        "xtick.color": TOKENS["grid"],
        "ytick.color": TOKENS["grid"],
        "xtick.labelcolor": TOKENS["muted"],
        "ytick.labelcolor": TOKENS["muted"],
        "xtick.major.size": 4,
        "ytick.major.size": 0,
        "text.color": TOKENS["ink"],
        "path.simplify": False,  # what is left out is settled by Series.thinned alone
        "timezone": "UTC",
    }


def _clean(root: ET.Element, name: str) -> None:
    """Give ids the drawing's name, and drop those that nothing refers to: a page has many drawings."""
    used = set(re.findall(r"#([\w.-]+)", ET.tostring(root, encoding="unicode")))
    for element in root.iter():
        found = element.get("id")
        if found is not None and found not in used:
            del element.attrib["id"]
        elif found is not None:
            element.set("id", f"{name}-{found}")
        for key, value in element.attrib.items():
            element.set(key, re.sub(r"#(?=[mph][0-9a-f]{9,})", f"#{name}-", value))
        for key in ("d", "x", "y", "transform"):
            if key in element.attrib:
                element.set(key, re.sub(r"(\.\d\d)\d+", r"\1", element.attrib[key]).replace("\n", ""))


def _recoloured(text: str) -> str:
    names = {colour: f"var(--{token})" for token, colour in TOKENS.items()}
    return re.sub("|".join(names), lambda match: names[match[0]], text)
