"""Arms that reach and fingers that close."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from people3d.body import Body, Turns
from people3d.maths import Array, Random, least_turn, rotation, unit

BEND_OF_A_WRIST = 0.95  # radians


def sign_of(side: str) -> int:
    """1 for the left (``L``), which is +x, and -1 for the right."""
    return 1 if side == "L" else -1


def palm_axes(joint: Mapping[str, Array], side: str) -> Array:
    """The hand at rest as columns: along the fingers, to the thumb's side, out of the palm."""
    fingers = unit(joint[f"finger3-1.{side}"] - joint[f"wrist.{side}"])
    thumb = joint[f"finger2-1.{side}"] - joint[f"finger5-1.{side}"]
    thumb = unit(thumb - fingers * (thumb @ fingers))
    return np.stack([fingers, thumb, -sign_of(side) * np.cross(thumb, fingers)], 1)


def bend_fingers(
    joint: Mapping[str, Array],
    turn_more: Callable[[str, Array], None],
    side: str,
    curl: float,
    spread: float,
    rng: Random,
) -> None:
    """Close a hand: ``curl`` radians a joint, the fingers ``spread`` apart, the thumb a third as much."""
    palm = palm_axes(joint, side)[:, 2]
    for finger in range(2, 6):
        along = unit(joint[f"finger{finger}-2.{side}"] - joint[f"finger{finger}-1.{side}"])
        for phalanx in (1, 2, 3):
            angle = curl * rng.uniform(0.8, 1.1) * (0.75 if phalanx == 1 else 1)
            apart = rotation(palm, spread * (3.5 - finger) * sign_of(side) * (phalanx == 1))
            turn_more(f"finger{finger}-{phalanx}.{side}", rotation(np.cross(along, palm), angle) @ apart)
    along = unit(joint[f"finger1-3.{side}"] - joint[f"finger1-2.{side}"])
    for phalanx in (2, 3):
        turn_more(f"finger1-{phalanx}.{side}", rotation(np.cross(along, palm), curl * 0.35))


def elbow(shoulder: Array, wrist: Array, upper: float, fore: float, hint: Array) -> tuple[Array, Array]:
    """Elbow and wrist of an arm of two bones: the wrist as near to where it should be as the arm allows."""
    way = wrist - shoulder
    distance = np.clip(np.linalg.norm(way), abs(upper - fore) + 0.08, 0.985 * (upper + fore))
    way = unit(way)
    along = (upper**2 - fore**2 + distance**2) / (2 * distance)
    aside = np.sqrt(max(upper**2 - along**2, 0))
    return shoulder + way * along + unit(hint - way * (hint @ way)) * aside, shoulder + way * distance


def reach(
    body: Body,
    rest: Array,
    turns: Turns,
    joint: Mapping[str, Array],
    side: str,
    palm_at: Array,
    fingers: Array,
    thumb: Array,
    hint: Array,
) -> None:
    """Turn an arm so that the middle of its palm comes to a place; ``turns`` is changed.

    Args:
        palm_at: where the palm goes.
        fingers: where the fingers point; a wrist bends ``BEND_OF_A_WRIST`` at most.
        thumb: where the thumb's side points.
        hint: where the elbow tends to.
    """
    pose = body.pose(rest, turns)
    number = body.number[f"upperarm01.{side}"]
    parent = pose.turn[body.data["parent"][number]]
    shoulder = pose.turn[number] @ joint[f"upperarm01.{side}"] + pose.shift[number]
    upper = joint[f"lowerarm01.{side}"] - joint[f"upperarm01.{side}"]
    fore = joint[f"wrist.{side}"] - joint[f"lowerarm01.{side}"]
    lengths = float(np.linalg.norm(upper)), float(np.linalg.norm(fore))
    knuckles = joint[f"finger2-1.{side}"] + joint[f"finger5-1.{side}"] + joint[f"wrist.{side}"]
    palm = np.linalg.norm(knuckles / 3 - joint[f"wrist.{side}"])

    fingers = unit(fingers)
    wrist = palm_at - fingers * palm
    for _ in range(2):  # where the wrist is and how far it bends depend on each other
        bend, end = elbow(shoulder, wrist, *lengths, hint)
        along = unit(end - bend)
        angle = np.arccos(np.clip(fingers @ along, -1, 1))
        if angle >= BEND_OF_A_WRIST:
            fingers = rotation(np.cross(along, fingers), BEND_OF_A_WRIST) @ along
        wrist = palm_at - fingers * palm
    bend, end = elbow(shoulder, wrist, *lengths, hint)
    along = unit(end - bend)

    of_upper = least_turn(parent @ upper, bend - shoulder) @ parent
    of_fore = least_turn(of_upper @ fore, end - bend) @ of_upper
    thumb = unit(thumb - fingers * (thumb @ fingers))
    at_rest = palm_axes(joint, side)
    of_hand = np.stack([fingers, thumb, -sign_of(side) * np.cross(thumb, fingers)], 1) @ at_rest.T
    was = of_fore @ at_rest[:, 1]
    was = unit(was - along * (was @ along))
    will = unit(thumb - along * (thumb @ along))
    twist = float(np.arctan2(np.cross(was, will) @ along, was @ will))
    of_lower_fore = rotation(along, twist * 0.6) @ of_fore  # the forearm turns with the hand, or the wrist is wrung
    turns[f"upperarm01.{side}"] = parent.T @ of_upper
    turns[f"upperarm02.{side}"] = np.eye(3)
    turns[f"lowerarm01.{side}"] = of_upper.T @ of_fore
    turns[f"lowerarm02.{side}"] = of_fore.T @ of_lower_fore
    turns[f"wrist.{side}"] = of_lower_fore.T @ of_hand
