"""Nodes that let a picture speak beside the text (IP-Adapter), under the names of the node pack that is known for it.

They are no part of what saved workflows can count on everywhere, so a pack of that name takes their place.
"""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from torch import Tensor

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.coding import naming, require_pixels
from nodes.declare import Socket, node
from nodes.diffusion import values
from nodes.diffusion.checkpoints.ip_adapter import open_ip_adapter
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.patches.ip_adapter import Pairs, PictureAttention, check_fits, counts_of, pairs
from nodes.diffusion.vision import look, look_at_nothing
from nodes.model_files import file_state, opening
from nodes.types import ClipVision, Image, Mask, Model

AdapterName = Annotated[str, Widget("combo", choices=FolderChoices("ipadapter"))]
IpAdapter = Annotated[values.IpAdapter, Socket("IPADAPTER")]
Weight = Annotated[float, Widget("number", min=-1.0, max=5.0, step=0.05)]
Moment = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]


class Adapted(NamedTuple):
    """Output of the nodes that put an adapter on a model."""

    MODEL: Model


class Opened(NamedTuple):
    """Output of the loader."""

    IPADAPTER: IpAdapter


def adapter_state(*, ipadapter_file: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("ipadapter", ipadapter_file))


@node("IPAdapterModelLoader", category="ipadapter/loaders", display_name="IPAdapter Model Loader",
      fingerprint=adapter_state)  # fmt: skip
def ip_adapter_model_loader(*, ipadapter_file: AdapterName, folders: Injected[Folders]) -> Opened:
    """Open an IP-Adapter for SD 1 or SDXL, from the folder `ipadapter`: plain, full (face) or plus (also face)."""
    with opening("ipadapter_file"):
        return Opened(open_ip_adapter(folders.model("ipadapter", ipadapter_file)))


@node("IPAdapterAdvanced", category="ipadapter", display_name="IPAdapter Advanced", lane="device")
def ip_adapter_advanced(
    *,
    model: Model,
    ipadapter: IpAdapter,
    image: Image,
    weight: Weight = 1.0,
    weight_type: Literal["linear"] = "linear",  # noqa: ARG001 the one that the paper has; widgets keep their places
    combine_embeds: Literal["concat", "average"] = "concat",
    start_at: Moment = 0.0,
    end_at: Moment = 1.0,
    embeds_scaling: Literal["V only", "K+V"] = "V only",
    image_negative: Image | None = None,
    attn_mask: Mask | None = None,
    clip_vision: ClipVision | None = None,
    memory: Injected[DeviceMemory],
) -> Adapted:
    """Let pictures speak beside the text, during a part of the sampling: 0 is pure noise, 1 the finished picture.

    Several pictures count side by side, or their average. Where the mask is 0 they do not count.
    """
    if clip_vision is None:
        raise InputError("clip_vision", "The adapter cannot see by itself. Connect CLIPVisionLoader.")
    if weight == 0:
        return Adapted(model)
    with naming("ipadapter"):
        check_fits(ipadapter, model)
    if 0 in image.shape:
        raise InputError("image", "There is no picture. Connect at least one.")
    if attn_mask is not None:
        require_pixels(attn_mask)
    made = PictureAttention(
        _made(ipadapter, clip_vision, image, memory, averaged=combine_embeds == "average"),
        _made(ipadapter, clip_vision, image_negative, memory, averaged=True),
        counts_of(model.network.module),
        weight,
        start_at,
        end_at,
        keys_too=embeds_scaling == "K+V",
        mask=None if attn_mask is None else attn_mask.reshape(-1, 1, *attn_mask.shape[-2:]),
    )
    return Adapted(replace(model, alterations=(*model.alterations, made)))


def _made(
    adapter: IpAdapter, vision: ClipVision, image: Tensor | None, memory: DeviceMemory, *, averaged: bool
) -> Pairs:
    """What the adapter says of pictures, or of none."""
    with memory.resident(vision.network):
        said = look_at_nothing(vision, blind=adapter.kind == "plain") if image is None else look(vision, image)
    with memory.resident(adapter.network), naming("clip_vision"):
        return pairs(adapter, said, averaged=averaged)
