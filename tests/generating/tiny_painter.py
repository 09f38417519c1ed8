"""A whole inpainting pipeline of half a megabyte: the real classes of diffusers with a handful of random weights."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
SIDE_PX = 64


def save(folder: Path) -> Path:
    """Write it, and return its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
        import torch
        import transformers

        diffusers.utils.logging.disable_progress_bar()
        transformers.utils.logging.disable_progress_bar()
        torch.manual_seed(0)
        letters = [chr(number) for number in range(33, 127)]
        words = [*letters, *(f"{each}</w>" for each in letters), "<|startoftext|>", "<|endoftext|>"]
        vocabulary = {word: number for number, word in enumerate(words)}
        files = folder.parent / f"{folder.name}-words"
        files.mkdir(parents=True)
        (files / "vocab.json").write_text(json.dumps(vocabulary))
        (files / "merges.txt").write_text("#version: 0.2\n")
        pipeline = diffusers.StableDiffusionInpaintPipeline(
            vae=diffusers.AutoencoderKL(
                block_out_channels=[4, 4, 4, 4],
                down_block_types=["DownEncoderBlock2D"] * 4,
                up_block_types=["UpDecoderBlock2D"] * 4,
                latent_channels=4,
                norm_num_groups=2,
                layers_per_block=1,
                sample_size=SIDE_PX,
            ),
            text_encoder=transformers.CLIPTextModel(
                transformers.CLIPTextConfig(
                    vocab_size=len(words),
                    hidden_size=8,
                    intermediate_size=8,
                    num_hidden_layers=1,
                    num_attention_heads=1,
                    bos_token_id=vocabulary["<|startoftext|>"],
                    eos_token_id=vocabulary["<|endoftext|>"],
                )
            ),
            tokenizer=transformers.CLIPTokenizer(
                str(files / "vocab.json"), str(files / "merges.txt"), model_max_length=77
            ),
            unet=diffusers.UNet2DConditionModel(
                block_out_channels=(4, 8),
                layers_per_block=1,
                sample_size=SIDE_PX // 8,
                in_channels=9,
                out_channels=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=8,
                attention_head_dim=4,
                norm_num_groups=2,
            ),
            scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    save(Path(sys.argv[1]))
