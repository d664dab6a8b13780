"""A model as packs change it: a clone shares the network and has options, patches, wrappers of its own.

`of` shows a model of ours, `to_value` is the way back; an unchanged patcher leads back to the same model.
"""

import inspect
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

import comfy.model_base
import comfy.model_management
import comfy.patcher_extension as extension
from comfy.lora import changed_weight
from comfy.own_networks import OwnNetwork
from comfy.patcher_attachments import PatcherAttachments
from comfy.transformer_patches import TransformerPatches, appended, refuse_unknown, replace_block
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.memory.network import Change, Network
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.values import Model
from nodes.packs.bridge import guiders, levels
from nodes.packs.bridge.missing import refuse

_ATTACHED = "model patcher"
_PARTS = (
    "model_options", "patches", "object_patches", "wrappers", "callbacks", "attachments", "injections",
    "additional_models",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PatcherState:
    """What packs did to a model, as it travels with our value. Invariant: never written to."""

    base: Any
    """The `BaseModel`, so that packs find the same one again."""
    sampling: ModelSampling
    """What came of the patches; another one was chosen later if the model has another."""
    parts: Mapping[str, Any]


class ModelPatcher(TransformerPatches, PatcherAttachments):
    """A network with what packs want of it."""

    heddle_type = "MODEL"

    def __init__(
        self,
        model: Any,
        load_device: torch.device | None = None,
        offload_device: torch.device | None = None,
        size: int = 0,
        weight_inplace_update: bool = False,
    ) -> None:
        self.model = model
        self.size = size
        self.weight_inplace_update = weight_inplace_update
        self.load_device = load_device or comfy.model_management.get_torch_device()
        self.offload_device = offload_device or comfy.model_management.unet_offload_device()
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.patches: dict[str, list[Any]] = {}
        self.object_patches: dict[str, Any] = {}
        self.wrappers: extension.Registry = {}
        self.callbacks: extension.Registry = {}
        self.attachments: dict[str, Any] = {}
        self.injections: dict[str, list[Any]] = {}
        self.additional_models: dict[str, list[Any]] = {}
        self.backup: dict[str, Any] = {}
        self.object_patches_backup: dict[str, Any] = {}
        self.patches_uuid = uuid.uuid4()
        self.parent: ModelPatcher | None = None
        self._origin: tuple[Model, Mapping[str, Any]] | None = None
        self._sampled: tuple[Model, ModelPatcher] | None = None
        ours = isinstance(model, comfy.model_base.BaseModel)
        self._network: Network = model.value.network if ours else OwnNetwork(model, self.offload_device)

    @classmethod
    def of(cls, value: Model) -> "ModelPatcher":
        """A patcher for a model of ours, with all that packs did to it before."""
        state = value.attached.get(_ATTACHED)
        if not isinstance(state, PatcherState):
            made = cls(comfy.model_base.base_of(value))
        else:
            kept = value.sampling is state.sampling
            sampling = state.base.value.sampling if kept else value.sampling
            plain = replace(value, sampling=sampling, run=None, attached={})
            made = cls(state.base if _same_model(plain, state.base.value) else comfy.model_base.base_of(plain))
            made._take(state.parts)
            if not kept:
                made.object_patches.pop("model_sampling", None)
        made._origin = (value, made._parts())
        return made

    def to_value(self) -> Any:
        """The model of ours that this stands for; the patcher itself if it holds a module of the pack's own."""
        if isinstance(self._network, OwnNetwork):
            return self
        parts = self._parts()
        if self._origin is not None and same(parts, self._origin[1]):
            return self._origin[0]
        base: Model = self.model.value
        shown, kept = self.model, parts
        if self.patches:  # become the network's own, so that whoever has the model computes with them
            base = replace(base, network=base.network.changed(self._changes()))
            shown, kept = comfy.model_base.base_of(base), {**parts, "patches": {}}
        if same(kept, ModelPatcher(shown)._parts()):
            made = base
        else:
            patched = self.object_patches.get("model_sampling")
            sampling = base.sampling if patched is None else levels.as_library(patched)
            state = PatcherState(shown, sampling, kept)
            made = replace(base, sampling=sampling, run=guiders.run, attached={**base.attached, _ATTACHED: state})
        self._origin = (made, parts)
        return made

    def networks(self) -> list[Network]:
        """What must be resident to compute."""
        others = [one for models in self.additional_models.values() for one in models]
        own = self._network if self._settled() is self else self._settled()._network
        return [own, *(network for one in others for network in one.networks())]

    def clone(self) -> "ModelPatcher":
        """A patcher of its own for the same network."""
        made = type(self)(self.model, self.load_device, self.offload_device, self.size, self.weight_inplace_update)
        made._take(self._parts())
        made.parent, made.patches_uuid, made._origin = self, self.patches_uuid, self._origin
        made._network = self._network
        for callback in self.get_all_callbacks(extension.CallbacksMP.ON_CLONE):
            callback(self, made)
        return made

    def is_clone(self, other: Any) -> bool:
        """Whether both share a network."""
        return getattr(other, "model", None) is self.model

    def clone_has_same_weights(self, clone: Any) -> bool:
        """Whether both also patch its weights in the same way."""
        return self.is_clone(clone) and same(self.patches, clone.patches)

    def check_sampling(self) -> None:
        """Raise Unsupported for patches that sampling would ignore."""
        if self.patches and isinstance(self._network, OwnNetwork):
            raise refuse("Changes of the weights of a module that a node pack made are")
        refuse_unknown(self.model_options.get("transformer_options", {}))

    def sampled_model(self) -> Any:
        """The network with the objects that packs replaced."""
        return self._settled().model.patched(self.object_patches)

    def _settled(self) -> "ModelPatcher":
        """The same without changes of weights that are still to be made; itself if there are none."""
        if not self.patches or isinstance(self._network, OwnNetwork):
            return self
        value = self.to_value()
        if self._sampled is None or self._sampled[0] is not value:
            self._sampled = (value, ModelPatcher.of(value))
        return self._sampled[1]

    def _changes(self) -> dict[str, list[Change]]:
        """What packs do to each weight, under the network's own names."""
        ours = {f"diffusion_model.{original}": name for name, original in unet_names(self._network.weights).items()}
        return {
            ours[key]: [partial(changed_weight, tuple(patches), key)]
            for key, patches in self.patches.items()
            if patches
        }

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Callable[..., Tensor], disable_cfg1_optimization: bool = False
    ) -> None:
        """Replace the formula of guidance. The function gets a dict, or three arguments: cond, uncond, cond_scale."""
        if len(inspect.signature(sampler_cfg_function).parameters) == 3:
            self.model_options["sampler_cfg_function"] = lambda args: sampler_cfg_function(
                args["cond"], args["uncond"], args["cond_scale"]
            )
        else:
            self.model_options["sampler_cfg_function"] = sampler_cfg_function
        self._both(disable_cfg1_optimization)

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Callable[..., Tensor], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change what guidance gave."""
        appended(self.model_options, "sampler_post_cfg_function", post_cfg_function)
        self._both(disable_cfg1_optimization)

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change what guidance gets."""
        appended(self.model_options, "sampler_pre_cfg_function", pre_cfg_function)
        self._both(disable_cfg1_optimization)

    def set_model_sampler_calc_cond_batch_function(self, sampler_calc_cond_batch_function: Callable[..., Any]) -> None:
        """Replace the prediction of all conditionings."""
        self.model_options["sampler_calc_cond_batch_function"] = sampler_calc_cond_batch_function

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Callable[..., Tensor]) -> None:
        """Stand between each batch and the network."""
        self.model_options["model_function_wrapper"] = unet_wrapper_function

    def set_model_denoise_mask_function(self, denoise_mask_function: Callable[..., Tensor]) -> None:
        """Choose the mask at every noise level."""
        self.model_options["denoise_mask_function"] = denoise_mask_function

    def disable_model_cfg1_optimization(self) -> None:
        """Predict the negative even where it has no say."""
        self._both(True)

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Replace an attribute of the model while sampling."""
        self.object_patches[name] = obj

    def get_model_object(self, name: str) -> Any:
        """An attribute of the model, or what replaces it; dots lead inside."""
        if name in self.object_patches:
            return self.object_patches[name]
        found = self.model
        for part in name.split("."):
            found = found[int(part)] if part.isdigit() and not hasattr(found, part) else getattr(found, part)
        return found

    def add_patches(
        self, patches: Mapping[str, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[str]:
        """Change weights; the names that there are. The network itself stays as it is."""
        known = set(self.get_key_patches())
        taken = []
        for key, patch in patches.items():
            name = key if isinstance(key, str) else key[0]
            if name in known:
                self.patches.setdefault(name, []).append((strength_patch, patch, strength_model, None, None))
                taken.append(key)
        self.patches_uuid = uuid.uuid4()
        return taken

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """Name of each weight -> the weight, with its changes."""
        return {
            name: [(weight, lambda one: one), *self.patches.get(name, [])]
            for name, weight in self.model_state_dict(filter_prefix).items()
        }

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """Name of each weight in the original layout, without changes, as it is in the file."""
        weights = self._network.weights
        named = {f"diffusion_model.{original}": weights[name] for name, original in unet_names(weights).items()}
        if isinstance(self._network, OwnNetwork):
            named = self.model.state_dict()
        return {
            name: weight for name, weight in named.items() if filter_prefix is None or name.startswith(filter_prefix)
        }

    def model_dtype(self) -> torch.dtype:
        """What the network computes in."""
        if isinstance(self._network, OwnNetwork):
            return next((one.dtype for one in self.model.parameters()), torch.float32)
        return comfy.model_management.unet_dtype()

    def model_size(self) -> int:
        """Bytes of the weights."""
        return self._network.bytes_as(self.model_dtype())

    def loaded_size(self) -> int:
        """Bytes of the weights on the device."""
        return self.model_size() if self._network.resident else 0

    def current_loaded_device(self) -> torch.device:
        """Where the weights are."""
        return self.load_device if self._network.resident else self.offload_device

    def memory_required(self, input_shape: Any) -> float:
        """A guess at the bytes that one pass needs."""
        return self.model.memory_required(input_shape)

    def patch_model(self, *_: Any, **__: Any) -> Any:
        """Make the network resident."""
        self.check_sampling()
        comfy.model_management.load_models_gpu([self])
        return self.model

    def unpatch_model(self, *_: Any, **__: Any) -> None:
        """Nothing to undo: patches never change the network."""

    def detach(self, unpatch_all: bool = True) -> Any:
        """The network leaves when others need the room."""
        return self.model

    def model_patches_to(self, device: Any) -> None:
        """Move what the options hold, if it can move."""
        for hold in (self.model_options, self.model_options.get("transformer_options", {})):
            for name, value in hold.items():
                if name.endswith("wrapper") and hasattr(value, "to"):
                    hold[name] = value.to(device)

    def pre_run(self) -> None:
        """A run begins."""
        for callback in self.get_all_callbacks(extension.CallbacksMP.ON_PRE_RUN):
            callback(self)

    def cleanup(self) -> None:
        """A run has ended."""
        for callback in self.get_all_callbacks(extension.CallbacksMP.ON_CLEANUP):
            callback(self)

    def _both(self, wanted: bool) -> None:
        if wanted:
            self.model_options["disable_cfg1_optimization"] = True

    def _parts(self) -> dict[str, Any]:
        return {name: copied(getattr(self, name)) for name in _PARTS}

    def _take(self, parts: Mapping[str, Any]) -> None:
        for name, part in parts.items():
            setattr(self, name, copied(part))


def create_model_options_clone(orig_model_options: dict[str, Any]) -> dict[str, Any]:
    """Options that can be changed without changing the first."""
    return copied(orig_model_options)


def copied(part: Any) -> Any:
    """Dicts and lists anew, what is in them as it is."""
    if type(part) is dict:
        return {key: copied(value) for key, value in part.items()}
    return [copied(value) for value in part] if type(part) is list else part


def set_model_options_patch_replace(
    model_options: dict[str, Any],
    patch: Any,
    name: str,
    block_name: str,
    number: int,
    transformer_index: int | None = None,
) -> dict[str, Any]:
    """Options with a part of one block replaced. What the given ones hold below the first level stays as it is."""
    options = model_options["transformer_options"] = copied(model_options.get("transformer_options", {}))
    replace_block(options, patch, name, block_name, number, transformer_index)
    return model_options


def set_model_options_post_cfg_function(
    model_options: dict[str, Any], post_cfg_function: Callable[..., Tensor], disable_cfg1_optimization: bool = False
) -> dict[str, Any]:
    """Options with one more function after guidance."""
    appended(model_options, "sampler_post_cfg_function", post_cfg_function)
    if disable_cfg1_optimization:
        model_options["disable_cfg1_optimization"] = True
    return model_options


def set_model_options_pre_cfg_function(
    model_options: dict[str, Any], pre_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
) -> dict[str, Any]:
    """Options with one more function before guidance."""
    appended(model_options, "sampler_pre_cfg_function", pre_cfg_function)
    if disable_cfg1_optimization:
        model_options["disable_cfg1_optimization"] = True
    return model_options


def _same_model(first: Model, second: Model) -> bool:
    """Whether two models differ in nothing but what is attached to them."""
    names = [field.name for field in fields(first) if field.name not in ("run", "attached")]
    return all(getattr(first, name) is getattr(second, name) for name in names if name != "latent_scale") and (
        first.latent_scale == second.latent_scale
    )


def same(first: Any, second: Any) -> bool:
    """Whether two structures hold the same objects in the same places."""
    if type(first) is dict and type(second) is dict:
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if type(first) is list and type(second) is list:
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, str | int | float | bool | None) and type(first) is type(second):
        return bool(first == second)
    return first is second
