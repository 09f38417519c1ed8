"""One picture of one person, from who it is to what the camera sees.  Read ``draw_person`` from the top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from people3d import arms, blender, clothes, head_wear, holding
from people3d.body import Body, Character, Turns, draw_character
from people3d.camera import Camera
from people3d.figure import Figure, joints_at_rest
from people3d.finish import Bytes, blur, develop
from people3d.hair import Head, grow_hair
from people3d.hair_styles import choose_colour, choose_style
from people3d.holding import Hold
from people3d.light import HairShadow, Light, draw_light, light_on
from people3d.materials import Material, Photos, iris, plain
from people3d.maths import Array, Random, Surface, pick, rotation, unit
from people3d.raster import SAMPLES, Canvas, draw_strands, draw_triangles
from people3d.shading import shade
from people3d.short_hair import Strands, beard, brows, fuzz, strings
from people3d.strand_light import light_strands
from people3d.straps import Bags

MARGIN_PX = 12
FRAMINGS = {"bust": 4.0, "half": 3.0, "full": 3.0}
_DETAIL = {"bust": 1.0, "half": 0.6, "full": 0.32}  # a smaller person shows fewer, thicker hairs
_AWAY = {"bust": 1.0, "half": 1.6, "full": 2.6}
# From light to dark; linear RGB.
TONES = np.array(
    [
        (0.78, 0.55, 0.45), (0.70, 0.46, 0.35), (0.60, 0.37, 0.26), (0.48, 0.28, 0.18), (0.34, 0.18, 0.11),
        (0.20, 0.10, 0.06), (0.11, 0.055, 0.035),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A picture.

    Attributes:
        foreground: (H, W, 3) uint8, straight sRGB, going on outside the subject.
        alpha: (H, W) uint8, coverage.
        facts: what was drawn.
    """

    foreground: Bytes
    alpha: Bytes
    facts: dict[str, object]


def draw_person(rng: Random, body: Body, photos: Photos, size: int) -> Drawn:
    """A person; the longer side of the picture has about ``size`` pixels.  The same ``rng`` draws the same bytes."""
    facts: dict[str, object] = {}
    who = draw_character(rng)
    rest = body.shape(rng, who)
    framing = pick(rng, FRAMINGS)
    yaw = _turned_by(rng)
    base, turns, hold = _posture(rng, body, rest, framing)
    grasp = holding.take(holding.Reacher(rng, body, rest, turns, joints_at_rest(body, rest)), hold, photos)
    figure = Figure(body, rest, body.pose(rest, turns), rng, photos, facts)
    tone = _skin_tone(rng, who)
    skin = _skin(figure, tone)
    blender.clear()

    clothes.dress(figure, male=who.male, shoes=framing == "full")
    under_hat = head_wear.put_on(figure)
    holding.put_in_hand(figure, hold, grasp)
    visible = _add_body(figure, skin, tone)
    solid = blender.surface_of([(figure.points, visible), *figure.solid])
    Bags(figure, solid).put_on(hold, grasp)
    everything = blender.surface_of([(figure.points, visible), *figure.solid, *figure.things])

    camera = _camera(figure, framing, yaw)
    strands = _hair(figure, who, framing, solid, under_hat)
    _frame(camera, figure, framing, visible, strands, size)
    light = draw_light(rng, photos, figure.head, yaw)
    canvas = Canvas(camera.width, camera.height)
    _draw_meshes(
        figure, camera, canvas, light, everything, HairShadow(strands[0].points, float(strands[0].width.mean()))
    )
    for some in strands:
        seen = light_strands(some, light, everything, camera.place)
        draw_strands(camera, canvas, some.points, seen, some.width)

    def hand(side: str) -> tuple[Array, float]:
        wrist = figure.joint(f"wrist.{side}")
        return camera.pixels(wrist)[0], 0.16 * camera.scale / float(np.linalg.norm(wrist - camera.place))

    focus = float(np.linalg.norm(figure.head - camera.place))
    picture, facts["blur"] = blur(rng, canvas.premultiplied(), canvas.nearest(), size=size, focus=focus, hand=hand)
    facts.update(
        framing=framing, yaw=round(yaw, 2), pose=base, male=round(who.male, 2),
        tone=[round(float(x), 2) for x in tone], w=camera.width, h=camera.height,
        strands=sum(len(some.points) for some in strands), samples=SAMPLES,
    )  # fmt: skip
    return Drawn(*develop(rng, picture), facts)


