"""What packs use all over: progress, files of weights, resizing, tiles, names inside objects and state dicts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from comfy.tensor_tiles import get_tiled_scale_steps, tiled_scale, tiled_scale_multidim
from comfy.tracked_progress import ProgressBar, set_progress_bar_enabled, set_progress_bar_global_hook
from nodes.diffusion import resize
from nodes.diffusion.checkpoints.header import CheckpointError, read_header
from nodes.packs.bridge.missing import Unsupported

__all__ = [
    "ProgressBar", "bislerp", "calculate_parameters", "common_upscale", "convert_sd_to", "copy_to_param", "get_attr",
    "get_tiled_scale_steps", "lanczos", "load_torch_file", "model_trange", "repeat_to_batch_size",
    "reshape_mask", "resize_to_batch_size", "safetensors_header", "save_torch_file", "set_attr", "set_attr_param",
    "set_progress_bar_enabled", "set_progress_bar_global_hook", "state_dict_key_replace", "state_dict_prefix_replace",
    "string_to_seed", "tiled_scale", "tiled_scale_multidim", "weight_dtype",
]  # fmt: skip

PROGRESS_BAR_ENABLED = True


def load_torch_file(
    ckpt: str | Path,
    safe_load: bool = True,
    device: torch.device | None = None,
    return_metadata: bool = False,
) -> Any:
    """The tensors of a file of weights by name; of a pickle only what holds plain tensors and runs no code.

    Raises CheckpointError with a sentence naming the file.
    """
    path = Path(ckpt)
    metadata: Mapping[str, str] | None = None
    if path.suffix.lower() in (".safetensors", ".sft"):
        metadata = read_header(path).metadata
        with safe_open(path, framework="pt", device=str(device or "cpu")) as file:
            tensors: Any = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no dict
    else:
        try:
            loaded = torch.load(path, map_location=device or "cpu", weights_only=True)
        except OSError as error:
            raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
        except Exception as error:
            raise CheckpointError(
                f"{path.name} holds more than tensors, or is damaged, so it is not opened: a pickle can run code. "
                "Get the .safetensors version."
            ) from error
        tensors = _unwrapped(loaded)
    return (tensors, metadata) if return_metadata else tensors


def _unwrapped(loaded: Any) -> Any:
    """The state dict in what a pickle held: under `state_dict`, or under the only name that there is."""
    if not isinstance(loaded, dict):
        return loaded
    if "state_dict" in loaded:
        return loaded["state_dict"]
    only = next(iter(loaded.values())) if len(loaded) == 1 else None
    return only if isinstance(only, dict) else loaded


def save_torch_file(sd: Mapping[str, Tensor], ckpt: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as a safetensors file."""
    tensors = {name: value.detach().contiguous() for name, value in sd.items()}
    save_file(tensors, str(ckpt), metadata=None if metadata is None else dict(metadata))


