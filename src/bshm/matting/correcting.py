"""Corrections laid on a matte: what strokes, clicks and a trimap change, and nothing beyond their reach.

A stroke says little by itself: its core is right, and around it lies the rest of the thing that it was drawn on.  How
far that goes is decided within a reach around the stroke, in proportion to its width: the colours under the strokes and
those that are sure beyond the reach compete for what lies between (GrabCut), starting from the matte as it was.  An
island that is erased, a hole that is filled and a patch of doubt in the mask widen the reach to all of it.  What a
region came out as is then a mask like those of the networks, and the guided filter and matting find its edge at the
picture's own resolution.  Keeping only raises alpha, erasing only lowers it, and outside the reach every bit stays.

Source: Rother, Kolmogorov and Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts", SIGGRAPH
2004.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.corrections import LOOK_SIDE, Corrections, PictureMark, Stroke
from bshm.errors import CorrectionsError, NobodyThereError, ShapeError
from bshm.matting.refine import doubt
from bshm.types import FloatArray, PixelArray

Plane = npt.NDArray[np.uint8]
# From a crop of the picture and a mask of it to an alpha of the crop's size.
Detail = Callable[[PixelArray, FloatArray], FloatArray]

# The part of a stroke's width that is right whatever the picture shows: hands are not steady.
_CORE = 0.5
# How far a stroke reaches to each side, in widths, and at least, as a share of the longer side.
_REACH, _LEAST_REACH = 2.5, 0.01
# Where the reach ends the change fades, over this share of it.
_FADE = 0.2
# An island, a hole or a patch of doubt is meant as a whole where the reach covers at least so much of it.
_COVERED = 0.4
# Doubt: the mask is that far from sure.
_DOUBT = 0.15
# A mask is unsure along every edge: half the width of that band, as a share of the mask's side.
_EDGE_SHARE = 1 / 128
# What a click means by its colour: so far from the click's own in each of L, a and b of 8 bits, and of that size, in
# cells and as a share of the picture: less is noise, more is a wall or the sky.
_ALIKE, _FEWEST_ALIKE, _MOST_ALIKE = 14, 12, 0.05
# Colours of a stroke that others are compared with.
_PALETTE = 5
# What has a stroke's colour and hangs together with it goes with it, if it is so near, as a share of the reach, and
# the mask is no surer than this that it does not.  On 28 pictures of benchmarks/corrections.py one stroke left 0.76 of
# the whole error; without this 0.79, and half of a black visor before a black table.
_NEAR, _UNLIKELY = 0.3, 0.1
# Side of the square whose area colours are compared at, and rounds of it.
_COLOURS_PX, _ROUNDS = 256, 4
# The mask is sure enough below and above these to speak for what lies beyond the reach.
_SURELY_NOT, _SURELY = 0.1, 0.9
_EVEN, _TRACE = 0.5, 0.1
# Around the region that changes, in cells of the mask: its edge is found anew so far.
_EDGE_CELLS = 4
# Around a crop, in cells: what filter and network see of the surroundings.
_AROUND_CELLS = 24
# A mask for weights that have none: the side of the square whose area it has.
_MASK_PX = 512
# The levels of a look may differ by so much, on average and at most.  Of 53 photographs made 0.12 to 1.6 times as large
# and saved as JPEG of quality 40, all stayed below 4.3 and 31; two different ones were never nearer than 28 and 87.
_LOOK_MEAN, _LOOK_MOST = 5.0, 40.0
# The aspect may differ by this: sizes are whole pixels.
_ASPECT = 0.02
# Alpha has changed from here on; so far around a change it goes along to a neighbour in time, and so far within its
# edge it is held there, as a share of the longer side.
_CHANGED, _SEAM = 0.02, 0.01
# Levels of a trimap that say keep and erase.
_WHITE, _BLACK = 0.9, 0.1


class Corrected(NamedTuple):
    """A matte with corrections.

    Attributes:
        alpha: (H, W) float32, 0..1, a new array; bit for bit as it was outside ``reach``.
        mask: (h, w) float32, 0..1, the mask with what was decided; None where there was none.
        reach: (H, W) bool, where alpha could change.
        keep, erase: (H, W) bool, what is 1 and 0 whatever the picture shows.
    """

    alpha: FloatArray
    mask: FloatArray | None
    reach: npt.NDArray[np.bool_]
    keep: npt.NDArray[np.bool_]
    erase: npt.NDArray[np.bool_]


class Decided(NamedTuple):
    """What corrections made of a matte, so that it can be laid on that of a neighbour in time.

    Attributes:
        kept: (h, w) float32, 0..1, of any size: the alpha where it was raised, 0 elsewhere.
        gone: (h, w) float32, 0..1: one less the alpha where it was lowered, 0 elsewhere.
    """

    kept: FloatArray
    gone: FloatArray


class _Marks(NamedTuple):
    """What is marked, at the picture's size, each (H, W) uint8, 0 or 255.

    Attributes:
        keep, erase: cores, which do not overlap.
        soft: what is left to the networks.
        up, down: where alpha may rise and fall.
    """

    keep: Plane
    erase: Plane
    soft: Plane
    up: Plane
    down: Plane


def mark_of(pixels: PixelArray) -> PictureMark:
    """By what a picture is known again: (H, W, 3) uint8 or uint16."""
    # By area, exactly: halving first, as for networks, moves the cells of pictures with odd sides.
    look = geometry.in_depth(geometry.resize(pixels, (LOOK_SIDE, LOOK_SIDE)), np.uint8).mean(axis=2)
    return PictureMark(pixels.shape[1], pixels.shape[0], np.floor(look + 0.5).astype(np.uint8).tobytes())


def check(corrections: Corrections, pixels: PixelArray, name: str) -> None:
    """Whether the corrections are of this picture, at whatever size.

    Args:
        corrections: those without ``picture`` are of any.
        pixels: (H, W, 3) uint8 or uint16.
        name: what messages call the picture.

    Raises:
        CorrectionsError: they are of another one.
    """
    height, width = pixels.shape[:2]
    check_shape(corrections, (height, width), name)
    mark = corrections.picture
    if mark is None or mark.look is None:
        return
    apart = np.abs(
        np.frombuffer(mark.look, np.uint8).astype(np.float32)
        - np.frombuffer(mark_of(pixels).look or b"", np.uint8).astype(np.float32)
    )
    if apart.mean() > _LOOK_MEAN or apart.max() > _LOOK_MOST:
        raise CorrectionsError(
            f"the corrections were made on another picture than {name}: it looks different. Use them with their own, "
            'or, if it was only made brighter or the like, leave "look" out of the corrections.'
        )


def check_shape(corrections: Corrections, size_hw: tuple[int, int], name: str) -> None:
    """Whether the corrections can be of a picture of this height and width.

    Args:
        corrections: those without ``picture`` are of any.
        size_hw: of the picture.
        name: what messages call it.

    Raises:
        CorrectionsError: they are of another shape.
    """
    mark = corrections.picture
    if mark is not None and not _is_of_one_shape(size_hw, (mark.height, mark.width)):
        raise CorrectionsError(
            f"the corrections were made on a picture of {mark.width}x{mark.height}, but {name} is {size_hw[1]}x"
            f"{size_hw[0]}, of another shape. Use them with the picture that they were made on, at any size."
        )


def check_trimap(trimap: FloatArray | None, size_hw: tuple[int, int], name: str) -> None:
    """Whether a trimap can be of a picture of this height and width.

    Args:
        trimap: (h, w, 2) float32, 0..1; None fits any.
        size_hw: of the picture.
        name: what messages call it.

    Raises:
        CorrectionsError: it is of another shape.
    """
    if trimap is not None and not _is_of_one_shape(size_hw, trimap.shape):
        raise CorrectionsError(
            f"the trimap (or picture of what to keep or erase) is {trimap.shape[1]}x{trimap.shape[0]}, but {name} is "
            f"{size_hw[1]}x{size_hw[0]}, of another shape. Make one of the picture's shape, at any size."
        )


def _is_of_one_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two heights and widths are those of one picture at two sizes."""
    # A pixel more or less of a small picture is no other shape.
    slack = _ASPECT + 1 / min(*one[:2], *other[:2])
    return bool(abs(np.log(one[1] / one[0] * other[0] / other[1])) <= slack)


