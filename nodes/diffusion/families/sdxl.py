"""Stable Diffusion XL: the base model with two text models, and the refiner with the second one alone.

Podell et al. 2023, "SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis". The UNet is told the
pooled text, the picture's size and crop, and (the refiner) an aesthetic score. Turbo and Lightning files have the same
layout; inpainting and editing files are told apart by their channels.
"""

from nodes.diffusion.families.family import Family, TextPart
from nodes.diffusion.families.ldm import CLASS_ENTRANCE, Config, Shapes, wide_heads
from nodes.diffusion.families.sd1 import BETA_RANGE

LATENT_SCALE = 0.13025
NUMBER_WIDTH = 256
"""Of the sinusoidal embedding of each number."""
BASE_NUMBERS = 6
"""Height, width, crop from the top and from the left, and the height and width that are aimed at."""
REFINER_NUMBERS = 5
"""Height, width, crop from the top and from the left, and the aesthetic score."""


def pooled_text_and_numbers(shapes: Shapes) -> Config:
    """The vector is the pooled text and an embedding of each number."""
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": NUMBER_WIDTH,
        "projection_class_embeddings_input_dim": shapes[CLASS_ENTRANCE][1],
    }


BASE = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    text=(
        TextPart(
            "l", "conditioner.embedders.0.transformer.text_model.", "clip", "quick_gelu", normed=False, projected=False
        ),
        TextPart("g", "conditioner.embedders.1.model.", "open_clip", "gelu", pad=0, normed=False),
    ),
    layer=-2,
    heads=wide_heads,
    latent_scale=LATENT_SCALE,
    space="sdxl",
    beta_range=BETA_RANGE,
    predictions=("eps", "v"),
    additional=pooled_text_and_numbers,
)

REFINER = Family(
    name="sdxl_refiner",
    title="Stable Diffusion XL refiner",
    text=(TextPart("g", "conditioner.embedders.0.model.", "open_clip", "gelu", pad=0, normed=False),),
    layer=-2,
    heads=wide_heads,
    latent_scale=LATENT_SCALE,
    space="sdxl",
    beta_range=BETA_RANGE,
    predictions=("eps",),
    additional=pooled_text_and_numbers,
)
