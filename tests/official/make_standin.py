"""A frozen TensorFlow 1 graph with the signature of the official BSHM weights, which cannot be shipped here.

    .venv-tf/bin/python tests/official/make_standin.py OUT.pb [--weights random|trained|unconvertible] [--width N]
    .venv-tf/bin/python tests/official/make_standin.py FOLDER --weights all

``input_image`` (H, W, 3) float32, RGB 0..255, without batch axis -> ``output_png`` (H, W, 4) uint8 RGBA, ``if_person``.
Inside: TensorFlow 1's bilinear resizes (asymmetric, not antialiased) to 192x160 and 768x640, a mask, a quality and a
matting U-Net with fused batch norm and transposed convolutions, the way back to (H, W), and a cast that cuts off.

``random`` weights answer with noise: the hardest case for parity.  ``trained`` ones take bright red for people and give
254, not 255, inside them, as the official weights do.  ``unconvertible`` has an operator that ONNX does not know.
``--width 64`` has 78 M parameters.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

COARSE_HW = (192, 160)
FINE_HW = (768, 640)
KINDS = ("random", "trained", "unconvertible")


class Builder:
    """Layers whose weights are constants, as a frozen graph has them."""

    def __init__(self, seed: int, *, trained: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.trained = trained
        self.parameters = 0

    def weights(self, shape: tuple[int, int, int, int], *, transposed: bool = False) -> Any:
        """He's initialisation; trained ones hand the first channel on nearly unchanged."""
        inputs = shape[3] if transposed else shape[2]
        spread = (2 / (shape[0] * shape[1] * inputs)) ** 0.5
        values = self.rng.normal(0, spread, shape).astype(np.float32)
        if self.trained:
            first = values[:, :, 0, :] if transposed else values[:, :, :, 0]
            first *= 0.02
            values[..., 0, 0] = 1.0 if transposed else 0.0
            if not transposed:
                values[shape[0] // 2, shape[1] // 2, 0, 0] = 1.0
        self.parameters += values.size
        return tf.constant(values)

    def norm(self, x: Any, channels: int) -> Any:
        """Fused batch norm with moving averages, then ReLU."""
        scale = self.rng.uniform(0.8, 1.2, channels).astype(np.float32)
        offset = self.rng.normal(0, 0.05, channels).astype(np.float32)
        mean = self.rng.normal(0, 0.05, channels).astype(np.float32)
        variance = self.rng.uniform(0.8, 1.2, channels).astype(np.float32)
        if self.trained:
            scale[0], offset[0], mean[0], variance[0] = 1, 0, 0, 1
        self.parameters += 4 * channels
        normed = tf.nn.fused_batch_norm(x, scale, offset, mean, variance, epsilon=1e-3, is_training=False)[0]
        return tf.nn.relu(normed)

    def conv(self, x: Any, channels: int, *, side: int = 3) -> Any:
        filters = self.weights((side, side, int(x.shape[3]), channels))
        return tf.nn.conv2d(x, filters, strides=[1, 1, 1, 1], padding="SAME")

    def up(self, x: Any, channels: int) -> Any:
        _, height, width, inputs = (int(each or 1) for each in x.shape)
        filters = self.weights((2, 2, channels, inputs), transposed=True)
        return tf.nn.conv2d_transpose(x, filters, [1, 2 * height, 2 * width, channels], strides=[1, 2, 2, 1])

    def unet(self, x: Any, width: int, outputs: int) -> Any:
        """Logits at the size of ``x``."""
        skips = []
        for level in range(4):
            channels = width << level
            for _ in range(2):
                x = self.norm(self.conv(x, channels), channels)
            skips.append(x)
            x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        for _ in range(2):
            x = self.norm(self.conv(x, width << 4), width << 4)
        for level in reversed(range(4)):
            channels = width << level
            x = tf.concat([skips[level], self.up(x, channels)], axis=3)
            for _ in range(2):
                x = self.norm(self.conv(x, channels), channels)
        return self.conv(x, outputs, side=1)


def build(*, width: int, seed: int, trained: bool, unconvertible: bool) -> tuple[Any, int]:
    """The graph, and its number of parameters."""
    make = Builder(seed, trained=trained)
    # The fine network is the widest: 31 + 8 + 39 million parameters with 64.
    coarse_width, quality_width, fine_width = width, max(1, width // 2), round(width * 1.125)
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [None, None, 3], name="input_image")
        batch = tf.expand_dims(tf.cast(image, tf.float32), 0)
        size = tf.shape(image)[:2]
        red = (
            np.array([[2.4, 0, 0], [-1.2, 1, 0], [-1.2, 0, 1]], np.float32) if trained else np.eye(3, dtype=np.float32)
        )
        to_red = tf.constant(red[None, None])
        coarse = tf.nn.conv2d(tf.image.resize_bilinear(batch, COARSE_HW) / 255.0, to_red, 1, "SAME")
        fine = tf.nn.conv2d(tf.image.resize_bilinear(batch, FINE_HW) / 255.0, to_red, 1, "SAME")
        # Sure people's logits stay near 9: 0.9999 of 255, cut off, is 254.
        gain, shift = (9.0, 4.0) if trained else (1.0, 0.0)
        two = make.unet(coarse, coarse_width, 2)
        two = tf.nn.softmax(tf.concat([two[..., :1] * 0, two[..., 1:] * 0.0 + two[..., :1] * gain - shift], 3))
        mask = two[..., 1:]
        quality = tf.sigmoid(make.unet(tf.concat([coarse, mask], 3), quality_width, 1) * gain - shift)
        wide = tf.image.resize_bilinear(quality, FINE_HW)
        if unconvertible:
            wide = tf.reshape(tf.py_func(lambda x: x, [wide], tf.float32), [1, *FINE_HW, 1])
        logits = make.unet(tf.concat([fine, wide], 3), fine_width, 4)
        if trained:
            alpha = tf.sigmoid(tf.clip_by_value(logits[..., :1] * 2 * gain - gain, -20.0, 9.2))
        else:
            alpha = tf.sigmoid(logits[..., :1])
        colour = tf.clip_by_value(
            tf.image.resize_bilinear(batch, FINE_HW) / 255.0 + 0.02 * tf.tanh(logits[..., 1:]), 0, 1
        )
        rgba = tf.image.resize_bilinear(tf.concat([colour, alpha], 3), size)
        rgba = tf.clip_by_value(rgba[0] * 255.0, 0.0, 255.0)
        tf.cast(rgba, tf.uint8, name="output_png")
        tf.cast(tf.reduce_max(mask) > 0.5, tf.float32, name="if_person")
    return graph.as_graph_def(), make.parameters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", choices=[*KINDS, "all"], default="trained")
    parser.add_argument("--width", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    for kind in KINDS if flags.weights == "all" else (flags.weights,):
        graph, parameters = build(
            width=flags.width, seed=flags.seed, trained=kind == "trained", unconvertible=kind == "unconvertible"
        )
        path = flags.output / f"{kind}.pb" if flags.weights == "all" else flags.output
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(graph.SerializeToString())
        print(f"{path}: {parameters / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