def _turned_by(rng: Random) -> float:
    """How far the camera goes round: mostly the front, then sides, then backs."""
    ways = [
        rng.uniform(-0.6, 0.6),
        rng.uniform(0.8, 1.9) * rng.choice([-1, 1]),
        rng.uniform(2.2, 3.14) * rng.choice([-1, 1]),
    ]
    return float(rng.choice(ways, p=[0.55, 0.25, 0.2]))


def _posture(rng: Random, body: Body, rest: Array, framing: str) -> tuple[str, Turns, Hold]:
    """A pose of the data with head, spine, arms and fingers changed; and what is held."""
    full = framing == "full"
    base = pick(
        rng,
        {
            "standing01": 2, "standing02": 3, "standing03": 3, "standing04": 3, "standing05": 1, "standing06": 1,
            "sit01": 2.5 * full, "run01": 1.5 * full, "fight01": 0.5, "fight02": 0.4 * full, "fly01": 0.3 * full,
        },
    )  # fmt: skip
    turns = body.base_turns(base)

    def more(bone: str, turn: Array) -> None:
        turns[bone] = turns.get(bone, np.eye(3)) @ turn

    for bone, share in (("neck02", 0.4), ("head", 0.6)):
        aside, nod, lean = rng.normal(0, 0.35), rng.normal(0, 0.2), rng.normal(0, 0.15)
        turn = rotation((0, 0, 1), aside * share) @ rotation((1, 0, 0), nod * share)
        more(bone, turn @ rotation((0, 1, 0), lean * share))
    for bone in ("spine03", "spine02"):
        more(bone, rotation(rng.normal(size=3), rng.normal(0, 0.08)))
    hold = holding.choose(rng, bust=framing == "bust")
    joint = joints_at_rest(body, rest)
    for side, sign in (("L", 1), ("R", -1)):
        raised = rng.uniform(0.3, 2.0) if rng.random() < 0.4 else 0
        bend = rng.uniform(0, 1.9) if raised else rng.uniform(0, 0.5)
        if hold.hangs and side == hold.main:
            raised, bend = rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.5)
        fore = unit(joint[f"wrist.{side}"] - joint[f"lowerarm01.{side}"])
        lift = rotation((0, -sign, 0), raised) @ rotation((0, 0, 1), sign * -0.4 * raised * rng.random())
        more(f"upperarm01.{side}", lift)
        more(f"lowerarm01.{side}", rotation(np.cross(fore, [0, -1, 0]), bend))
        curl = _curl(rng, hold, side)
        spread = rng.uniform(0, 0.25) if curl < 0.15 else 0
        arms.bend_fingers(joint, more, side, curl, spread, rng)
    return base, turns, hold


def _curl(rng: Random, hold: Hold, side: str) -> float:
    """How far fingers close: round what they hold, or as it happens."""
    if side == hold.main and hold.what != "none":
        return float(rng.uniform(1.0, 1.2) if hold.closed else rng.uniform(0.35, 0.6))
    if hold.both:
        return float(rng.uniform(0.25, 0.5))
    return float(rng.choice([rng.uniform(0, 0.1), rng.uniform(0.2, 0.6)]))


