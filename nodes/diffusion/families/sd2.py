"""Stable Diffusion 2.x: heads of 64 channels, linear projections, OpenCLIP ViT-H up to its last layer but one.

Some of its UNets predict eps and some v (Salimans and Ho 2022, "Progressive Distillation"). The inpainting and depth
models are told apart by their channels, unCLIP (Ramesh et al. 2022) by its class embedding.
"""

from nodes.diffusion.families.family import Family, TextPart
from nodes.diffusion.families.ldm import CLASS_ENTRANCE, Config, Shapes, wide_heads
from nodes.diffusion.families.sd1 import BETA_RANGE, LATENT_SCALE

PAD = 0


def image_embedding(shapes: Shapes) -> Config:
    """An unCLIP UNet is told an image embedding, noised, and how much noise that is."""
    if CLASS_ENTRANCE not in shapes:
        return {}
    return {"class_embed_type": "projection", "projection_class_embeddings_input_dim": shapes[CLASS_ENTRANCE][1]}


FAMILY = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    text=(TextPart("h", "cond_stage_model.model.", "open_clip", "gelu", pad=PAD, projected=False),),
    layer=-2,
    heads=wide_heads,
    latent_scale=LATENT_SCALE,
    space="sd",
    beta_range=BETA_RANGE,
    predictions=("eps", "v"),
    additional=image_embedding,
)
