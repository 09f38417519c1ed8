"""Tell several people apart: share the alpha of a picture, one plane per person.

Where the middle of a person is likely, the keypoints of that person are looked for at the offsets that the network
gives, and become a skeleton with the thickness of a body.  Who lies nearest to a pixel, in thicknesses, is a first
guess; colours that are each one's own say more; and a random walk that crosses no edge of the picture decides, so that
a share changes where the picture does.  Along the borders between people the guided filter makes the shares soft: hair
over another's shoulder belongs to both.

Source: Zhou et al., "Objects as Points", 2019 (decoding); Grady, "Multilabel Random Walker Image Segmentation Using
Prior Models", CVPR 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import ShapeError
from bshm.geometry import shrink
from bshm.matting.refine import guided_filter
from bshm.types import FloatArray, PixelArray

_Region = npt.NDArray[np.bool_]

NOSE, EYES, EARS = 0, (1, 2), (3, 4)
_SHOULDERS, _ELBOWS, _WRISTS = (5, 6), (7, 8), (9, 10)
_HIPS, _KNEES, _ANKLES = (11, 12), (13, 14), (15, 16)
_HEAD = (0, 1, 2, 3, 4)
# Bones and their thickness at both ends, in shoulder widths; the trunk and the head are made of them, too.
_BONES = (
    (5, 7, 0.22, 0.18), (7, 9, 0.18, 0.16), (6, 8, 0.22, 0.18), (8, 10, 0.18, 0.16),
    (5, 6, 0.25, 0.25), (11, 12, 0.28, 0.28), (5, 11, 0.28, 0.28), (6, 12, 0.28, 0.28), (5, 12, 0.3, 0.28),
    (6, 11, 0.3, 0.28), (11, 13, 0.26, 0.2), (13, 15, 0.2, 0.16), (12, 14, 0.26, 0.2), (14, 16, 0.2, 0.16),
)  # fmt: skip

# Somebody's middle is at least so likely.
_MIDDLE = 0.17
# Cells around a peak that may not be one of their own.
_PEAK_CELLS = 2
# A keypoint is seen from here on; below, the offset alone says where it must be.
_SEEN = 0.12
# What lies within the box, but near no bone, is so many thicknesses away.
_IN_BOX = 2.0
# What speaks against a person in a blob that the body does not reach, for each thickness that it lies further away.
_ELSEWHERE = 2.0
# A head that nobody has been found for: its keypoints are at least so likely.
_HEAD_SEEN = 0.3
MOST_PEOPLE = 20


@dataclass(frozen=True)
class Clues:
    """What the network says of a picture, in cells of four of its pixels.

    Attributes:
        middle: (h, w) float32, 0..1: the middle of a person.
        keypoints: (17, h, w) float32, 0..1: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; of each
            pair the person's left one first.
        offsets: (17, 2, h, w) float32: (y, x) from a middle to each of its keypoints, in cells.
        sizes: (2, h, w) float32: height and width of the person around a middle, in cells.
    """

    middle: FloatArray
    keypoints: FloatArray
    offsets: FloatArray
    sizes: FloatArray

    def body(self) -> FloatArray:
        """(h, w) float32, 0..1: how likely there is anybody's middle or any joint."""
        return np.asarray(np.maximum(self.middle, self.keypoints.max(0)), np.float32)


@dataclass(frozen=True)
class Skeleton:
    """A person found by keypoints.

    Attributes:
        points: (17, 2) float32, (y, x) as a share of the picture's height and width; may lie outside.
        seen: (17,) float32, 0..1: how well each is seen there.
        score: how likely it is a person, 0..1.
        box: (top, left, bottom, right) of the person, as shares likewise; for a head alone, of the head.
        whole: whether all points are known; otherwise the head alone was found.
    """

    points: FloatArray
    seen: FloatArray
    score: float
    box: tuple[float, float, float, float]
    whole: bool = True


@dataclass(frozen=True)
class PeopleApart:
    """The people of a picture.

    Attributes:
        planes: (H, W) float32, 0..1, one a person, from left to right; they add up to alpha.
        depth: indices of ``planes``, from the back to the front, as far as it can be told.
        bodies: for each of ``planes`` (h, w) float32, at ``working_size``: how far a pixel lies from the body's axis,
            in thicknesses; below 1 it is within the body.  None for a blob of alpha in which no body was found.
    """

    planes: tuple[FloatArray, ...]
    depth: tuple[int, ...]
    bodies: tuple[FloatArray | None, ...] = ()


