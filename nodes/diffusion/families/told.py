"""What the UNets of the families are told besides tokens: picture sizes, pooled text, pictures as further channels.

Which of it a UNet takes follows from its configuration, so every variant of a family needs no declaration of its own.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.compose import matched
from nodes.diffusion.families.sdxl import BASE_NUMBERS, NUMBER_WIDTH, REFINER_NUMBERS
from nodes.diffusion.resize import centred, resize
from nodes.diffusion.unclip import Augmentation
from nodes.diffusion.values import Condition, PictureSize, Scene, Tell, Told

FACTOR = 8
"""Pixels along the side of a latent cell in every family of this layout."""

LIKED, DISLIKED = 6.0, 2.5
"""The refiner's aesthetic scores for what is wanted and what is not, where nobody says (Podell et al. 2023)."""

GREY = (0.8223, -0.6876, 0.6364, 0.1380)
"""What the SD 1.x autoencoder makes of a grey picture, scaled: what an inpainting model sees where nothing is known."""


def tell_of(
    config: Mapping[str, Any], family: str, latent_scale: float, augmentation: Augmentation | None = None
) -> Tell | None:
    """How the UNet of a configuration is told of conditions; None for one that takes nothing but tokens.

    `augmentation` is that of an unCLIP model.
    """
    vectors = config["projection_class_embeddings_input_dim"]
    extra = config["in_channels"] - config["out_channels"]
    if vectors is None and extra == 0:
        return None

    def tell(condition: Condition, scene: Scene) -> Told:
        said: dict[str, Tensor] = {}
        if config["addition_embed_type"] == "text_time":
            said = _pooled_and_numbers(condition, scene, vectors, refined=family == "sdxl_refiner")
        elif vectors is not None:
            said = {"class_labels": _embeddings(condition, vectors, augmentation)}
        return Told(said, _channels(condition, scene, extra, latent_scale) if extra else None)

    return tell


def _pooled_and_numbers(condition: Condition, scene: Scene, vectors: int, *, refined: bool) -> dict[str, Tensor]:
    numbers = REFINER_NUMBERS if refined else BASE_NUMBERS
    width = vectors - numbers * NUMBER_WIDTH
    if condition.pooled.shape[-1] != width:
        raise ValueError(
            f"The model wants a pooled text of {width} numbers and the conditioning has {condition.pooled.shape[-1]}. "
            "Encode the text with the text encoder of the model's own family."
        )
    height, wide = (side * FACTOR for side in scene.latent.shape[-2:])
    size = condition.size or PictureSize(wide, height)
    told: list[float] = [size.height, size.width, size.crop_top, size.crop_left]
    if refined:
        score = condition.aesthetic_score
        told.append(score if score is not None else DISLIKED if scene.negative else LIKED)
    else:
        told += [size.target_height or size.height, size.target_width or size.width]
    pooled = condition.pooled
    if condition.seen:
        # "Revision": the embedding of a picture, which is in the same space, in the place of the text's.
        plain = Augmentation(torch.zeros(1, width), torch.ones(1, width))
        pooled = _embeddings(condition, 2 * width, plain)[:, :width]
    return {"text_embeds": pooled, "time_ids": torch.tensor([told], dtype=torch.float32)}


def _embeddings(condition: Condition, vectors: int, augmentation: Augmentation | None) -> Tensor:
    """(1, vectors): pictures that an unCLIP model is to imitate, and how much noise they got; zeros for none."""
    if not condition.seen:
        return torch.zeros(1, vectors)
    if augmentation is None:
        raise ValueError(
            "The model's file lacks the statistics of its pictures' embeddings (noise_augmentor.data_mean), so it can "
            "be shown none. Load a whole unCLIP checkpoint with unCLIPCheckpointLoader."
        )
    for one in condition.seen:
        if 2 * one.embeddings.shape[-1] != vectors:
            raise ValueError(
                f"The model wants pictures as {vectors // 2} numbers and unCLIPConditioning brings "
                f"{one.embeddings.shape[-1]}. Encode the picture with the vision model of the same checkpoint."
            )
    return augmentation.told(condition.seen)


def _channels(condition: Condition, scene: Scene, count: int, scale: float) -> Tensor:
    """(N, count, h, w): a mask and a picture for inpainting, a picture for editing, a depth map."""
    latent, picture = scene.latent, condition.picture
    channels = latent.shape[1]
    if count == channels + 1:
        return _mask_and_picture(condition, scene, scale)
    if picture is None:
        return latent.new_zeros(len(latent), count, *latent.shape[-2:])
    if picture.shape[1] != count:
        raise ValueError(
            f"The model takes {count} channels beside the latent, and the conditioning brings a picture of "
            f"{picture.shape[1]}. Use the conditioning node that the model was made for."
        )
    return _fitted(picture, latent)


def _mask_and_picture(condition: Condition, scene: Scene, scale: float) -> Tensor:
    latent = scene.latent
    mask = condition.picture_mask if condition.picture_mask is not None else scene.mask
    if mask is None:
        grey = latent.new_tensor(GREY if latent.shape[1] == len(GREY) else (0.0,) * latent.shape[1])
        return torch.cat([torch.ones_like(latent[:, :1]), grey[:, None, None].expand_as(latent)], dim=1)
    mask = _fitted(mask.reshape(-1, 1, *mask.shape[-2:]), latent).round()
    picture = latent if condition.picture is None else _fitted(condition.picture, latent) * scale
    return torch.cat([mask, picture], dim=1)


def _fitted(tensor: Tensor, latent: Tensor) -> Tensor:
    """Cut to the proportions of the latent, resized, and repeated for every row of it."""
    tensor = tensor.to(latent)
    height, width = latent.shape[-2:]
    if tensor.shape[-2:] != latent.shape[-2:]:
        tensor = resize(centred(tensor, width, height), width, height, "bilinear")
    return matched(tensor, len(latent))