def apply(
    pixels: PixelArray,
    alpha: FloatArray,
    mask: FloatArray | None,
    corrections: Corrections,
    detail: Detail,
    trimap: FloatArray | None = None,
) -> Corrected:
    """What the corrections make of a matte.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        alpha: (H, W) float32, 0..1.
        mask: (h, w) float32, 0..1, of any size, what the alpha was made of; None where there is none.
        corrections: strokes and clicks in shares of the picture.
        detail: from a crop and a mask of it to an alpha: what the engine does behind its mask.
        trimap: (h, w, 2) float32, 0..1, of any size: level and how opaque; None without.

    Raises:
        NobodyThereError: a click where there is nothing to keep or to erase.
        CorrectionsError: the trimap has another shape than the picture.
        ShapeError: pixels and alpha differ in size.
    """
    if pixels.shape[:2] != alpha.shape:
        raise ShapeError(f"apply() needs one height and width; got pixels {pixels.shape} and alpha {alpha.shape}.")
    check_trimap(trimap, (alpha.shape[0], alpha.shape[1]), "the picture")
    belief = mask if mask is not None else _shrunk(alpha)
    marks = _marks(pixels, alpha, belief, corrections, trimap)
    found, decided = alpha.copy(), belief.copy()
    reach = np.maximum(np.maximum(marks.up, marks.down), marks.soft)
    for box in _boxes(reach, belief.shape):
        _work(box, pixels, found, decided, marks, detail)
    # Cores overlap no reach that says otherwise: the later of two strokes counts.
    found[marks.keep > 0], found[marks.erase > 0] = 1, 0
    return Corrected(found, None if mask is None else decided, reach > 0, marks.keep > 0, marks.erase > 0)


