"""Place a picture on a canvas of another size, by the size of the people or of a head."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.edit.crop import Box
from bshm.edit.head import Head
from bshm.edit.size import DEFAULT_DPI, Size
from bshm.edit.spec import Edit
from bshm.edit.words import NO_MARGINS, Margins

# The largest space above a crown by default.
_MOST_ABOVE = 0.12


@dataclass(frozen=True)
class Framing:
    """A picture laid onto a canvas: scaled, then moved.

    Attributes:
        height, width: of the canvas in pixels.
        factor: by which the picture is scaled.
        top, left: of the scaled picture's corner on the canvas; below 0 where it sticks out.
    """

    height: int
    width: int
    factor: float
    top: float
    left: float

    def gaps(self, picture_hw: tuple[int, int], cut: frozenset[str]) -> list[tuple[str, int]]:
        """Edges at which a person cut off by the photograph ends before the canvas does, and by how many pixels.

        Args:
            picture_hw: of the picture.
            cut: edges of the picture that the people touch.
        """
        bottom, right = self.top + picture_hw[0] * self.factor, self.left + picture_hw[1] * self.factor
        empty = {"top": self.top, "left": self.left, "bottom": self.height - bottom, "right": self.width - right}
        return [(edge, round(px)) for edge, px in empty.items() if edge in cut and px > 1]


def cut_edges(box: Box, picture_hw: tuple[int, int]) -> frozenset[str]:
    """The edges of a picture at which it cuts somebody off.

    >>> sorted(cut_edges(Box(2, 0, 8, 5), (10, 20)))
    ['bottom', 'left']
    """
    touched = {
        "top": box.top <= 0,
        "left": box.left <= 0,
        "bottom": box.top + box.height >= picture_hw[0],
        "right": box.left + box.width >= picture_hw[1],
    }
    return frozenset(edge for edge, touches in touched.items() if touches)


def by_share(
    canvas_hw: tuple[int, int],
    box: Box,
    share: float = 1.0,
    position: tuple[float, float] | None = None,
    cut: frozenset[str] = frozenset(),
) -> Framing:
    """A frame in which a box fills a share of the canvas, in height or width, whichever it reaches first.

    Args:
        canvas_hw: of the result.
        box: what is kept.
        share: 0..1.
        position: (horizontal, vertical), 0..1: 0 lays the box against the left or the top.  None is the middle, but
            where the photograph cuts people off, they are laid against that edge, so that nobody floats.
        cut: those edges, as ``cut_edges`` gives them.

    >>> frame = by_share((100, 100), Box(10, 10, 20, 40), 0.8)
    >>> frame.factor, frame.top, frame.left
    (2.0, 10.0, -10.0)
    """
    height, width = canvas_hw
    factor = share * min(height / box.height, width / box.width)
    if position is None:
        position = (_side("left" in cut, "right" in cut), _side("top" in cut, "bottom" in cut))
    left = (width - box.width * factor) * position[0] - box.left * factor
    top = (height - box.height * factor) * position[1] - box.top * factor
    return Framing(height, width, factor, top, left)


def by_head(
    canvas_hw: tuple[int, int],
    head: Head,
    shares: tuple[float, float],
    tops: tuple[float, float],
    picture_hw: tuple[int, int],
    cut: frozenset[str],
) -> Framing:
    """A frame in which the head is centred, with a given height and space above it.

    Args:
        canvas_hw: of the result.
        head: where the head is.
        shares: range of the head's height, chin to crown, by the canvas' height, 0..1: its middle, or as much more as
            is needed until the picture reaches those edges of the canvas at which it cuts people off.
        tops: range of the space above the crown by the canvas' height, 0..1: its lower end, or as much more as is
            needed until a person who is cut off below reaches the lower edge.
        picture_hw: of the picture.
        cut: those edges, as ``cut_edges`` gives them.
    """
    height, width = canvas_hw
    room = {
        "bottom": (height * (1 - tops[1]), picture_hw[0] - head.crown),
        "left": (width / 2, head.centre),
        "right": (width / 2, picture_hw[1] - head.centre),
    }
    needed = [canvas / max(1.0, picture) for edge, (canvas, picture) in room.items() if edge in cut]
    usual, most = (share * height / max(1.0, head.height) for share in (sum(shares) / 2, shares[1]))
    factor = min(most, max([usual, *needed]))
    above = tops[0] * height
    if "bottom" in cut:
        above = max(above, min(tops[1] * height, height - (picture_hw[0] - head.crown) * factor))
    return Framing(height, width, factor, above - head.crown * factor, width / 2 - head.centre * factor)


def frame(edit: Edit, box: Box, picture_hw: tuple[int, int], head: Head | None) -> Framing:
    """The frame that an edit with a ``size``, an ``aspect`` or a ``head`` asks for.

    Args:
        edit: the options.
        box: where the people are; the whole picture if there is nobody.
        picture_hw: of the picture.
        head: for ``edit.head``; without one the whole picture is framed.

    Raises:
        OptionError: the canvas would be too large.
    """
    canvas = None if edit.size is None else edit.size.pixels(edit.file_dpi or DEFAULT_DPI)
    cut = cut_edges(box, picture_hw)
    if edit.head is not None and head is not None:
        if canvas is None:
            height = head.height / (sum(edit.head) / 2)
            canvas = _canvas(height, height * (edit.aspect or picture_hw[1] / picture_hw[0]))
        usual = min(_MOST_ABOVE, (1 - edit.head[1]) / 2)
        return by_head(canvas, head, edit.head, edit.head_top or (usual, usual), picture_hw, cut)
    kept = _with_margins(box, edit.crop_margin or NO_MARGINS, cut) if edit.crop else Box(0, 0, *picture_hw)
    if canvas is None:
        aspect = edit.aspect or picture_hw[1] / picture_hw[0]
        canvas = _canvas(max(kept.height, kept.width / aspect), max(kept.width, kept.height * aspect))
    if edit.scale is not None:
        return by_share(canvas, box, edit.scale, edit.position, cut)
    return by_share(canvas, kept, 1.0, edit.position, cut)


def _canvas(height: float, width: float) -> tuple[int, int]:
    return Size(max(1, round(width)), max(1, round(height))).pixels()


def _with_margins(box: Box, margins: Margins, cut: frozenset[str]) -> Box:
    """The box and its margins; no margin where the photograph cuts people off."""
    top = 0 if "top" in cut else margins.top.of(box.height)
    bottom = 0 if "bottom" in cut else margins.bottom.of(box.height)
    left = 0 if "left" in cut else margins.left.of(box.width)
    right = 0 if "right" in cut else margins.right.of(box.width)
    return Box(box.top - top, box.left - left, top + box.height + bottom, left + box.width + right)


def _side(first: bool, last: bool) -> float:
    return 0.5 if first == last else float(last)