def _skin_tone(rng: Random, who: Character) -> Array:
    dark = who.race[0] * 5.5 + who.race[1] * 2.2 + who.race[2] * 1.0
    dark = np.clip(dark + rng.normal(0, 0.8), 0, 6)
    i = int(min(dark, 5))
    tone = TONES[i] + (TONES[i + 1] - TONES[i]) * (dark - i)
    tinted: Array = tone * np.array([1, rng.uniform(0.94, 1.06), rng.uniform(0.9, 1.08)])
    return tinted


def _skin(figure: Figure, tone: Array) -> Array:
    """Colour of the skin per vertex: lips, cheeks, ears and lids are redder or darker."""
    mask = figure.body.mask
    rest = figure.rest
    cheek: Array = np.zeros((len(rest), 1))
    for eye in figure.eyes_at_rest:
        distance = ((rest - (eye + np.array([0, -0.01, -0.035]))) ** 2).sum(1)
        cheek = cheek + np.exp(-distance / 0.02**2)[:, None]
    skin = np.tile(tone, (len(rest), 1)) * (1 - 0.25 * mask("lips") * [0.35, 1.4, 1.1] * figure.rng.uniform(0.6, 1.6))
    skin = skin * (1 - 0.18 * cheek * [0.1, 1, 0.9]) * (1 - 0.12 * mask("ears") * [0, 1, 1])
    coloured: Array = skin * (1 - 0.15 * mask("eyelids"))
    return coloured


def _add_body(figure: Figure, skin: Array, tone: Array) -> Array:
    """Queue skin, eyes and teeth; returns the faces of the body that no clothes hide."""
    body, rng, rest = figure.body, figure.rng, figure.rest
    faces = body.faces("body")
    visible: Array = faces[~figure.hidden[faces].all(1)]
    material = Material("skin", tone, 0.45, 0.45)
    figure.add(figure.points, visible, material, rest=rest, rounding=1, more={"skin": skin}, is_body=True, culled=True)
    eye = iris(rng)
    for side, middle in zip("lr", figure.eyes_at_rest, strict=True):
        out = unit(rest - middle)
        gaze = {"gaze": np.stack([out[:, 0], out[:, 2], -out[:, 1]], 1)}
        figure.add(figure.points, body.faces(f"{side}-eye"), eye, more=gaze, is_body=True, culled=True)
    teeth = plain((0.7, 0.66, 0.58), 0.3)
    for row in ("upper-teeth", "lower-teeth"):
        figure.add(figure.points, body.faces(row), teeth, is_body=True)
    return visible


def _camera(figure: Figure, framing: str, yaw: float) -> Camera:
    rng = figure.rng
    aim = {
        "bust": figure.head - figure.head_turn @ np.array([0, 0, 0.12]),
        "half": figure.joint("spine02"),
        "full": figure.points.mean(0),
    }[framing]
    distance = rng.uniform(1.1, 2.6) * _AWAY[framing]
    pitch = rng.normal(0.03, 0.15)
    way = [np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch)]
    return Camera(aim + distance * np.array(way), aim, rng.normal(0, 0.04))


