"""The names that packs take from our package `nodes`: every node as a class, and a few functions and constants.

They are put there in the worker only, by `furnish`; the package itself knows nothing of them.
"""

import importlib
import logging
from collections.abc import Mapping
from pathlib import PurePath
from types import ModuleType
from typing import Any

import torch

from executor.context import executing
from executor.progress import Interrupted, Unwatched
from executor.schema import NodeType
from nodes.denoising import run_sampling
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling.guidance import CfgGuider
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.sample import Settings, make_sigmas
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.packs import bridge
from nodes.packs.facade import facade_class, missing_class
from nodes.packs.facade_names import METHODS
from nodes.packs.saving import saving_classes
from nodes.packs.surroundings import Surroundings

log = logging.getLogger(__name__)

MAX_RESOLUTION = 16384
"""The largest side of a picture that inputs allow."""


def furnish(around: Surroundings) -> None:
    """Give `nodes` all names. Before the packs are imported: of the node types that are known then."""
    package = _package()
    classes = {name: facade_class(node_type, around) for name, node_type in around.node_types.items()}
    if {"SaveImage", "PreviewImage"} <= classes.keys():
        classes |= saving_classes(around)
    missing = {name: missing_class(name) for name in METHODS if name not in classes}
    functions: dict[str, Any] = {
        "before_node_execution": before_node_execution,
        "common_ksampler": _sampler(around),
        "get_module_name": get_module_name,
        "interrupt_processing": interrupt_processing,
        "load_custom_node": load_custom_node,
    }
    constants: dict[str, Any] = {
        "EXTENSION_WEB_DIRS": around.host.web_directories,
        "LOADED_MODULE_DIRS": {},
        "MAX_RESOLUTION": MAX_RESOLUTION,
        "NODE_CLASS_MAPPINGS": classes,
        "NODE_DISPLAY_NAME_MAPPINGS": {
            name: node_type.definition.display_name for name, node_type in around.node_types.items()
        },
    }
    for name, value in {**missing, **classes, **functions, **constants}.items():
        setattr(package, name, value)


def add_pack_node(class_type: str, node_type: NodeType, cls: type | None, around: Surroundings) -> None:
    """Let packs find a node of a pack among the others: as its own class, or as a facade if it is a typed function."""
    package: Any = _package()
    package.NODE_CLASS_MAPPINGS[class_type] = cls if cls is not None else facade_class(node_type, around)
    package.NODE_DISPLAY_NAME_MAPPINGS[class_type] = node_type.definition.display_name


def before_node_execution() -> None:
    """Raises Interrupted if the run around the caller was asked to stop."""
    context = executing.get()
    if context is not None:
        context.progress.check()


def interrupt_processing(value: bool = True) -> None:
    """Stop the run that the caller is part of, by raising Interrupted. Outside of a run there is nothing to stop."""
    if value and executing.get() is not None:
        raise Interrupted("A node pack stopped the run.")


def get_module_name(module_path: str) -> str:
    """The name of a pack, from its file or folder."""
    path = PurePath(module_path)
    return path.stem if path.suffix == ".py" else path.name


async def load_custom_node(module_path: str, *_: Any, **__: Any) -> bool:
    """False: packs are loaded when the worker starts, and at no other time."""
    log.warning("A node pack wants to load %s now: restart Heddle to load it.", module_path)
    return False


def _sampler(around: Surroundings) -> Any:
    def common_ksampler(
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent: Mapping[str, Any],
        denoise: float = 1.0,
        disable_noise: bool = False,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
    ) -> tuple[dict[str, Any]]:
        """Denoise a latent through all of a schedule or a part of it; a tuple of the latent, which is a copy."""
        memory = around.resources["DeviceMemory"]
        assert isinstance(memory, DeviceMemory)
        ours = bridge.from_pack(model, "MODEL")
        sigmas = make_sigmas(ours.sampling, sampler_name, scheduler, steps, denoise)
        if last_step is not None and last_step < len(sigmas) - 1:
            sigmas = sigmas[: last_step + 1]
            if force_full_denoise:
                sigmas = torch.cat([sigmas[:-1], sigmas.new_zeros(1)])
        settings = Settings(choose_sampler(sampler_name), sigmas[start_step or 0 :], Noise(seed, blank=disable_noise))
        wanted, unwanted = (bridge.from_pack(one, "CONDITIONING") for one in (positive, negative))
        context = executing.get()
        progress = context.progress if context else Unwatched()
        start = bridge.from_pack(latent, "LATENT")
        outcome = run_sampling(CfgGuider(ours, wanted, unwanted, cfg), start, settings, memory, progress)
        return ({**latent, **bridge.to_pack(outcome.latent)},)

    return common_ksampler


def _package() -> ModuleType:
    return importlib.import_module("nodes")
