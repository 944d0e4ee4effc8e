"""Charts as SVG that our own style sheet colours; drawn by pygal, which is loaded with the first of them.

pygal brings style, script and tooltips of its own along, which a strict content security policy forbids and the page
does not need: they are taken out. Every chart is drawn twice, for wide and for narrow screens, because letters in an
SVG shrink with it.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from npsbridge.core.model import Record
from npsbridge.web.dashboard.score import Camps, Stretch
from npsbridge.web.dashboard.words import number, signed

WIDE: Final = (540, 220)
NARROW: Final = (328, 190)
_SPARK: Final = (400, 64)
_LABELS_WIDE, _LABELS_NARROW = 7, 4
_CAMPS: Final = ("detractors", "passives", "promoters")
_KEPT: Final = {
    "axis", "bar", "bars", "background", "graph", "guide", "guides", "line", "major", "plot", "pygal-chart", "rect",
    "series", "serie-0", "serie-1", "serie-2", "x", "y", "dot", "dots",
}  # fmt: skip
"""Classes that the style sheet knows."""
_FRACTION: Final = re.compile(r"-?\d+\.\d+")
_DROPPED: Final = {"defs", "style", "script", "desc", "title"}


class Chart(Record, frozen=True, kw_only=True):
    """A drawn chart, for both widths."""

    wide: str
    narrow: str


def _both(draw: Callable[[tuple[int, int], int], Any]) -> Chart:
    return Chart(wide=_svg(draw(WIDE, _LABELS_WIDE)), narrow=_svg(draw(NARROW, _LABELS_NARROW)))


@cache
def _pygal() -> Any:
    """The library, without what it adds to every later import of the process: a finder of maps, of an outdated kind."""
    import pygal  # noqa: PLC0415 - a daemon nobody looks at has no charts

    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
    return pygal


def _kind(name: str, size: tuple[int, int], labels: Sequence[str], most: int, **more: Any) -> Any:
    every = max(1, -(-len(labels) // most))
    made = getattr(_pygal(), name)(
        css=[], js=[], width=size[0], height=size[1], explicit_size=False, disable_xml_declaration=True,
        show_legend=False, margin=2, spacing=6, x_labels_major_every=every, show_minor_x_labels=False,
        truncate_label=-1, show_y_guides=True, no_data_text="", print_values=False,
        style=_style(), **more,
    )  # fmt: skip
    made.x_labels = labels
    return made


def _style() -> Any:
    from pygal.style import Style  # noqa: PLC0415

    made = Style()  # type: ignore[no-untyped-call]
    # Only what pygal reckons margins with; colours and letters are those of our style sheet.
    made.label_font_size = made.major_label_font_size = 12
    return made


def trend(found: Sequence[Stretch]) -> Chart:
    """The moving NPS, stretch by stretch."""
    values = [None if one.moving is None else round(one.moving, 1) for one in found]
    low = min((one for one in values if one is not None), default=0)
    high = max((one for one in values if one is not None), default=0)
    bottom, top = max(-100, int(low // 20) * 20), min(100, (int(high // 20) + 1) * 20)

    def draw(size: tuple[int, int], most: int) -> Any:
        made = _kind(
            "Line", size, [one.short_label for one in found], most, show_dots=len(found) == 1, dots_size=3,
            range=(bottom, top), formatter=signed,
        )  # fmt: skip
        made.y_labels = list(range(bottom, top + 1, 20 if top - bottom <= 100 else 40))  # noqa: PLR2004 - the whole half
        made.add("", values)
        return made

    return _both(draw)


def spark(found: Sequence[Stretch]) -> str:
    """The moving NPS as a line alone, for any width: without letters nothing shrinks."""
    made = _kind("Line", _SPARK, [""] * len(found), 1, show_dots=False, show_x_labels=False, show_y_labels=False)
    made.show_y_guides = False
    made.add("", [None if one.moving is None else round(one.moving, 1) for one in found])
    return _svg(made, stretches=True)


def shares(found: Sequence[Stretch]) -> Chart:
    """The part of each camp, stretch by stretch, in percent."""

    def part(camps: Camps, name: str) -> float | None:
        return 100 * getattr(camps, name) / camps.total if camps.total else None

    def draw(size: tuple[int, int], most: int) -> Any:
        labels = [one.short_label for one in found]
        made = _kind("StackedBar", size, labels, most, range=(0, 100), formatter=lambda value: f"{value:.0f} %")
        made.y_labels = [0, 50, 100]
        for name in _CAMPS:
            made.add("", [part(one.camps, name) for one in found])
        return made

    return _both(draw)


def volume(found: Sequence[Stretch]) -> Chart:
    """How many answers there were, stretch by stretch."""

    def draw(size: tuple[int, int], most: int) -> Any:
        made = _kind("Bar", size, [one.short_label for one in found], most, formatter=number, **_from_zero(found))
        made.add("", [one.camps.total for one in found])
        return made

    return _both(draw)


def _from_zero(found: Sequence[Stretch]) -> dict[str, Any]:
    return {"range": (0, max((one.camps.total for one in found), default=0) or 1), "max_scale": 5, "order_min": 0}


def distribution(counts: Sequence[int]) -> Chart:
    """How often each score was given, in the colour of its camp."""
    camps = [(0, 7), (7, 9), (9, len(counts))]

    def draw(size: tuple[int, int], _: int) -> Any:
        labels = [str(score) for score in range(len(counts))]
        made = _kind(
            "StackedBar", size, labels, len(labels), formatter=number, range=(0, max(counts) or 1), max_scale=5,
            order_min=0,
        )  # fmt: skip
        for first, end in camps:
            made.add("", [count if first <= score < end else None for score, count in enumerate(counts)])
        return made

    return _both(draw)


# --- what is left of pygal's own look ---------------------------------------------------------------------------


def _svg(made: Any, *, stretches: bool = False) -> Markup:
    root = made.render_tree()
    _strip(root)
    root.attrib = {
        "viewBox": root.get("viewBox", ""),
        "class": "pygal-chart",
        "aria-hidden": "true",
        "focusable": "false",
    }
    if stretches:
        root.set("preserveAspectRatio", "none")
    # Escaped by the serialiser; there is nothing of anybody else's in it but labels.
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704


def _strip(node: ET.Element) -> None:
    for child in list(node):
        # Comments are nodes as well, whose tag is a function.
        if callable(child.tag) or child.tag.rpartition("}")[2] in _DROPPED:
            node.remove(child)
            continue
        _strip(child)
        if _is_nothing(child):
            node.remove(child)
    for name, value in list(node.attrib.items()):
        if name == "class":
            kept = " ".join(word for word in value.split() if word in _KEPT)
            node.attrib.pop(name)
            if kept:
                node.set(name, kept)
        elif name in {"style", "id", "rx", "ry"} or name.startswith("on"):
            del node.attrib[name]
        else:
            node.set(name, _rounded(value))


def _is_nothing(node: ET.Element) -> bool:
    """A group without members, or a bar of no height."""
    kind = node.tag.rpartition("}")[2]
    return (kind == "g" and len(node) == 0) or (kind == "rect" and node.get("height") == "0")


def _rounded(value: str) -> str:
    """Coordinates to a tenth of a pixel: what is finer is only heavier."""
    return _FRACTION.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)
