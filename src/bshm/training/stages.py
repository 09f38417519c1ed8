"""The names of the training stages; each is named after the network that learns."""

from __future__ import annotations

# What each learns, and from what; shown by ``bshm train --help``.
STAGES = {
    "mask": "mask prediction, from coarse and fine annotations",
    "quality": "quality unification, after mask",
    "matting": "matting refinement, after quality",
    "joint": "all three networks together, after matting",
}
# Their names in the paper, which older checkpoints and recipes use.
_PAPER = {"mpn": "mask", "qun": "quality", "mrn": "matting"}


def stage_named(name: str) -> str:
    """The stage of this name; the names of the paper's networks are taken, too.

    >>> stage_named("mpn"), stage_named("joint")
    ('mask', 'joint')
    """
    return _PAPER.get(name, name)
