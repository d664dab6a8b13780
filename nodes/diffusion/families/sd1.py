"""Stable Diffusion 1.x: a UNet of eight heads conditioned on OpenAI's CLIP text model; it predicts eps.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". The inpainting and the editing
(Brooks et al. 2023, "InstructPix2Pix") models are told apart by the channels that they take beside the latent's.
"""

from nodes.diffusion.families.family import Family, TextPart

UNET_HEADS = 8
TEXT_PREFIX = "cond_stage_model.transformer.text_model."
LATENT_SCALE = 0.18215
BETA_RANGE = (0.00085, 0.012)

FAMILY = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    text=(TextPart("l", TEXT_PREFIX, "clip", "quick_gelu", projected=False),),
    layer=-1,
    heads=lambda _: UNET_HEADS,
    latent_scale=LATENT_SCALE,
    space="sd",
    beta_range=BETA_RANGE,
    predictions=("eps", "v"),
)