def safetensors_header(safetensors_path: str | Path, max_size: int = 100 * 1024 * 1024) -> bytes | None:
    """The header of a safetensors file as JSON, or None if there is none, or a longer one."""
    try:
        with Path(safetensors_path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return file.read(length) if 0 < length <= max_size else None
    except (OSError, SafetensorError):
        return None


def common_upscale(samples: Tensor, width: int, height: int, upscale_method: str, crop: str) -> Tensor:
    """(N, channels, h, w) or (N, channels, frames, h, w) resized; `crop` "center" keeps the proportions."""
    frames = samples.shape[2] if samples.ndim == 5 else None
    if frames is not None:
        samples = samples.movedim(2, 1).flatten(0, 1)
    if crop == "center":
        samples = resize.centred(samples, width, height)
    samples = resize.resize(samples, width, height, upscale_method)
    return samples if frames is None else samples.unflatten(0, (-1, frames)).movedim(1, 2)


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """(N, channels, h, w) pictures resized with Pillow's filter."""
    return resize.resize(samples, width, height, "lanczos").to(samples)


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """(N, channels, h, w) latents resized so that the length of their vectors is kept."""
    return resize.resize(samples, width, height, "bislerp").to(samples.dtype)


def get_attr(obj: Any, attr: str) -> Any:
    """An attribute by its dotted name."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Set an attribute by its dotted name; what was there before."""
    *way, name = attr.split(".")
    for step in way:
        obj = getattr(obj, step)
    before = getattr(obj, name)
    setattr(obj, name, value)
    return before


def set_attr_param(obj: Any, attr: str, value: Tensor) -> Any:
    """Set an attribute to a parameter that is not trained; what was there before."""
    return set_attr(obj, attr, torch.nn.Parameter(value, requires_grad=False))


def copy_to_param(obj: Any, attr: str, value: Tensor) -> None:
    """Copy a tensor into a parameter."""
    get_attr(obj, attr).data.copy_(value)


def state_dict_key_replace(state_dict: dict[str, Any], keys_to_replace: Mapping[str, str]) -> dict[str, Any]:
    """Rename entries, in place."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def state_dict_prefix_replace(
    state_dict: dict[str, Any], replace_prefix: Mapping[str, str], filter_keys: bool = False
) -> dict[str, Any]:
    """Rename entries by their beginnings, in place; with `filter_keys`, a new dict of the renamed ones alone."""
    out = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for key in [key for key in state_dict if key.startswith(old)]:
            out[new + key[len(old) :]] = state_dict.pop(key)
    return out


def calculate_parameters(sd: Mapping[str, Tensor], prefix: str = "") -> int:
    """How many numbers the tensors under a prefix hold."""
    return sum(value.nelement() for name, value in sd.items() if name.startswith(prefix))


def weight_dtype(sd: Mapping[str, Tensor], prefix: str = "") -> torch.dtype | None:
    """The dtype of most numbers under a prefix; None where there are none."""
    counts: dict[torch.dtype, int] = {}
    for name, value in sd.items():
        if name.startswith(prefix):
            counts[value.dtype] = counts.get(value.dtype, 0) + value.numel()
    return max(counts, key=lambda dtype: counts[dtype]) if counts else None


def convert_sd_to(state_dict: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Cast every tensor, in place."""
    for name in list(state_dict):
        state_dict[name] = state_dict[name].to(dtype)
    return state_dict


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """Cut, or repeated from its beginning, to a size along one dimension."""
    size = tensor.shape[dim]
    if size > batch_size:
        return tensor.narrow(dim, 0, batch_size)
    repeats = [1] * tensor.ndim
    repeats[dim] = -(-batch_size // size)
    return tensor.repeat(repeats).narrow(dim, 0, batch_size)


def resize_to_batch_size(tensor: Tensor, batch_size: int) -> Tensor:
    """As many rows as asked for: spread evenly from the first to the last, some left out or several times."""
    size = tensor.shape[0]
    if size == batch_size:
        return tensor
    if batch_size <= 1:
        return tensor[:batch_size]
    if batch_size < size:
        scale = (size - 1) / (batch_size - 1)
        rows = [min(round(index * scale), size - 1) for index in range(batch_size)]
    else:
        scale = size / batch_size
        rows = [min(int((index + 0.5) * scale), size - 1) for index in range(batch_size)]
    return tensor[rows]


def reshape_mask(input_mask: Tensor, output_shape: Any) -> Tensor:
    """A mask laid over (N, channels, h, w) latents of a shape."""
    mask = input_mask.reshape(-1, 1, *input_mask.shape[-2:])
    mask = torch.nn.functional.interpolate(mask, size=tuple(output_shape[-2:]), mode="bilinear")
    return repeat_to_batch_size(mask.expand(-1, output_shape[1], -1, -1), output_shape[0])


def string_to_seed(data: str | bytes) -> int:
    """A number that depends on a text alone."""
    text = data.encode() if isinstance(data, str) else data
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def model_trange(*args: int, **_: Any) -> range:
    """A range: progress is reported by the node that samples."""
    return range(*args)


def unet_to_diffusers(unet_config: Any) -> dict[str, str]:
    """Not made from a configuration. Raises Unsupported."""
    raise Unsupported(
        "Names of UNet weights are not translated from a configuration; use ModelPatcher.get_key_patches."
    )