def _hair(figure: Figure, who: Character, framing: str, solid: Surface, under_hat: Array) -> list[Strands]:
    """All hair, that of the head first, the strings of things last."""
    rng, body, facts = figure.rng, figure.body, figure.facts
    detail, hat = _DETAIL[framing], facts["hat"]
    style = choose_style(rng, male=who.male, flat=hat in head_wear.NO_ROOM_FOR_HAIR)
    colour_name, colour = choose_colour(rng, old=who.age[2], pale=who.race[2])
    facts.update(hair=style, hair_colour=colour_name)
    faces = body.faces("body")
    head = Head(figure.points, faces[body.scalp[faces].min(1) > 0], figure.head_turn, figure.head)
    covered = hat == "headscarf"
    density = body.scalp if covered else body.scalp * (1 - under_hat)
    hair = grow_hair(rng, style, head, density, solid, 0.02 if covered else detail)
    if covered:  # stubs: the cloth hides them
        hair = hair[:, :1] + (hair - hair[:, :1]) * 0.004
    n, k = hair.shape[:2]
    tint = colour * rng.lognormal(0, 0.28, (n, 1, 1))
    tint = tint * np.linspace(rng.uniform(0.6, 1), rng.uniform(1, 1.4), k)[None, :, None] * np.ones((1, 1, 3))
    width = 0.00011 / detail**0.5 * rng.uniform(0.6, 1.2, (n, 1)) * np.linspace(1, 0.45, k)
    strands = [Strands(hair, np.clip(tint, 0, 0.95), width)]
    strands += brows(figure, colour, detail)
    strands += beard(figure, colour, detail, may=who.male > 0.6 and who.age[0] < 0.4)
    strands += [fuzz(rng, coat, detail) for coat in figure.fuzz]
    strands += [strings(ends, np.array(of)) for ends, of in figure.strings]
    return strands


def _frame(camera: Camera, figure: Figure, framing: str, visible: Array, strands: list[Strands], size: int) -> None:
    """Cut the frame to the subject; bust and half are cut below."""
    rng = figure.rng
    cut = {
        "bust": figure.joint("spine02")[2] + rng.uniform(-0.12, 0.1),
        "half": figure.joint("upperleg01.L")[2] + rng.uniform(-0.15, 0.05),
        "full": -9.0,
    }[framing]
    worn = [layer.points[layer.mesh.used] for layer in figure.layers if not layer.is_body]
    hair = [some.points[::5, ::3].reshape(-1, 3) for some in strands]
    points = np.concatenate([figure.points[np.unique(visible)], *worn, *hair])
    t, _ = camera.tangents(points)
    bottom = t[points[:, 2] > cut, 1].min()
    t = t[t[:, 1] >= bottom]
    low, high = t.min(0), t.max(0)
    pad = MARGIN_PX / size * max(high - low)
    below = pad if framing == "full" else -0.5 * pad
    camera.frame((low[0] - pad, bottom - below), (high[0] + pad, high[1] + pad), size)


def _draw_meshes(
    figure: Figure, camera: Camera, canvas: Canvas, light: Light, everything: Surface, hair: HairShadow
) -> None:
    rng = figure.rng
    ways = unit(rng.normal(size=(5, 3)))
    for layer in figure.layers:
        to_camera = camera.place - layer.points
        facing = (to_camera * layer.mesh.normals).sum(1) > -0.35 * np.linalg.norm(to_camera, axis=1)
        seen = np.where(layer.mesh.used & camera.sees(layer.points) & facing)[0]
        lamps, openness = light_on(layer, seen, light.lamps, ways, everything, hair)
        points, triangles, values = layer.mesh.subdivided(
            layer.rounding, {**layer.attributes, "lamps": lamps, "open": openness}
        )
        hit, k, weight = draw_triangles(camera, canvas, points, triangles, one_sided=layer.culled)
        if not len(hit):
            continue
        # Coverage and depth are known at every point of the canvas, light at one a pixel.
        wide = canvas.width * SAMPLES
        pixel = hit // wide // SAMPLES * canvas.width + hit % wide // SAMPLES
        one = np.full(canvas.width * canvas.height, -1)
        one[pixel] = np.arange(len(pixel))
        chosen = one[one >= 0]
        back = np.empty(len(one), int)
        back[pixel[chosen]] = np.arange(len(chosen))
        corners, share = triangles[k[chosen]], weight[chosen]
        inside = {name: np.einsum("nk,nkc->nc", share, of[corners]) for name, of in values.items()}
        at = np.einsum("nk,nkc->nc", share, points[corners])
        own = np.random.default_rng(int(rng.integers(1 << 30)))
        lit = shade(own, layer.material, inside, at, camera.place, light)
        canvas.light.reshape(-1, 3)[hit] = lit[back[pixel]]
