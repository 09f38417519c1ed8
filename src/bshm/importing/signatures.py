"""Known portrait matting networks, and how to recognise them in an ONNX file.

Each entry is what the network's published inference code does with a picture, as far as a card can say it (bshm
averages by area where those resize otherwise).  ``docs/official-model.md`` has a card for any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bshm.errors import ModelFileError, OptionError, option
from bshm.runtime.session import Port
from bshm.weights.card import Look, Order, Preprocessing, Signature

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

OFFICIAL_IMAGE, OFFICIAL_ANSWER = "input_image", "output_png"
# The official graph cuts 0.9999 * 255 off to 254 all over people's insides.
OFFICIAL_OPAQUE = 254.0


@dataclass(frozen=True)
class Known:
    """A network as it is called.

    Attributes:
        role: what it answers, see ``card.ROLES``.
        preprocessing: what it expects.
        signature: how it is called.
        paper: what the method is.
        source: where the weights come from.
        look: at which size it is shown pictures, where it takes any.
    """

    role: str
    preprocessing: Preprocessing
    signature: Signature
    paper: str
    source: str
    look: Look = field(default_factory=Look)


@dataclass(frozen=True)
class File:
    """The inputs and outputs of an ONNX file."""

    inputs: Sequence[Port]
    outputs: Sequence[Port]

    def describe(self) -> str:
        """One line for messages and reports."""
        return f"inputs {_listed(self.inputs)}; outputs {_listed(self.outputs)}"


def _listed(ports: Sequence[Port]) -> str:
    def shape(port: Port) -> str:
        return "x".join("?" if side is None else str(side) for side in port.shape) or "unknown shape"

    return ", ".join(f"{port.name} ({shape(port)} {port.type})" for port in ports)


def _bshm(file: File) -> Known:
    image = _image_input(file)
    batched = len(image.shape) == 4
    preprocessing = Preprocessing(
        layout="NCHW" if batched and image.shape[1] == 3 else "NHWC" if batched else "HWC",
        white=255.0,
        dtype="uint8" if image.type == "uint8" else "float16" if image.type == "float16" else "float32",
        resize="inside the graph",
        size_hw=_fixed(image),
    )
    answer = next((port for port in file.outputs if port.name == OFFICIAL_ANSWER), file.outputs[0])
    # 4 channels are RGBA; anything else is a mask alone.
    rgba = answer.name == OFFICIAL_ANSWER or 4 in (answer.shape[-1:] or (None,)) or answer.shape[1:2] == (4,)
    whole = answer.type == "uint8" or rgba
    signature = Signature(
        image.name, answer.name, channel=-1 if rgba else 0, white=255.0, opaque=OFFICIAL_OPAQUE if whole else None
    )
    return Known(
        "rgba" if rgba else "alpha", preprocessing, signature,
        'Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020',
        "ModelScope, cv_unet_image-matting",
    )  # fmt: skip


def _modnet(file: File) -> Known:
    return Known(
        "alpha",
        Preprocessing(
            size_hw=_fixed(_image_input(file)), multiple_px=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
        ),
        Signature(_image_input(file).name, file.outputs[0].name),
        'Ke et al., "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition", AAAI 2022',
        "github.com/ZHKKKe/MODNet",
        Look() if _fixed(_image_input(file)) else Look(shortest_px=512),
    )  # fmt: skip


def _rvm(file: File) -> Known:
    states = [port.name for port in file.inputs if port.name.startswith("r") and port.name.endswith("i")]
    constants: dict[str, object] = {name: [[[[0.0]]]] for name in states}
    if any(port.name == "downsample_ratio" for port in file.inputs):
        # Its authors want 256 to 512 px after this on the longer side; 1280² pixels times 0.375 give that.
        constants["downsample_ratio"] = [0.375]
    half = _image_input(file).type == "float16"
    return Known(
        "alpha",
        Preprocessing(multiple_px=16, dtype="float16" if half else "float32"),
        Signature(
            _image_input(file).name,
            next((port.name for port in file.outputs if port.name == "pha"), file.outputs[-1].name),
            constants=constants,
        ),
        'Lin et al., "Robust High-Resolution Video Matting with Temporal Guidance", WACV 2022 (one picture, no memory)',
        "github.com/PeterL1n/RobustVideoMatting",
        Look(side_px=1280),
    )


def _u2net(file: File) -> Known:
    size = _fixed(_image_input(file)) or (320, 320)
    return Known(
        "mask",
        Preprocessing(size_hw=size, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
        Signature(_image_input(file).name, file.outputs[0].name, activation="minmax"),
        'Qin et al., "U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection", 2020',
        "github.com/xuebinqin/U-2-Net",
    )


def _isnet(file: File) -> Known:
    size = _fixed(_image_input(file)) or (1024, 1024)
    return Known(
        "alpha",
        Preprocessing(size_hw=size, mean=(0.5, 0.5, 0.5)),
        Signature(_image_input(file).name, file.outputs[0].name, activation="minmax"),
        'Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022',
        "github.com/xuebinqin/DIS",
    )


def _birefnet(file: File) -> Known:
    size = _fixed(_image_input(file)) or (1024, 1024)
    half = _image_input(file).type == "float16"
    return Known(
        "alpha",
        Preprocessing(size_hw=size, dtype="float16" if half else "float32", mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
        # The last of its outputs is the finest.
        Signature(_image_input(file).name, file.outputs[-1].name, activation="sigmoid"),
        'Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image Segmentation", CAAI AIR 2024',
        "github.com/ZhengPeng7/BiRefNet",
    )


KNOWN: dict[str, Callable[[File], Known]] = {
    "bshm": _bshm,
    "modnet": _modnet,
    "rvm": _rvm,
    "u2net": _u2net,
    "isnet": _isnet,
    "birefnet": _birefnet,
}


def guess(file: File) -> str:
    """Which of ``KNOWN`` a file is, by its inputs and outputs.

    Raises:
        ModelFileError: by these it could be none or several; the message lists them.
    """
    names = {port.name for port in file.inputs}
    if "src" in names and any(name.startswith("r1") for name in names):
        return "rvm"
    image = _image_input(file)
    channels_last = image.shape[-1:] == (3,)
    if OFFICIAL_ANSWER in {port.name for port in file.outputs} or len(image.shape) == 3 or channels_last:
        return "bshm"
    size = _fixed(image)
    if image.name == "input_image" and (size is None or size[0] >= 512):
        return "birefnet"
    if size == (320, 320):
        return "u2net"
    if size == (1024, 1024) and len(file.outputs) > 1:
        return "isnet"
    if size is None and (image.name, len(file.outputs)) == ("input", 1):
        return "modnet"
    raise ModelFileError(
        f"the kind of network is not clear from its {file.describe()}. Set {option('like')} to one of "
        f"{', '.join(KNOWN)}, or describe the network on a card and use {option('card')}."
    )


def described(file: File, like: str, *, answer: str | None, order: Order) -> Known:
    """How a file is called when it is a network of the kind ``like``.

    Args:
        file: what it says of itself.
        like: a key of ``KNOWN``.
        answer: the output to read; None takes that network's own.
        order: of the colours it expects.

    Raises:
        OptionError: there is no such output.
    """
    outputs = [port for port in file.outputs if port.name == answer]
    if answer is not None and not outputs:
        raise OptionError(
            f"there is no output {answer!r}; there are {', '.join(port.name for port in file.outputs)}. "
            f"Correct {option('answer')}."
        )
    known = KNOWN[like](File(file.inputs, outputs or file.outputs))
    return replace(known, preprocessing=replace(known.preprocessing, order=order))


def _image_input(file: File) -> Port:
    """The input that takes the picture: the first with three or four axes, or of unknown shape."""
    for port in file.inputs:
        if port.name in ("src", OFFICIAL_IMAGE):
            return port
    for port in file.inputs:
        if len(port.shape) in (0, 3, 4):
            return port
    raise ModelFileError(f"no input takes a picture: {file.describe()}. Give another file.")


def _fixed(image: Port) -> tuple[int, int] | None:
    """Height and width where the file states them."""
    sides = image.shape[-2:] if len(image.shape) == 4 and image.shape[-1] != 3 else image.shape[-3:-1]
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None
