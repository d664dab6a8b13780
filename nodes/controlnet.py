"""Nodes that steer a model by pictures: ControlNets, union networks and T2I adapters."""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints.control import open_control_net, open_difference
from nodes.diffusion.values import Control
from nodes.model_files import file_state, opening
from nodes.types import Conditioning, ControlNet, Image, Model, Vae

ControlNetName = Annotated[str, Widget("combo", choices=FolderChoices("controlnet"))]
Strength = Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)]
Moment = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]
UnionType = Literal[
    "auto",
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
]
UNION_TYPES: tuple[UnionType, ...] = UnionType.__args__  # type: ignore[attr-defined]


class Steered(NamedTuple):
    """Both conditionings with the picture."""

    positive: Conditioning
    negative: Conditioning


def control_net_state(*, control_net_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("controlnet", control_net_name))


@node("ControlNetLoader", category="loaders", display_name="Load ControlNet Model", fingerprint=control_net_state)
def control_net_loader(*, control_net_name: ControlNetName, folders: Injected[Folders]) -> ControlNet:
    """Open a network that steers a model by a picture.

    ControlNets, those for several types of pictures (union), and T2I adapters, for SD 1, SD 2 and SDXL.
    """
    with opening("control_net_name"):
        return open_control_net(folders.model("controlnet", control_net_name))


@node(
    "DiffControlNetLoader",
    category="loaders",
    display_name="Load ControlNet Model (diff)",
    fingerprint=control_net_state,
)
def diff_control_net_loader(
    *, model: Model, control_net_name: ControlNetName, folders: Injected[Folders]
) -> ControlNet:
    """Open a ControlNet whose file holds only what was changed of a model, with that model for the rest."""
    with opening("control_net_name"):
        return open_difference(folders.model("controlnet", control_net_name), model)


@node("SetUnionControlNetType", category="conditioning/controlnet")
def set_union_control_net_type(*, control_net: ControlNet, type: UnionType) -> ControlNet:  # noqa: A002 the socket's
    """Say what kind of picture a union network will see. With "auto" it has to find out; others ignore this."""
    if control_net.kind != "union" or type == "auto":
        return replace(control_net, types=())
    index, known = UNION_TYPES.index(type) - 1, control_net.network.module.config.num_control_type
    if index >= known:
        raise InputError("type", f"{control_net.title} knows {known} types of pictures, and '{type}' is none of them.")
    return replace(control_net, types=(index,))


@node("ControlNetApply", category="conditioning/controlnet", display_name="Apply ControlNet (OLD)", deprecated=True)
def control_net_apply(
    *, conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Steer by a picture. What this is compared with is steered too, unless it has a picture of its own."""
    return _steered(conditioning, Control(control_net, image, strength, everywhere=True))


@node("ControlNetApplyAdvanced", category="conditioning/controlnet", display_name="Apply ControlNet")
def control_net_apply_advanced(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Moment = 0.0,
    end_percent: Moment = 1.0,
    vae: Vae | None = None,  # noqa: ARG001 only networks that see latents need it, which are of other families
) -> Steered:
    """Steer by a picture, during a part of the sampling: 0 is pure noise, 1 the finished picture.

    Several pictures add up: connect one of these nodes behind the other. A conditioning with an area sees its cut of
    the picture.
    """
    control = Control(control_net, image, strength, start_percent, end_percent)
    return Steered(_steered(positive, control), _steered(negative, control))


@node(
    "ControlNetApplySD3",
    category="conditioning/controlnet",
    display_name="Apply Controlnet with VAE",
    deprecated=True,
)
def control_net_apply_sd3(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Moment = 0.0,
    end_percent: Moment = 1.0,
) -> Steered:
    """The same as Apply ControlNet, for networks that see latents."""
    return control_net_apply_advanced(
        positive=positive,
        negative=negative,
        control_net=control_net,
        image=image,
        strength=strength,
        start_percent=start_percent,
        end_percent=end_percent,
        vae=vae,
    )


def _steered(conditioning: Conditioning, control: Control) -> Conditioning:
    if 0 in control.picture.shape:
        raise InputError("image", "There is no picture to steer by. Connect at least one.")
    if control.strength == 0:
        return conditioning
    return tuple(replace(one, controls=(*one.controls, control)) for one in conditioning)
