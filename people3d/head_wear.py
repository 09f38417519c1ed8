"""What is worn on the head and before the face."""

from __future__ import annotations

import numpy as np

from people3d.blender import surface
from people3d.clothes import wear_garment
from people3d.figure import Figure, Fuzz
from people3d.forms import lathe, moved, sweep, tube, turned
from people3d.materials import Material, cloth, paint, plain
from people3d.maths import Array, nearest, pick, relaxed, rotation, smooth, triangles, unit, vertex_normals

HATS: dict[str, float] = {
    "none": 6.5, "beanie": 1.1, "cap": 1.2, "fedora": 0.8, "helmet": 0.8, "phones": 0.7, "glasses": 2.2,
    "headscarf": 1.1,
}  # fmt: skip
NO_ROOM_FOR_HAIR = ("beanie", "helmet", "fedora", "cap")


def put_on(figure: Figure) -> Array:
    """Something on the head, and at times a mask on the face; returns how far each vertex lies under a hat, 0..1."""
    rng, rest = figure.rng, figure.rest
    hat = pick(rng, HATS)
    figure.facts["hat"] = hat
    under = np.zeros(len(rest))
    if hat == "headscarf":
        _head_scarf(figure, cloth(rng, figure.photos, rng.uniform(0, 0.4)))
    masked = bool(rng.random() < 0.1 and hat != "phones")
    figure.facts["facemask"] = masked
    if masked:
        colours = [(0.35, 0.55, 0.7), (0.75, 0.74, 0.72), (0.02, 0.02, 0.022)]
        own = rng.random() < 0.35
        _face_mask(figure, cloth(rng, figure.photos, 0.1) if own else plain(colours[rng.integers(3)], 0.8, 0.2))
    if hat in ("beanie", "helmet", "cap"):
        return _close_hat(figure, hat)
    if hat == "fedora":
        wear_garment(figure, "fedora", plain(rng.random(3) * 0.4, 0.9))
        return np.asarray(smooth((rest - figure.head_at_rest)[:, 2], 0.0, 0.02))
    if hat == "phones":
        _headphones(figure)
    if hat == "glasses":
        _glasses(figure)
    return under


def _close_hat(figure: Figure, hat: str) -> Array:
    """A hat that follows the skull: the scalp, blown up, with a rim."""
    rng, rest, centre = figure.rng, figure.rest, figure.head_at_rest
    body, scalp = figure.body.faces("body"), figure.body.scalp
    faces = body[scalp[body].min(1) > 0]
    local = rest - centre
    inflate = {"beanie": 0.018, "helmet": 0.035, "cap": 0.014}[hat]
    rim = rng.uniform(-0.01, 0.025)
    faces = faces[local[faces][..., 2].max(1) > rim - 0.03]
    shell = centre + local + unit(local) * inflate
    shell[:, 2] = np.maximum(shell[:, 2], centre[2] + rim)
    slack = np.where(local[:, 2] > 0.03, (local[:, 2] - 0.03) * rng.uniform(0.1, 0.8), 0)
    shell[:, 2] += slack * (hat == "beanie")
    points = figure.on_head(shell)
    if hat == "cap":
        material = cloth(rng, figure.photos, 0.2) if rng.random() < 0.6 else paint(rng, 0.8, 0.2)
        figure.add(points, faces, material, rest=rest, rounding=2)
        _visor(figure, material, local[faces.ravel()], rim, inflate)
    elif hat == "beanie":
        material = cloth(rng, figure.photos, 1.0)
        figure.add(points, faces, material, rest=rest * 1.5, rounding=1)
        figure.fuzz.append(Fuzz(points, faces, 16000, rng.uniform(0.003, 0.008), material.colour))
        if rng.random() < 0.5:
            _pompom(figure, material, points[np.argmax(shell[:, 2] * (scalp > 0))])
    else:
        figure.add(points, faces, plain(rng.random(3), 0.15, 0.6), rounding=2)
    figure.solid.append((points, faces))
    return np.asarray(smooth(local[:, 2], rim - 0.02, rim))


def _visor(figure: Figure, material: Material, crown: Array, rim: float, inflate: float) -> None:
    """The visor of a cap, forwards or, at times, backwards."""
    rng = figure.rng
    side = 1.0 if rng.random() < 0.2 else -1.0
    reach = np.abs(crown[crown[:, 1] * side > 0][:, 1]).max() + inflate
    a, out = np.linspace(-1, 1, 21), np.linspace(0, 1, 6)[:, None]
    x = 0.074 * np.sin(a * 1.45)[None] * (1 + 0.06 * out)
    long = rng.uniform(0.055, 0.075)
    y = side * (reach * np.cos(a * 1.45) ** 0.8 * 0.92 + out * long * np.cos(a * 1.35))
    z = rim + 0.004 - out * 0.022 - 0.035 * (a**2)[None] * out - 0.004
    points = np.stack([x, y, z + 0 * x], -1).reshape(-1, 3)
    i, j = np.arange(5)[:, None] * 21, np.arange(20)
    faces = np.stack([i + j, i + j + 1, i + 22 + j, i + 21 + j], -1).reshape(-1, 4)
    for below in (0, 0.003):  # two sheets: a visor has a thickness
        there = figure.on_head(points + figure.head_at_rest - [0, 0, below])
        figure.add(there, faces, material, rest=points, rounding=1)