def decision(before: FloatArray, after: Corrected, size_hw: tuple[int, int]) -> Decided:
    """What was decided, at a size of the caller's.

    Args:
        before: (H, W) float32, 0..1, the alpha without corrections.
        after: what ``apply`` made of it.
        size_hw: of the answer.
    """
    radius = max(1, round(_SEAM * max(before.shape)))
    planes = []
    for change, core, wanted in (
        (after.alpha - before, after.keep, after.alpha),
        (before - after.alpha, after.erase, 1 - after.alpha),
    ):
        changed = np.asarray((change > _CHANGED) | core, np.uint8)
        # Where it meets what was right before, both go along: nothing shall open between the two.
        plane = np.where(_grown(changed, radius) > 0, wanted, np.float32(0)) if changed.any() else np.zeros_like(before)
        planes.append(np.asarray(geometry.resize(np.ascontiguousarray(plane, np.float32), size_hw), np.float32))
    return Decided(*planes)


def lay(
    pixels: PixelArray,
    alpha: FloatArray,
    mask: FloatArray | None,
    moved: Decided,
    share: FloatArray,
    detail: Detail,
) -> FloatArray:
    """What was decided on a neighbour in time, moved to where it is in this picture, laid on the matte of this one.

    Args:
        pixels, alpha, mask, detail: as in ``apply``.
        moved: what was decided.
        share: (h, w) float32, 0..1, of the size of ``moved``: how much of it counts, place by place.

    Returns:
        (H, W) float32, 0..1, a new array; bit for bit as it was where nothing was decided or counts.
    """
    belief = mask if mask is not None else _shrunk(alpha)
    cells_hw, size = (belief.shape[0], belief.shape[1]), (alpha.shape[0], alpha.shape[1])
    raised, lowered = (np.asarray(geometry.resize(plane, cells_hw), np.float32) for plane in moved)
    near = [_grown((plane > _TRACE).astype(np.uint8), _EDGE_CELLS) for plane in (raised, lowered)]
    found = alpha.copy()
    for box in _boxes(_enlarged(_grown(np.maximum(*near), 2), size), belief.shape):
        part, before = pixels[box.where].copy(), found[box.where]
        wanted = np.maximum(belief[box.cells], raised[box.cells])
        wanted = np.clip(np.minimum(wanted, 1 - lowered[box.cells]), 0, 1)
        after = detail(part, wanted)
        for plane, sign in zip(near, (1, -1), strict=True):
            weight = geometry.resize(cv2.blur(plane[box.cells].astype(np.float32), (3, 3)), before.shape)
            before += weight * sign * np.maximum(sign * (after - before), 0)
    # Well inside it is as it was decided, whatever the networks say here.
    radius = max(2, round(_SEAM * max(share.shape)))
    firm = [np.asarray(geometry.resize(_shrinking(plane, radius), size), np.float32) for plane in moved]
    np.clip(np.minimum(np.maximum(found, firm[0]), 1 - firm[1]), 0, 1, out=found)
    weight = np.asarray(geometry.resize(share, size), np.float32)
    return np.asarray(alpha + weight * (found - alpha), np.float32)