def find(clues: Clues) -> list[Skeleton]:
    """Everybody whose middle or head is in sight, the surest first."""
    height, width = clues.middle.shape
    size = np.array([height, width], np.float32)
    highest = cv2.dilate(clues.middle, np.ones((2 * _PEAK_CELLS + 1,) * 2, np.uint8))
    ys, xs = np.nonzero((clues.middle >= highest) & (clues.middle >= _MIDDLE))
    order = np.argsort(-clues.middle[ys, xs], kind="stable")[:MOST_PEOPLE]
    found: list[Skeleton] = []
    for y, x in zip(ys[order], xs[order], strict=True):
        guess = clues.offsets[:, :, y, x] + np.array([y, x], np.float32)
        tall = max(float(clues.sizes[:, y, x].max()), 4.0)
        points, seen = _seen_near(clues.keypoints, guess, tall)
        half = clues.sizes[:, y, x] / 2
        box = np.concatenate((np.array([y, x]) + 0.5 - half, np.array([y, x]) + 0.5 + half)) / np.tile(size, 2)
        top, left, bottom, right = (float(side) for side in box)
        skeleton = Skeleton((points + 0.5) / size, seen, float(clues.middle[y, x]), (top, left, bottom, right))
        if not any(_same(skeleton, other, size) for other in found):
            found.append(skeleton)
    return found + _heads(clues.keypoints, found, size)


def _seen_near(keypoints: FloatArray, guess: FloatArray, tall: float) -> tuple[FloatArray, FloatArray]:
    """The keypoints near where they must be: (17, 2) in cells, (17,) how well they are seen."""
    count, height, width = keypoints.shape
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    points, seen = guess.astype(np.float32).copy(), np.zeros(count, np.float32)
    spread = 2 * max(1.5, 0.06 * tall) ** 2
    for index in range(count):
        near_y = np.exp(-((rows - guess[index, 0]) ** 2) / spread)
        near_x = np.exp(-((columns - guess[index, 1]) ** 2) / spread)
        likely = keypoints[index] * near_y[:, None] * near_x[None]
        at = int(likely.argmax())
        y, x = divmod(at, width)
        seen[index] = keypoints[index, y, x] if likely[y, x] >= _SEEN / 2 else likely[y, x]
        if likely[y, x] >= _SEEN:
            points[index] = (y, x)
    return points, seen


def _same(one: Skeleton, other: Skeleton, size: FloatArray) -> bool:
    """Whether two skeletons are of one person: most of their points coincide."""
    apart = np.hypot(*((one.points - other.points) * size).T)
    extent = max(_shoulder_width(one, size), _shoulder_width(other, size))
    return float(np.median(apart)) < 0.25 * extent


def _shoulder_width(skeleton: Skeleton, size: FloatArray) -> float:
    """The width of the shoulders, seen from the front, in cells or pixels of ``size``: what thicknesses go by."""
    points = skeleton.points * size
    if not skeleton.whole:
        return _head_radius(points, skeleton.seen) * 2.6
    shoulders, hips = points[list(_SHOULDERS)], points[list(_HIPS)]
    across = float(np.hypot(*(shoulders[0] - shoulders[1])))
    trunk = float(np.hypot(*(shoulders.mean(0) - hips.mean(0))))
    neck = float(np.hypot(*(points[list(_HEAD)].mean(0) - shoulders.mean(0))))
    # Seen from the side the shoulders are narrow, from above the trunk is short.
    return max(across, 0.65 * trunk, 0.8 * neck, 2.0)


def _head_radius(points: FloatArray, seen: FloatArray) -> float:
    head = points[list(_HEAD)][seen[list(_HEAD)] >= _SEEN]
    if len(head) < 2:
        return 2.0
    apart = np.hypot(*(head[:, None] - head[None]).transpose(2, 0, 1))
    return max(2.0, 0.85 * float(apart.max()))