def _pompom(figure: Figure, material: Material, top: Array) -> None:
    half = np.linspace(0.01, 3.13, 9)
    points, faces = moved(lathe([(0.03 * np.sin(a), -0.03 * np.cos(a)) for a in half], 14), top)
    figure.add(points, faces, material)
    figure.fuzz.append(Fuzz(points, faces, 9000, 0.03, material.colour, frizz=0.003))


def _headphones(figure: Figure) -> None:
    a = np.linspace(0, np.pi, 24)
    band = np.stack([0.09 * np.cos(a), 0.0 * a + 0.01, -0.03 + 0.145 * np.sin(a)], 1)
    material = plain(figure.rng.random(3) * 0.3, 0.3)
    figure.add(*tube(band @ figure.head_turn.T + figure.head, 0.009, 8, 1.6), material)
    for side in (1, -1):
        shell = lathe([(0.0, -0.018), (0.04, -0.018), (0.045, 0), (0.04, 0.02), (0, 0.022)], 24)
        shell = moved(turned(shell, rotation((0, 1, 0), np.pi / 2 * side)), [side * 0.085, 0.01, -0.035])
        figure.add(*moved(turned(shell, figure.head_turn), figure.head), material)


def _glasses(figure: Figure) -> None:
    """Glasses, two in five of them dark."""
    rng = figure.rng
    material = plain(rng.random(3) * 0.3, 0.25)
    a = np.linspace(0, 2 * np.pi, 30)
    dark = rng.random() < 0.4

    def round_off(x: Array) -> Array:
        return np.asarray(np.sign(x) * np.abs(x) ** 0.7)

    for eye, side in zip(figure.eyes_at_rest, (1, -1), strict=True):
        centre = eye + np.array([0, -0.026, -0.002])
        y = 0.004 * np.cos(a) * side + 0 * a
        rim = centre + np.stack([0.026 * round_off(np.cos(a)), y, 0.02 * round_off(np.sin(a))], 1)
        figure.add(*tube(figure.on_head(rim), 0.0016, 6), material)
        hook = [
            [side * 0.026, 0.002, 0.004], [side * 0.034, 0.01, 0.005], [side * 0.038, 0.05, 0.006],
            [side * 0.04, 0.1, 0.002],
        ]  # fmt: skip
        figure.add(*tube(figure.on_head(centre + np.array(hook)), 0.0018, 6), material)
        if dark:
            lens = plain((0.01, 0.01, 0.012), 0.05, 0.8)
            figure.add(figure.on_head(rim[:-1]), np.array([list(range(29))]), lens)
    left, right = figure.eyes_at_rest
    bridge = [right + [0.026, -0.027, 0.004], figure.eye_at_rest + [0, -0.031, 0.007], left + [-0.026, -0.027, 0.004]]
    figure.add(*tube(figure.on_head(np.array(bridge)), 0.0015, 6), material)


def _head_scarf(figure: Figure, material: Material) -> None:
    """A cloth round head, neck and shoulders: how far the body reaches at each height and angle, hollows bridged.

    The face is cut out; the cloth hangs on the bones of the skin beneath it.
    """
    rng, rest, body = figure.rng, figure.rest, figure.body
    eye, centre, neck = figure.eye_at_rest, figure.head_at_rest, figure.joint_at_rest["neck01"][2]
    skin = body.faces("body")
    top = rest[skin].max((0, 1))[2] + 0.012
    low = neck - rng.uniform(0.08, 0.2)
    near = skin[(np.abs(rest[skin][..., 0]).max(1) < 0.2) & (rest[skin][..., 2].min(1) > low - 0.1)]
    z = top - (top - low) * np.linspace(0, 1, 64)
    angle = np.linspace(0, 2 * np.pi, 110, endpoint=False)
    radius = _reach_of(rest, near, np.minimum(z, top - 0.014), angle, centre[1])
    radius += 0.034 * smooth(z[:, None], neck + 0.02, neck - 0.05)  # over the collar of what is worn
    t = np.linspace(0, 1, len(z))[:, None]
    hem = smooth(t, 0.35, 0.7)
    radius += 0.006 * hem * np.sin(angle * rng.integers(5, 12) + t * rng.uniform(2, 9) + rng.random() * 6)
    radius += 0.003 * np.sin(t * rng.uniform(30, 60) + 2 * np.cos(angle)) * smooth(t, 0.45, 0.6)
    radius[0] = 0.003
    ring = [radius * np.sin(angle), centre[1] - radius * np.cos(angle), np.tile(z[:, None], (1, len(angle)))]
    cloth_at_rest = np.stack(ring, -1).reshape(-1, 3)
    half = np.array([rng.uniform(0.052, 0.062), rng.uniform(0.074, 0.086)])
    faces = _cut_out_face(cloth_at_rest, sweep(len(z), len(angle)), eye + [0, 0, -0.026], half)
    ids = np.unique(near)
    below = ids[nearest(cloth_at_rest, rest[ids])]
    points = body.skin(cloth_at_rest, figure.pose, body.bone_of[below], body.weight[below])
    figure.wear(points, faces, material, rest=cloth_at_rest)


