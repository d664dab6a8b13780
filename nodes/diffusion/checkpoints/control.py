"""Files of control networks -> `ControlNet` values: ControlNets, union networks and T2I adapters in every layout.

What a file is follows from its tensors, with one exception that they do not tell: see `AVERAGED`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.control_names import control_names
from nodes.diffusion.checkpoints.detect import describe, detect_encoder
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.layouts import adapter_part, control_part
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.source import Part, Source, open_source
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.families.control import TASKS, adapter_config, control_config
from nodes.diffusion.memory.network import Network
from nodes.diffusion.values import ControlNet, Model

DIFFERENCE = "difference"
"""A tensor of this name marks a file that holds what was changed of the UNet, not what came out."""

LOW_RANK = "lora_controlnet"
"""And one of this name, a file that holds the change as a product of two matrices."""

AVERAGED = re.compile(r"_shuffle(_|\.|$)", re.IGNORECASE)
"""The published ControlNet for shuffled pictures has the tensors of any other, and averages what it says over all
places. Its file is always called so."""


def open_control_net(path: Path) -> ControlNet:
    """A file with a control network. Raises CheckpointError with a sentence for the user."""
    source = open_source(path)
    if DIFFERENCE in source.shapes:
        raise CheckpointError(
            f"{source.title} holds only what was changed of the model that it was trained from. Load it with "
            "DiffControlNetLoader, and connect that model."
        )
    return control_net_of(source)


def open_difference(path: Path, model: Model) -> ControlNet:
    """The same, on top of the weights of a model if the file holds only the difference. Raises CheckpointError."""
    source = open_source(path)
    net = control_net_of(source)
    if DIFFERENCE not in source.shapes:
        return net
    network, unet = net.network, model.network
    for name in network.weights.keys() & unet.weights.keys():
        if network.weights[name].shape != unet.weights[name].shape:
            raise CheckpointError(
                f"{source.title} does not fit the model: {name} is {list(network.weights[name].shape)} where the model "
                f"has {list(unet.weights[name].shape)}. Connect the model that it was trained from."
            )
    whole = {name: _sum(value, unet, name) for name, value in network.weights.items()}
    return replace(net, network=Network("unet", network.module, whole))


def control_net_of(source: Source) -> ControlNet:
    """The control network of a source that is open, as it is there. Raises CheckpointError."""
    with explained(source):
        if LOW_RANK in source.shapes:
            raise ValueError("it is a Control-LoRA, which is not supported yet. Use a whole ControlNet")
        part = control_part(source)
        if part is not None:
            return _control_net(source, part)
        adapter = adapter_part(source)
        if adapter is not None:
            return _adapter(source, adapter)
        raise ValueError(f"it holds {describe(source.shapes)}, which is no ControlNet and no T2I adapter that is known")


def _control_net(source: Source, part: Part) -> ControlNet:
    # Imported here because it takes seconds; see `load_unet`.
    from nodes.diffusion.checkpoints import networks

    family = detect_encoder(part.shapes)
    config = control_config(part.shapes, family.heads)
    union = TASKS in part.shapes
    module = networks.make_union(config) if union else networks.make_control(config)
    takes = {name: Take(one) for name, one in control_names(module.state_dict()).items()}
    network = _assembled(module, part, takes)
    averaged = bool(AVERAGED.search(source.path.stem))
    return ControlNet(network, source.title, "union" if union else "control", family.name, pooled=averaged)


def _adapter(source: Source, part: Part) -> ControlNet:
    from nodes.diffusion.checkpoints import networks

    module = networks.make_adapter(adapter_config(part.shapes))
    takes = {name: Take(name.removeprefix("adapter.")) for name in module.state_dict()}
    return ControlNet(_assembled(module, part, takes), source.title, "adapter", None)


def _assembled(module: nn.Module, part: Part, takes: Mapping[str, Take]) -> Network:
    network = assemble("unet", module, part, takes)
    warn_of(part.source, [name for name in untaken(part, takes) if name != DIFFERENCE])
    return network


def _sum(difference: Tensor, unet: Network, name: str) -> Tensor:
    if name not in unet.weights:
        return difference
    weight = unet.weights[name].float()
    scaled = weight * unet.scales[name] if name in unet.scales else weight
    return (scaled + difference.float()).to(difference.dtype if difference.dtype.itemsize > 1 else torch.float16)