def _shrinking(plane: FloatArray, radius: int) -> FloatArray:
    """The plane with its edges that much further in; the picture's own edge is none."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.erode(plane, kernel), np.float32)


class _Box(NamedTuple):
    """A part of the picture in whole cells of the mask, and those."""

    where: tuple[slice, slice]
    cells: tuple[slice, slice]


def _shrunk(alpha: FloatArray) -> FloatArray:
    height, width = alpha.shape
    scale = min(1.0, _MASK_PX / (height * width) ** 0.5)
    return geometry.enlarge(alpha, (max(1, round(height * scale)), max(1, round(width * scale))))


# --- what is marked --------------------------------------------------------------------------------------------------


def _marks(
    pixels: PixelArray,
    alpha: FloatArray,
    mask: FloatArray,
    corrections: Corrections,
    trimap: FloatArray | None,
) -> _Marks:
    size = alpha.shape[0], alpha.shape[1]
    marks = _Marks(*(np.zeros(size, np.uint8) for _ in range(5)))
    if trimap is not None:
        _add_trimap(marks, trimap)
    coarse = np.asarray(geometry.resize(alpha, (mask.shape[0], mask.shape[1])), np.float32)
    for number, stroke in enumerate(corrections.strokes, 1):
        own, other = (marks.erase, marks.keep) if stroke.kind == "erase" else (marks.keep, marks.erase)
        reach = marks.down if stroke.kind == "erase" else marks.up
        if stroke.kind == "soft":
            line = _drawn(stroke, size, 1.0)
            for plane in (marks.keep, marks.erase):
                plane[line > 0] = 0
            np.maximum(marks.soft, line, out=marks.soft)
            continue
        if stroke.is_click:
            thing = _thing(stroke, number, pixels, coarse, mask)
            inner = np.asarray(cv2.erode(thing, np.ones((3, 3), np.uint8)), np.uint8)
            core = _enlarged(inner if inner.any() else thing, size)
            around = _enlarged(_grown(thing, _EDGE_CELLS), size)
        else:
            core = _drawn(stroke, size, _CORE)
            around = _drawn(stroke, size, 1 + 2 * _REACH, least=2 * _LEAST_REACH)
            wider = _wider(stroke.kind == "keep", core, around, coarse, mask)
            np.maximum(around, _enlarged(_grown(wider, _EDGE_CELLS), size), out=around)
        other[core > 0] = 0
        marks.soft[core > 0] = 0
        np.maximum(own, core, out=own)
        np.maximum(reach, around, out=reach)
    return marks


def _add_trimap(marks: _Marks, trimap: FloatArray) -> None:
    size = marks.keep.shape[0], marks.keep.shape[1]
    # What is transparent has no level that could run into its neighbours.
    share = geometry.resize(np.ascontiguousarray(trimap[..., 1]), size)
    level = geometry.resize(trimap[..., 0] * trimap[..., 1], size) / np.maximum(share, 1e-6)
    opaque = share > _EVEN
    for plane, wanted in (
        (marks.keep, level >= _WHITE),
        (marks.erase, level <= _BLACK),
        (marks.soft, (level > _BLACK) & (level < _WHITE)),
    ):
        plane[opaque & wanted] = 255
    radius = max(1, round(_LEAST_REACH * max(size)))
    np.maximum(marks.up, _grown(marks.keep, radius), out=marks.up)
    np.maximum(marks.down, _grown(marks.erase, radius), out=marks.down)
    # A trimap says what it reaches: up to its own black nothing rises, nor does anything fall within its white.
    marks.up[marks.erase > 0], marks.down[marks.keep > 0] = 0, 0


def _drawn(stroke: Stroke, size_hw: tuple[int, int], widths: float, *, least: float = 0.0) -> Plane:
    """The stroke so many of its widths thick: (H, W) uint8, 0 or 255."""
    height, width = size_hw
    longer = max(size_hw)
    plane = np.zeros(size_hw, np.uint8)
    thick = max(1, round(max((stroke.width or 0) * widths, least) * longer))
    points = np.array([(x * width - 0.5, y * height - 0.5) for x, y in stroke.points])
    np.clip(points, 0, [width - 1, height - 1], out=points)
    # In sixteenths of a pixel.
    fixed = np.floor(points * 16 + 0.5).astype(np.int32)
    if len(fixed) == 1:
        cv2.circle(plane, fixed[0].tolist(), round(8 * thick), 255, -1, shift=4)
    else:
        cv2.polylines(plane, [fixed.reshape(-1, 1, 2)], False, 255, thick, shift=4)
    if not plane.any():  # thinner than a pixel
        x, y = np.floor(points[0] + 0.5).astype(int)
        plane[y, x] = 255
    return plane


def _wider(keep: bool, core: Plane, around: Plane, alpha: FloatArray, mask: FloatArray) -> Plane:
    """What a stroke goes on to: the island, the hole or the patch of doubt that it runs through.

    Args:
        keep: whether it is to keep.
        core, around: (H, W), the stroke and its reach.
        alpha, mask: (h, w), in cells of the mask.

    Returns:
        (h, w) uint8, 0 or 1; what the reach covers little of is not meant.
    """
    touched, covered = _cells_of(core, mask.shape) > 0, _cells_of(around, mask.shape) > 0
    if keep:
        hole = _touching(alpha < _EVEN, touched)
        if hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any():
            hole[:] = 0  # all around the people is none
        things = [hole, _touching((mask > _DOUBT) & (alpha < _EVEN), touched)]
    else:
        things = [_touching(alpha > _TRACE, touched), _touching((mask < 1 - _DOUBT) & (alpha > _TRACE), touched)]
    found = np.zeros(mask.shape, np.uint8)
    for thing in things:
        if np.count_nonzero(thing[covered]) >= _COVERED * np.count_nonzero(thing):
            found |= thing
    return found


def _thing(stroke: Stroke, number: int, pixels: PixelArray, alpha: FloatArray, mask: FloatArray) -> Plane:
    """What lies under a click, in cells of the mask: (h, w) uint8, 0 or 1.

    Raises:
        NobodyThereError: nothing.
    """
    (x, y), keep = stroke.points[0], stroke.kind == "keep"
    height, width = mask.shape
    row, column = min(height - 1, int(y * height)), min(width - 1, int(x * width))
    near = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    seed = np.zeros(mask.shape, bool)
    seed[near] = True
    place = f"the click at {x:.0%}, {y:.0%} (correction {number})"
    if keep and alpha[near].min() > _EVEN:
        raise NobodyThereError(f"{place} is to keep what is kept already. Draw erase strokes, or leave it out.")
    if not keep and alpha[near].max() < _TRACE:
        raise NobodyThereError(f"{place} is to erase, but nothing is kept there. Click on what is to go.")
    likely = float(mask[near].max())
    if keep and likely > _TRACE:
        thing = _touching(_without_edges((mask > max(_TRACE, likely / 2)) & (alpha < _EVEN)), seed)
        if 0 < np.count_nonzero(thing) <= _EVEN * mask.size:
            return thing
    if not keep:
        island = _touching(alpha > _TRACE, seed)
        if np.count_nonzero(island) <= np.count_nonzero(alpha > _TRACE) / 2:
            return island
        doubtful = _touching(_without_edges((mask < 1 - _DOUBT) & (alpha > _TRACE)), seed)
        if doubtful.any():
            return doubtful
    alike = _alike(pixels, mask.shape, seed, (alpha < _EVEN) if keep else (alpha > _TRACE))
    if alike is None:
        raise NobodyThereError(
            f"{place} met nothing with an edge of its own: no one can say what is meant. Draw a stroke along it."
        )
    return alike


def _alike(
    pixels: PixelArray, size_hw: tuple[int, ...], seed: npt.NDArray[np.bool_], within: npt.NDArray[np.bool_]
) -> Plane | None:
    """What has the colour of the seed and hangs together with it; None where that has no end."""
    small = geometry.shrink(pixels, (size_hw[0], size_hw[1]))
    smooth = cv2.medianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), 5).astype(np.float32)
    apart = np.abs(smooth - smooth[seed].mean(0)).max(2)
    thing = _touching((apart < _ALIKE) & within, seed)
    count = np.count_nonzero(thing)
    if not _FEWEST_ALIKE <= count <= _MOST_ALIKE * thing.size:
        return None
    kernel = np.ones((5, 5), np.uint8)
    return np.asarray(cv2.morphologyEx(thing, cv2.MORPH_CLOSE, kernel), np.uint8)


def _without_edges(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What is wider than a soft edge, with the edges that hang on to it left out: (h, w) bool."""
    side = 2 * round(plane.size**0.5 * _EDGE_SHARE) + 1
    return np.asarray(cv2.morphologyEx(plane.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)) > 0)