def _reach_of(rest: Array, faces: Array, z: Array, angle: Array, middle: float) -> Array:
    """How far faces reach from an axis at each height and angle, with what is hollow filled: (heights, angles)."""
    tree = surface(rest, triangles(faces))
    radius = np.zeros((len(z), len(angle)))
    for i, height in enumerate(z):
        axis = np.array([0, middle, height])
        for j, a in enumerate(angle):
            out = np.array([np.sin(a), -np.cos(a), 0.0])
            hit = tree.ray_cast(axis + out * 0.5, -out, 0.5)[0]
            if hit is not None:
                radius[i, j] = 0.5 - np.linalg.norm(np.array(hit) - axis - out * 0.5)
    radius = np.clip(radius, 0, 0.2) + 0.012
    radius[0] = 0.003
    inner = np.arange(len(z))[:, None] > 1
    for step in range(30):
        mean = np.pad(radius, ((1, 1), (0, 0)), "edge")
        mean = (mean[:-2] + 2 * mean[1:-1] + mean[2:]) / 4
        mean = (np.roll(mean, 1, 1) + 2 * mean + np.roll(mean, -1, 1)) / 4
        radius = np.where(inner, np.maximum(radius, mean) if step < 26 else mean, radius)
    return radius


def _cut_out_face(points: Array, faces: Array, middle: Array, half: Array) -> Array:
    """The faces without those before the face; points at the edge of the hole are drawn to its outline, in place."""
    x, y, z = (points[faces].mean(1) - middle).T
    faces = faces[~(((x / half[0]) ** 2 + (z / half[1]) ** 2 < 1) & (y < 0.03))]
    edge = np.unique(faces)
    x, y, z = (points[edge] - middle).T
    away = np.sqrt((x / half[0]) ** 2 + (z / half[1]) ** 2)
    near = (np.abs(away - 1) < 0.13) & (y < 0.03)
    pull = 1 + (1 / away[near] - 1) * 0.8
    points[edge[near], 0] = middle[0] + x[near] * pull
    points[edge[near], 2] = middle[2] + z[near] * pull
    return faces


def _face_mask(figure: Figure, material: Material) -> None:
    """A mask over mouth and nose with loops to the ears."""
    rest, body = figure.rest, figure.body.faces("body")
    x, y, z = (rest - figure.eye_at_rest).T
    chosen = (z < -0.022 - 0.25 * np.abs(x)) & (z > -0.125) & (np.abs(x) < 0.064) & (y < 0.055)
    faces = body[chosen[body].all(1)]
    ids = np.unique(faces)
    sheet = rest.copy()
    middle = np.exp(-((x[ids] / 0.03) ** 2))[:, None]
    sheet[ids] += vertex_normals(rest, faces)[ids] * 0.006 + np.array([0, -0.008, 0]) * middle
    sheet = relaxed(sheet, faces, 10)
    pleats = 0.001 * np.array([0, 1, 0]) * np.sin(rest[ids, 2:] * 700)
    sheet[ids] += np.array([0, -0.005, 0]) - pleats
    figure.wear(figure.body.skin(sheet, figure.pose), faces, material, rest=rest)
    for side in (-1, 1):
        for low in (-0.045, -0.09):
            loop = [
                [side * 0.05, 0.01, low], [side * 0.064, 0.04, (low - 0.04) / 2 - 0.02],
                [side * 0.074, 0.095, -0.03 if low > -0.06 else -0.06],
            ]  # fmt: skip
            path = figure.on_head(np.array(loop) + figure.eye_at_rest)
            figure.add(*tube(path, 0.0014, 5), plain((0.7, 0.7, 0.7), 0.8))