def _heads(keypoints: FloatArray, found: Sequence[Skeleton], size: FloatArray) -> list[Skeleton]:
    """Heads that belong to nobody found: people who are hidden from the neck down, or cut by the frame."""
    left = keypoints[list(_HEAD)].copy()
    rows, columns = np.mgrid[: keypoints.shape[1], : keypoints.shape[2]].astype(np.float32)

    def take(skeleton: Skeleton) -> None:
        points = skeleton.points * size - 0.5
        centre, radius = _head_of(points, skeleton.seen, _shoulder_width(skeleton, size))
        left[:, np.hypot(rows - centre[0], columns - centre[1]) < 0.8 * radius + 0.5] = 0
        for index in _HEAD:
            left[index, np.hypot(rows - points[index, 0], columns - points[index, 1]) < 0.8 * radius + 1] = 0

    for skeleton in found:
        take(skeleton)
    more: list[Skeleton] = []
    while len(found) + len(more) < MOST_PEOPLE:
        kind, y, x = np.unravel_index(int(left.argmax()), left.shape)
        best = float(left[kind, y, x])
        if best < _HEAD_SEEN:
            break
        points, seen = np.full((17, 2), (y, x), np.float32), np.zeros(17, np.float32)
        for index in _HEAD:
            near = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 3.0**2)) * left[index]
            at_y, at_x = np.unravel_index(int(near.argmax()), near.shape)
            points[index], seen[index] = (at_y, at_x), left[index, at_y, at_x]
        head = (points[list(_HEAD)] + 0.5) / size
        (top, left_side), (bottom, right) = head.min(0), head.max(0)
        box = (float(top), float(left_side), float(bottom), float(right))
        skeleton = Skeleton((points + 0.5) / size, seen, best, box, whole=False)
        take(skeleton)
        left[:, np.hypot(rows - y, columns - x) < 2.5] = 0
        if (seen[list(_HEAD)] >= _HEAD_SEEN / 2).sum() >= 3:
            more.append(skeleton)
    return more


def _head_of(points: FloatArray, seen: FloatArray, shoulders: float) -> tuple[FloatArray, float]:
    """Middle and radius of a head."""
    weights = np.maximum(seen[list(_HEAD)], 1e-3)
    centre = (points[list(_HEAD)] * weights[:, None]).sum(0) / weights.sum()
    return centre, 0.38 * shoulders


def _nearness(skeleton: Skeleton, size_hw: tuple[int, int]) -> FloatArray:
    """(h, w) float32: how far each pixel lies from a body's axis, in thicknesses; below 1 it is within the body."""
    height, width = size_hw
    size = np.array(size_hw, np.float32)
    points = skeleton.points * size - 0.5
    shoulders = _shoulder_width(skeleton, size)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    centre, radius = _head_of(points, skeleton.seen, shoulders)
    result = np.hypot(rows - centre[0], columns - centre[1]) / radius
    if not skeleton.whole:
        # What hangs on to the head: neck and shoulders, an upright body's.
        neck = centre + np.array([1.5 * radius, 0], np.float32)
        bones = [(centre, neck, 0.2, 0.25), (neck, neck + np.array([shoulders, 0], np.float32), 0.4, 0.4)]
        penalties = [0.3, 0.6]
    else:
        neck = points[list(_SHOULDERS)].mean(0)
        bones = [(centre, neck, 0.25, 0.25)]
        penalties = [0.0]
        for one, other, thick, thin in _BONES:
            bones.append((points[one], points[other], thick, thin))
            penalties.append(0.8 * (1 - min(1.0, float(min(skeleton.seen[one], skeleton.seen[other])) / 0.4)))
    for (start, end, thick, thin), penalty in zip(bones, penalties, strict=True):
        along = end - start
        length = max(float(along @ along), 1e-3)
        share = np.clip(((rows - start[0]) * along[0] + (columns - start[1]) * along[1]) / length, 0, 1)
        off = np.hypot(rows - start[0] - share * along[0], columns - start[1] - share * along[1])
        body = (thick + (thin - thick) * share) * shoulders
        np.minimum(result, off / body + penalty, out=result)
    if skeleton.whole:
        # Limbs may be missed; the person still ends where the box does.
        top, left, bottom, right = (
            side * length for side, length in zip(skeleton.box, (*size_hw, *size_hw), strict=True)
        )
        beside = np.hypot(
            np.maximum(np.maximum(top - rows, rows - bottom), 0),
            np.maximum(np.maximum(left - columns, columns - right), 0),
        )
        np.minimum(result, _IN_BOX + beside / (0.3 * shoulders), out=result)
    return np.asarray(result, np.float32)


