"""Where a picture goes on a canvas of another size: by the people's share of it, or by their head."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.edit.crop import Box
from bshm.edit.head import Head


@dataclass(frozen=True)
class Frame:
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
        """Edges at which somebody whom the photograph cuts off ends before the canvas does, and by how many pixels.

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
    picture_hw: tuple[int, int],
    share: float,
    position: tuple[float, float] | None = None,
) -> Frame:
    """A frame in which a box fills a share of the canvas, in height or width, whichever it reaches first.

    Args:
        canvas_hw: of the result.
        box: where the people are.
        picture_hw: of the picture.
        share: 0..1.
        position: (horizontal, vertical), 0..1: 0 lays the box against the left or the top.  None is the middle, but
            an edge at which the photograph cuts people off is laid against that edge: nobody floats.

    >>> frame = by_share((100, 100), Box(10, 10, 20, 40), (60, 60), 0.8)
    >>> frame.factor, frame.top, frame.left
    (2.0, 10.0, -10.0)
    """
    height, width = canvas_hw
    factor = share * min(height / box.height, width / box.width)
    if position is None:
        cut = cut_edges(box, picture_hw)
        position = (_side("left" in cut, "right" in cut), _side("top" in cut, "bottom" in cut))
    left = (width - box.width * factor) * position[0] - box.left * factor
    top = (height - box.height * factor) * position[1] - box.top * factor
    return Frame(height, width, factor, top, left)


def by_head(canvas_hw: tuple[int, int], head: Head, share: float, top_share: float) -> Frame:
    """A frame in which a head has a height and a margin above it, and stands in the middle.

    Args:
        canvas_hw: of the result.
        head: where the head is.
        share: from chin to crown by the canvas' height, 0..1.
        top_share: from the upper edge to the crown by the canvas' height, 0..1.
    """
    height, width = canvas_hw
    factor = share * height / max(1.0, head.height)
    return Frame(height, width, factor, top_share * height - head.crown * factor, width / 2 - head.centre * factor)


def grown(box: Box, aspect: float) -> Box:
    """The smallest box of an aspect, width by height, around another; around its middle, so it may stick out.

    >>> grown(Box(0, 0, 10, 10), 2.0)
    Box(top=0, left=-5, height=10, width=20)
    """
    width = max(box.width, round(box.height * aspect))
    height = max(box.height, round(box.width / aspect))
    return Box(box.top - (height - box.height) // 2, box.left - (width - box.width) // 2, height, width)


def _side(first: bool, last: bool) -> float:
    return 0.5 if first == last else float(last)
