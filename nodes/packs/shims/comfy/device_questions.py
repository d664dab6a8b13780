"""Questions about devices, dtypes and tensors that packs ask, with plain answers. Moves no network."""

from typing import Any

import torch
from torch import Tensor

from comfy.worker_memory import memory

FLOAT8_TYPES = [torch.float8_e4m3fn, torch.float8_e5m2]


def get_torch_device() -> torch.device:
    """Where networks compute."""
    return memory().device


def is_device_type(device: Any, kind: str) -> bool:
    """Whether a device is of a type."""
    return getattr(device, "type", None) == kind


def is_device_cpu(device: Any) -> bool:
    """Whether it is the CPU."""
    return is_device_type(device, "cpu")


def is_device_mps(device: Any) -> bool:
    """Whether it is Apple's GPU."""
    return is_device_type(device, "mps")


def is_device_cuda(device: Any) -> bool:
    """Whether it is a CUDA or ROCm GPU."""
    return is_device_type(device, "cuda")


def is_device_xpu(device: Any) -> bool:
    """Whether it is an Intel GPU."""
    return is_device_type(device, "xpu")


def is_nvidia() -> bool:
    """Whether networks compute on an NVIDIA GPU."""
    return is_device_cuda(get_torch_device()) and torch.version.cuda is not None


def is_amd() -> bool:
    """Whether networks compute on an AMD GPU."""
    return is_device_cuda(get_torch_device()) and torch.version.hip is not None


def is_intel_xpu() -> bool:
    """Whether networks compute on an Intel GPU."""
    return is_device_xpu(get_torch_device())


def is_directml_enabled() -> bool:
    """Never."""
    return False


def cpu_mode() -> bool:
    """Whether networks compute on the CPU."""
    return is_device_cpu(get_torch_device())


def mps_mode() -> bool:
    """Whether networks compute on Apple's GPU."""
    return is_device_mps(get_torch_device())


def xformers_enabled() -> bool:
    """Never: attention is torch's own."""
    return False


xformers_enabled_vae = xformers_enabled
sage_attention_enabled = xformers_enabled
flash_attention_enabled = xformers_enabled


def pytorch_attention_enabled() -> bool:
    """Always."""
    return True


pytorch_attention_enabled_vae = pytorch_attention_enabled


def pytorch_attention_flash_attention() -> bool:
    """Whether torch may choose flash attention."""
    return is_nvidia()


def device_supports_non_blocking(device: Any) -> bool:
    """Whether copies to it may go on in the background."""
    return is_device_cuda(device)


def device_should_use_non_blocking(device: Any) -> bool:
    """Never: it would need pinned memory."""
    return False


def supports_dtype(device: Any, dtype: torch.dtype) -> bool:
    """Whether a device computes in a dtype."""
    if dtype == torch.float32:
        return True
    return not is_device_cpu(device) and dtype in (torch.float16, torch.bfloat16)


def supports_cast(device: Any, dtype: torch.dtype) -> bool:
    """Whether a device can hold a dtype."""
    return dtype not in FLOAT8_TYPES or not is_device_mps(device)


def cast_to(
    weight: Tensor,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    non_blocking: bool = False,
    copy: bool = False,
    **_: Any,
) -> Tensor:
    """A tensor in a dtype on a device; the same one if it is already there, unless `copy`."""
    return weight.to(device=device, dtype=dtype or weight.dtype, non_blocking=non_blocking, copy=copy)


def cast_to_device(tensor: Tensor, device: torch.device, dtype: torch.dtype | None, copy: bool = False) -> Tensor:
    """The same, with the arguments in another order."""
    return cast_to(tensor, dtype, device, copy=copy)


def dtype_size(dtype: torch.dtype) -> int:
    """Bytes of one element."""
    return dtype.itemsize


def module_size(module: torch.nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return sum(value.nelement() * value.element_size() for value in module.state_dict().values())


def resolve_lowvram_weight(weight: Tensor, model: Any, key: str) -> Tensor:
    """The weight: ours are never split over devices."""
    return weight


def get_autocast_device(dev: Any) -> str:
    """The type of a device."""
    return str(getattr(dev, "type", "cuda"))


def force_channels_last() -> bool:
    """Never."""
    return False