# Side of the square whose area the picture is shared out at.
_AREA_PX = 256
# Alpha from here on is somebody; a blob of it so large, against the people found, is a person of its own.
_SOMEBODY, _OF_ITS_OWN = 0.4, 0.3
# Of a picture without any skeleton, a blob is a person when it has so much of the largest one's area.
_BLOB_OF_LARGEST = 0.2
# How much colours count against nearness, how strongly a first guess holds against its neighbours, and how much a
# difference in colour (0..1) parts them.
_COLOURS, _HOLDS, _PARTS = 1.0, 0.02, 500.0
_LEVELS = 12  # of each channel, where colours are counted
_STEPS = 120  # of the random walk's solver
_BORDER_PX = 1.0  # how soft it is before the picture decides
_LEAST = 0.002  # of alpha that a person has
# How much a natural logarithm of area counts against the share of a body that another covers.
_LARGER_IS_NEARER = 0.1
_CLAIMED = 0.05  # the sum of all shares of a pixel that somebody wants


def share(pixels: PixelArray, alpha: FloatArray, skeletons: Sequence[Skeleton]) -> PeopleApart:
    """Share alpha out among the people of a picture.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        alpha: (H, W) float32, 0..1.
        skeletons: who was found, by ``find``.

    Returns:
        one plane a person.  Nobody found, but alpha: its blobs.  No alpha: none.

    Raises:
        ShapeError: pixels and alpha differ in size.
    """
    if pixels.shape[:2] != alpha.shape:
        raise ShapeError(f"share() needs one height and width; got pixels {pixels.shape} and alpha {alpha.shape}.")
    size = working_size(alpha.shape[0], alpha.shape[1])
    small = np.asarray(shrink(pixels, size) / np.float32(np.iinfo(pixels.dtype).max), np.float32)
    body = np.asarray(cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    near, count = _people(body, skeletons)
    if not len(near):
        return PeopleApart((), ())
    if len(near) == 1:
        return PeopleApart((alpha,), (0,), (near[0] if count else None,))
    likely = _likely(near, small, body)
    # Where somebody stands is known from near; far from everybody only the neighbours say anything.
    firm = np.asarray(np.exp(-(np.minimum(near.min(0), 4) ** 2) / 4) * _HOLDS + 1e-4, np.float32)
    owner = _without_scraps(_walk(likely, firm, small, body), near, body)
    shares = _soft(owner, len(near))  # a walk in doubt would leave ghosts
    present = [index for index in range(len(shares)) if float((shares[index] * body).sum()) > _LEAST * body.sum()]
    if len(present) < 2:
        whole = [index for index in present if index < count]
        return PeopleApart((alpha,), (0,), (near[whole[0]] if whole else None,))
    present.sort(key=lambda index: _middle_column(shares[index] * body))
    bodies = tuple(near[index] if index < count else None for index in present)
    shares, near = shares[present], near[present]
    shares /= np.maximum(shares.sum(0), 1e-6)
    return PeopleApart(_enlarged(shares, pixels, alpha), _depth(shares, near, body), bodies)


def divide(pixels: PixelArray, alpha: FloatArray, likely: FloatArray) -> tuple[FloatArray, ...]:
    """Share alpha out by a guess of whose each pixel is; the picture's edges decide where one ends.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        alpha: (H, W) float32, 0..1.
        likely: (N, h, w) float32, adding up to 1, at ``working_size``.

    Returns:
        one plane (H, W) for each of the N; they add up to alpha.
    """
    size = (likely.shape[1], likely.shape[2])
    small = np.asarray(shrink(pixels, size) / np.float32(np.iinfo(pixels.dtype).max), np.float32)
    body = np.asarray(cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    ordered = np.sort(likely, axis=0)
    firm = np.asarray((ordered[-1] - ordered[-2]) * _HOLDS + 1e-4, np.float32)
    return _enlarged(
        _soft(np.asarray(_walk(likely, firm, small, body).argmax(0), np.int64), len(likely)), pixels, alpha
    )


def _soft(owner: npt.NDArray[np.int64], count: int) -> FloatArray:
    """(N, h, w): everybody's own but for a narrow border, which the picture then decides."""
    return np.stack([
        np.asarray(cv2.GaussianBlur((owner == person).astype(np.float32), (0, 0), _BORDER_PX), np.float32)
        for person in range(count)
    ])  # fmt: skip


def _depth(shares: FloatArray, near: FloatArray, body: FloatArray) -> tuple[int, ...]:
    """Who stands behind whom: where two bodies meet, the one in front is seen; and whoever is larger is nearer."""
    owner = np.where(body > _SOMEBODY, shares.argmax(0), -1)
    # Close to the bones: further out a body may end, and another be seen beside it.
    cores = near < 0.5
    people = range(len(shares))
    sizes = np.maximum(cores.sum((1, 2)), 1)
    covered = np.array(
        [[np.count_nonzero(cores[one] & (owner == other)) / sizes[one] for other in people] for one in people]
    )
    large = np.log(np.array([1 + np.count_nonzero(owner == one) for one in people]))
    before = covered.T - covered + _LARGER_IS_NEARER * (large[:, None] - large)
    return tuple(sorted(people, key=lambda one: float(np.sign(before[one]).sum())))


def working_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which a picture is shared out."""
    scale = min(1.0, _AREA_PX / (height * width) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _middle_column(plane: FloatArray) -> float:
    across = plane.sum(0)
    return float((across * np.arange(len(across))).sum() / max(float(across.sum()), 1e-6))


def _people(body: FloatArray, skeletons: Sequence[Skeleton]) -> tuple[FloatArray, int]:
    """(N, h, w): nearness to each person that alpha has something of, skeletons first, then blobs of their own; and
    how many are skeletons."""
    size = (body.shape[0], body.shape[1])
    near = [_nearness(skeleton, size) for skeleton in skeletons]
    # A skeleton without alpha is a statue, a poster or nobody: the mask knows better.
    near = [plane for plane in near if float((body * (plane < 1)).sum()) > 0.25 * float((plane < 1).sum())]
    count, blobs, stats, _ = cv2.connectedComponentsWithStats((body > _SOMEBODY).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count < 2:
        return np.zeros((0, *size), np.float32), 0
    skeletal = len(near)
    if near:
        held = np.unique(blobs[np.stack(near).min(0) < 1])
        mean = float(areas[[blob - 1 for blob in held if blob > 0]].sum()) / len(near)
        more = [blob for blob in range(1, count) if blob not in held and areas[blob - 1] > _OF_ITS_OWN * mean]
    else:
        more = [blob for blob in range(1, count) if areas[blob - 1] > _BLOB_OF_LARGEST * areas.max()]
    for blob in more:
        away = cv2.distanceTransform((blobs != blob).astype(np.uint8), cv2.DIST_L2, 5)
        near.append((away / (0.1 * float(areas[blob - 1]) ** 0.5)).astype(np.float32))
    return np.stack(near), skeletal


def _likely(near: FloatArray, small: FloatArray, body: FloatArray) -> FloatArray:
    """(N, h, w), adding up to 1: whose each pixel is, by nearness and colour alone."""
    far = np.where(near < 4, 0.5 * near**2, 4 * near - 8) + _elsewhere(near, body)
    ordered = np.sort(near, axis=0)
    clear = (body > 0.5) & (ordered[0] < 0.8) & (ordered[1] > ordered[0] + 0.5)
    levels = np.minimum((small * _LEVELS).astype(np.int32), _LEVELS - 1)
    index = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    owner = near.argmin(0)
    counts = np.stack([
        _smoothed(np.bincount(index[clear & (owner == person)], minlength=_LEVELS**3)) for person in range(len(near))
    ])  # fmt: skip
    colour = np.log(counts + 2e-3)[:, index]
    colour -= colour.max(0)
    energy = far - _COLOURS * np.maximum(colour, -3)
    energy -= energy.min(0)
    likely = np.exp(-energy)
    return np.asarray(likely / likely.sum(0), np.float32)


def _elsewhere(near: FloatArray, body: FloatArray) -> FloatArray:
    """(N, h, w): what speaks against a person in a blob that the person's body does not reach."""
    _, blobs = cv2.connectedComponents((body > _SOMEBODY).astype(np.uint8), connectivity=8)
    result = np.zeros_like(near)
    for blob in range(1, int(blobs.max()) + 1):
        where = blobs == blob
        closest = near[:, where].min(1)
        result[:, where] = (_ELSEWHERE * np.clip(closest - closest.min() - 0.3, 0, 3))[:, None]
    return result


def _smoothed(counts: npt.NDArray[np.int64]) -> FloatArray:
    """How common each colour is, 1 for the most common, neighbours counted in."""
    cube = counts.reshape(_LEVELS, _LEVELS, _LEVELS).astype(np.float32)
    for axis in range(3):
        padded = np.moveaxis(np.pad(cube, [(1, 1) if each == axis else (0, 0) for each in range(3)]), axis, 0)
        cube = np.moveaxis(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:], 0, axis)
    cube /= max(float(cube.sum()), 1e-6)
    return cube.ravel()


def _walk(likely: FloatArray, firm: FloatArray, small: FloatArray, body: FloatArray) -> FloatArray:
    """(N, h, w): the chance that a random walk from each pixel ends with each person.

    Steps across an edge of the picture, or of alpha, are rare.  Conjugate gradients solve for all people at once.
    """
    seen = np.concatenate((small, 0.7 * body[..., None]), axis=2)
    across = np.exp(-_PARTS * ((seen[:, 1:] - seen[:, :-1]) ** 2).sum(2)) + np.float32(1e-3)
    down = np.exp(-_PARTS * ((seen[1:] - seen[:-1]) ** 2).sum(2)) + np.float32(1e-3)
    diagonal = firm.copy()
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down

    def times(x: FloatArray) -> FloatArray:
        result = diagonal * x
        result[:, :, :-1] -= across * x[:, :, 1:]
        result[:, :, 1:] -= across * x[:, :, :-1]
        result[:, :-1] -= down * x[:, 1:]
        result[:, 1:] -= down * x[:, :-1]
        return result

    wanted = firm * likely
    x = likely.copy()
    rest = wanted - times(x)
    scaled = rest / diagonal
    way = scaled.copy()
    before = (rest * scaled).sum((1, 2), keepdims=True)
    for _ in range(_STEPS):
        moved = times(way)
        step = before / np.maximum((way * moved).sum((1, 2), keepdims=True), 1e-12)
        x += step * way
        rest -= step * moved
        scaled = rest / diagonal
        after = (rest * scaled).sum((1, 2), keepdims=True)
        way = scaled + after / np.maximum(before, 1e-12) * way
        before = after
    return np.clip(x, 0, 1)


def _without_scraps(shares: FloatArray, near: FloatArray, body: FloatArray) -> npt.NDArray[np.int64]:
    """(h, w): who owns each pixel; islands far from their owner's body go to whom they touch."""
    owner = np.asarray(shares.argmax(0), np.int64)
    result = owner.copy()
    for person in range(len(shares)):
        count, parts, stats, _ = cv2.connectedComponentsWithStats(
            ((owner == person) & (body > _SOMEBODY)).astype(np.uint8), connectivity=4
        )
        if count < 3:
            continue
        areas = stats[1:, cv2.CC_STAT_AREA]
        for part in range(1, count):
            where = parts == part
            if areas[part - 1] < 0.08 * areas.max() and float((near[person][where] < 0.7).mean()) < 0.15:
                ring = cv2.dilate(where.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~where
                ring &= body > _SOMEBODY
                if ring.any():
                    result[where] = np.bincount(owner[ring], minlength=len(shares)).argmax()
    return result


def _enlarged(shares: FloatArray, pixels: PixelArray, alpha: FloatArray) -> tuple[FloatArray, ...]:
    """The planes at the picture's size: shares along the picture's own edges, times alpha, that add up to it."""
    planes = [guided_filter.refine(pixels, np.ascontiguousarray(share)) for share in shares]
    total = _sum(planes)
    lost = total < _CLAIMED
    if lost.any():  # nobody claims it: as it was before
        for plane, one in zip(planes, shares, strict=True):
            plane[lost] = cv2.resize(one, (alpha.shape[1], alpha.shape[0]))[lost]
        total = _sum(planes)
    factor = np.divide(alpha, np.maximum(total, np.float32(1e-6), out=total), out=total)
    for plane in planes:
        np.multiply(plane, factor, out=plane)
    return tuple(planes)


def _sum(planes: Sequence[FloatArray]) -> FloatArray:
    """Without a copy of them all, as ``np.sum`` would make."""
    total = planes[0].copy()
    for plane in planes[1:]:
        total += plane
    return total
