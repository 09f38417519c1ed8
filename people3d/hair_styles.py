"""Fifteen kinds of hair and ten colours of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from people3d.maths import Array, Random, pick


@dataclass(frozen=True)
class Style:
    """How hair grows and falls.  Lengths in metres.

    Attributes:
        length: of a hair.
        flow: how it is combed: ``down``, ``forward``, ``up``, ``back``, ``part``, ``out`` or ``tie``.
        lift: 1 stands off the skin at the root, 0 lies on it.
        count: hairs, at full size.
        points: points of a hair.
        clump: how far a lock's hairs are drawn together at the tip, 0..1.
        frizz: how far hairs bend aside.
        margin: thickness of the coat of hair.
        fade: how much shorter it is at the sides, 0..1.
        fly: share of loose hairs.
        gravity: how fast it falls.
        bald: how bare the crown is, 0..1.
        fringe: how likely hair hangs to the brows, less .3; None: it never does.
        per_clump: hairs of a lock.
        curl, curl_frequency, curl_flat, curl_mess: radius, turns a metre, 1 round to 0 a wave, how much hairs of a lock
            differ.
        lock_variation: how much locks differ in length.
        tie: where it is tied, from the middle of the head.
        bun: radius of a bun.
        tips, clump_shape: how far tips meet and where the drawing together begins; drawn for each person.
    """

    length: float
    flow: str
    lift: float
    count: int
    points: int
    clump: float
    frizz: float
    margin: float
    fade: float = 0.0
    fly: float = 0.04
    gravity: float = 0.5
    bald: float = 0.0
    fringe: float | None = None
    per_clump: float = 40
    curl: float = 0.0
    curl_frequency: float = 0.0
    curl_flat: float = 1.0
    curl_mess: float = 0.4
    lock_variation: float = 0.07
    tie: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bun: float = 0.0
    tips: float = 0.5
    clump_shape: float = 0.8


# fmt: off
STYLES: dict[str, Style] = {
    "buzz": Style(.012, "down", .8, 60000, 4, .1, .001, .002, fade=.3, fly=.01),
    "crew": Style(.04, "forward", .6, 50000, 8, .35, .003, .012, fade=.75, gravity=.1),
    "quiff": Style(.07, "up", .6, 45000, 10, .5, .003, .03, fade=.8, gravity=.1),
    "messy": Style(.09, "down", .6, 40000, 12, .8, .006, .03, per_clump=70, fade=.35, gravity=.25, fly=.08),
    "thin": Style(.06, "back", .4, 9000, 10, .4, .004, .008, bald=.6, gravity=.3, fly=.15),
    "bald": Style(.03, "down", .5, 14000, 8, .2, .003, .005, bald=1., gravity=.3, fly=.05),
    "bob": Style(.24, "part", .3, 45000, 16, .45, .003, .03, fringe=.5, gravity=.6),
    "straight": Style(.48, "part", .2, 45000, 20, .5, .004, .022, fringe=.35, gravity=.8, fly=.05),
    "wavy": Style(.42, "part", .3, 40000, 36, .75, .005, .035, per_clump=110, curl=.012, curl_frequency=9,
                  curl_flat=.4, gravity=.6, fly=.06),
    "curly": Style(.30, "part", .45, 30000, 56, .85, .006, .05, per_clump=60, curl=.011, curl_frequency=26,
                   gravity=.45, fly=.07),
    "afro": Style(.13, "out", 1., 36000, 44, .92, .006, .0, per_clump=60, lock_variation=.13, curl=.006,
                  curl_frequency=60, curl_mess=.5, gravity=.0, fly=.1),
    "ponytail": Style(.50, "tie", .15, 36000, 30, .35, .004, .008, gravity=.8, tie=(0, .10, .035), fly=.05),
    "pigtails": Style(.40, "tie", .15, 34000, 28, .4, .005, .008, gravity=.8, tie=(.085, .05, -.01), fly=.06),
    "bun": Style(.62, "tie", .15, 32000, 48, .4, .004, .008, gravity=.3, tie=(0, .075, .085), bun=.036, fly=.05),
    "long_loose": Style(.60, "down", .3, 40000, 26, .7, .007, .03, per_clump=90, gravity=.6, fly=.12),
}
COLOURS: dict[str, tuple[float, float, float] | None] = {
    "black": (.012, .010, .010), "dark": (.035, .02, .013), "brown": (.09, .045, .024), "light": (.22, .12, .06),
    "blond": (.48, .32, .16), "platinum": (.72, .60, .42), "red": (.28, .075, .025), "grey": (.33, .32, .31),
    "white": (.72, .71, .69), "dyed": None,
}
# fmt: on
_HIGH = ("afro", "bun", "quiff", "curly")
_WOMEN_WEAR = ("straight", "wavy", "curly", "afro", "ponytail", "long_loose", "bob")
_WOMEN_RARELY = ("bald", "thin", "buzz")
_MEN_RARELY = ("bob", "bun", "pigtails", "straight", "wavy", "ponytail", "long_loose", "curly")


def choose_style(rng: Random, *, male: float, flat: bool) -> str:
    """A kind of hair; ``flat`` leaves out what finds no room under a hat."""

    def weight(name: str) -> float:
        if flat and name in _HIGH:
            return 0.0
        if male < 0.5:
            return 1.6 if name in _WOMEN_WEAR else 0.08 if name in _WOMEN_RARELY else 0.35
        return 0.35 if name in _MEN_RARELY else 1.5

    return pick(rng, {name: weight(name) for name in STYLES})


def choose_colour(rng: Random, *, old: float, pale: float) -> tuple[str, Array]:
    """A colour of hair: its name and (3,) linear RGB; ``old`` and ``pale`` are shares of the person's looks."""
    if old > 0.45:
        name = str(rng.choice(["white", "grey"]))
    else:
        name = pick(
            rng,
            {
                "black": 3 if pale < 0.6 else 1, "dark": 3, "brown": 2, "light": 1.5 * pale + 0.1,
                "blond": 2.0 * pale + 0.1, "platinum": 0.8, "red": 0.7, "grey": 0.4, "white": 0.3, "dyed": 0.5,
            },
        )  # fmt: skip
    colour = COLOURS[name]
    return name, np.array(colour) if colour else rng.random(3) * 0.5


def personal(rng: Random, style: Style) -> Style:
    """The style as one person wears it: longer or shorter, from hardly any loose hairs to many."""
    length = style.length * rng.uniform(0.75, 1.3)
    frizz = style.frizz * float(np.clip(rng.lognormal(-0.1, 0.55), 0.3, 2.2))
    clump = style.clump * rng.uniform(0.6, 1.1)
    fly = style.fly * 0.5 * min(3.5, rng.lognormal(-0.3, 1.0))
    tips, clump_shape = rng.uniform(0.2, 0.8), rng.uniform(0.6, 1.3)
    per_clump = style.per_clump * rng.uniform(0.6, 1.6)
    return replace(
        style, length=length, frizz=frizz, clump=clump, fly=fly, tips=tips, clump_shape=clump_shape,
        per_clump=per_clump,
    )  # fmt: skip
