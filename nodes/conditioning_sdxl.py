"""Nodes that encode text for Stable Diffusion XL with what its models are told besides: sizes, crops, and a score."""

from typing import Annotated

from executor.schema import Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.text.encoder import encode_text, encode_texts
from nodes.diffusion.values import Condition, PictureSize, TextEncoder
from nodes.model_files import embedding_state
from nodes.types import Clip, Conditioning, Text

Pixels = Annotated[int, Widget("number", min=0, max=16384)]


@node("CLIPTextEncodeSDXL", category="advanced/conditioning", lane="device", fingerprint=embedding_state)
def clip_text_encode_sdxl(
    *,
    clip: Clip,
    width: Pixels = 1024,
    height: Pixels = 1024,
    crop_w: Pixels = 0,
    crop_h: Pixels = 0,
    target_width: Pixels = 1024,
    target_height: Pixels = 1024,
    text_g: Text,
    text_l: Text,
    memory: Injected[DeviceMemory],
) -> Conditioning:
    """Encode a text for each of SDXL's two text models, and tell the model a size and a crop.

    Its training pictures were resized and cropped, and it was told how: small sizes give blurred pictures, crops give
    cut-off ones.
    """
    _check_family(clip, "l", "g")
    with memory.resident(*clip.networks):
        encoding = encode_texts(clip, {"l": text_l, "g": text_g})
    size = PictureSize(width, height, crop_w, crop_h, target_width, target_height)
    return (Condition(encoding.tokens, encoding.pooled, size=size),)


@node("CLIPTextEncodeSDXLRefiner", category="advanced/conditioning", lane="device", fingerprint=embedding_state)
def clip_text_encode_sdxl_refiner(
    *,
    ascore: Annotated[float, Widget("number", min=0.0, max=1000.0, step=0.01)] = 6.0,
    width: Pixels = 1024,
    height: Pixels = 1024,
    text: Text,
    clip: Clip,
    memory: Injected[DeviceMemory],
) -> Conditioning:
    """Encode a text for SDXL's refiner, and tell it a size and how beautiful the picture is.

    The aesthetic score is about 6 for what is wanted and 2.5 for what is not.
    """
    _check_family(clip, "g")
    with memory.resident(*clip.networks):
        encoding = encode_text(clip, text)
    size = PictureSize(width, height)
    return (Condition(encoding.tokens, encoding.pooled, size=size, aesthetic_score=ascore),)


def _check_family(clip: TextEncoder, *roles: str) -> None:
    found = tuple(one.role for one in clip.models)
    if not set(roles) <= set(found):
        raise InputError(
            "clip",
            f"This text encoder has the text models {', '.join(found)} and the node needs {', '.join(roles)}. Use the "
            "text encoder of an SDXL checkpoint, or CLIPTextEncode.",
        )