def _same(colours: FloatArray, core: npt.NDArray[np.bool_], within: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What has one of the colours of a core and hangs together with it: (h, w) bool."""
    samples = colours[core]
    if len(samples) > _PALETTE:
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
        cv2.setRNGSeed(0)
        samples = np.asarray(
            cv2.kmeans(samples, _PALETTE, np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)[2], np.float32
        )
    nearest = np.full(core.shape, np.inf, np.float32)
    for sample in samples:
        np.minimum(nearest, np.abs(colours - sample).max(2), out=nearest)
    return _touching(((nearest < _ALIKE) & within) | core, core) > 0


def _touching(plane: npt.NDArray[np.bool_], points: npt.NDArray[np.bool_]) -> Plane:
    """The parts of ``plane`` that hold one of ``points``: uint8, 0 or 1."""
    count, parts = cv2.connectedComponents(plane.astype(np.uint8), connectivity=8)
    chosen = np.zeros(count, np.uint8)
    chosen[parts[points]] = 1
    chosen[0] = 0
    return np.asarray(chosen[parts], np.uint8)


def _grown(plane: Plane, radius: int) -> Plane:
    side = 2 * radius + 1
    return np.asarray(cv2.dilate(plane, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))), np.uint8)


def _enlarged(cells: Plane, size_hw: tuple[int, int]) -> Plane:
    """0 or 1 in cells to 0 or 255 in pixels."""
    found = cv2.resize((cells > 0).astype(np.uint8) * 255, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray((found > 127).astype(np.uint8) * 255, np.uint8)


def _cells_of(plane: Plane, size_hw: tuple[int, ...]) -> Plane:
    """255 in every cell with a marked pixel."""
    height, width = size_hw[0], size_hw[1]
    if plane.shape[0] < height or plane.shape[1] < width:
        return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    found = cv2.resize(plane.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray((found > 0).astype(np.uint8) * 255, np.uint8)


# --- what becomes of it ----------------------------------------------------------------------------------------------


def _boxes(reach: Plane, cells_hw: tuple[int, ...]) -> list[_Box]:
    """Parts of the picture that hold each a group of strokes with one reach, with surroundings."""
    rows, columns = cells_hw[0], cells_hw[1]
    height, width = reach.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(_cells_of(reach, cells_hw), connectivity=8)
    found = []
    for left, top, wide, high, _ in stats[1:count].tolist():
        y0, y1 = max(0, top - _AROUND_CELLS), min(rows, top + high + _AROUND_CELLS)
        x0, x1 = max(0, left - _AROUND_CELLS), min(columns, left + wide + _AROUND_CELLS)
        where = (
            slice(y0 * height // rows, -(-y1 * height // rows)),
            slice(x0 * width // columns, -(-x1 * width // columns)),
        )
        found.append(_Box(where, (slice(y0, y1), slice(x0, x1))))
    return found


def _work(box: _Box, pixels: PixelArray, alpha: FloatArray, mask: FloatArray, marks: _Marks, detail: Detail) -> None:
    """Change alpha and mask within one box, in place."""
    part: PixelArray = pixels[box.where].copy()
    here = _Marks(*(np.ascontiguousarray(plane[box.where]) for plane in marks))
    before = alpha[box.where]
    cells = mask[box.cells]
    kept, gone = _regions(part, before, cells, here)
    size = cells.shape
    raised, lowered = (
        np.asarray(geometry.resize(plane.astype(np.float32), (size[0], size[1])), np.float32) for plane in (kept, gone)
    )
    wanted = np.maximum(cells, raised)
    np.minimum(wanted, 1 - lowered, out=wanted)
    np.clip(wanted, 0, 1, out=wanted)  # resizing leaves a trace beyond
    if here.soft.any():
        wanted[_cells_of(here.soft, size) > 0] = 0.5
    after = detail(part, wanted)
    for allowed, region, sign in ((here.up, raised, 1), (here.down, lowered, -1)):
        if not allowed.any():
            continue
        near = _grown((region > 0.25).astype(np.uint8), _EDGE_CELLS)
        weight = _inner(allowed) * geometry.resize(cv2.blur(near.astype(np.float32), (3, 3)), before.shape)
        before += weight * sign * np.maximum(sign * (after - before), 0)
    if here.soft.any():
        before += _inner(here.soft) * (after - before)
    if here.down.any():
        # Where an island went nothing of its rim is left; what leaves the crop may hang on to somebody there.
        held = doubt.somebody(before)
        held[[0, -1]] = held[:, [0, -1]] = True
        np.copyto(before, doubt.drop_loose(before.copy(), held), where=here.down > 0)
    np.clip(before, 0, 1, out=before)
    # The mask, too, stays as it was beyond the reach.
    touched = _cells_of(np.maximum(np.maximum(here.up, here.down), here.soft), size) > 0
    cells[touched] = wanted[touched]


def _inner(plane: Plane) -> FloatArray:
    """1 well within a marked part, 0 outside it: (H, W) float32."""
    # All around counts as outside, but not beyond the picture: a stroke may run along its edge.
    depth = cv2.distanceTransform(plane, cv2.DIST_L2, 3)
    fade = max(2.0, _FADE * float(depth.max()))
    return np.asarray(np.clip(depth / np.float32(fade), 0, 1), np.float32)


def _regions(
    pixels: PixelArray, alpha: FloatArray, mask: FloatArray, marks: _Marks
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """What is to be kept and what to go: (h, w) bool each, at the size that colours are compared at."""
    height, width = alpha.shape
    scale = min(1.0, _COLOURS_PX / (height * width) ** 0.5)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = geometry.shrink(pixels, size)
    body = np.asarray(geometry.resize(alpha, size), np.float32)
    likely = np.asarray(geometry.resize(np.ascontiguousarray(mask), size), np.float32)
    keep, erase = (_cells_of(plane, size) > 0 for plane in (marks.keep, marks.erase))
    erase &= ~keep
    up, down = (_cells_of(plane, size) > 0 for plane in (marks.up, marks.down))
    free = up | down
    labels = np.where(body > _EVEN, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    colours = cv2.medianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), 3).astype(np.float32)
    for core, reach, maybe, sure, told in (
        (erase, down, cv2.GC_PR_BGD, cv2.GC_BGD, 1 - likely),
        (keep, up, cv2.GC_PR_FGD, cv2.GC_FGD, likely),
    ):
        if core.any():
            far = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 3)
            near = (far < _NEAR * far[reach].max()) & (told > _UNLIKELY)
            labels[_same(colours, core, reach)] = maybe
            labels[_same(colours, core, reach & near)] = sure
    labels[~free & (body > _SURELY) & (likely > _SURELY)] = cv2.GC_FGD
    labels[~free & (body < _SURELY_NOT) & (likely < _SURELY_NOT)] = cv2.GC_BGD
    labels[keep], labels[erase] = cv2.GC_FGD, cv2.GC_BGD
    somebody = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if somebody.any() and not somebody.all():
        cv2.setRNGSeed(0)  # of this thread: a second run shall give the same
        cv2.grabCut(small, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
        somebody = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    kept = _touching((somebody & up) | keep, keep) > 0 if keep.any() else np.zeros(size, bool)
    gone = _touching((~somebody & down) | erase, erase) > 0 if erase.any() else np.zeros(size, bool)
    return kept, gone
