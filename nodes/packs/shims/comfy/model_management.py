"""Device and memory as packs ask for them; behind every answer is the worker's `DeviceMemory`.

Models are moved by that alone: what packs ask to load is made resident, and leaves when others need the room.
"""

import gc
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import psutil
import torch

from comfy.device_questions import (  # noqa: F401 packs find them here
    FLOAT8_TYPES,
    cast_to,
    cast_to_device,
    cpu_mode,
    device_should_use_non_blocking,
    device_supports_non_blocking,
    dtype_size,
    flash_attention_enabled,
    force_channels_last,
    get_autocast_device,
    get_torch_device,
    is_amd,
    is_device_cpu,
    is_device_cuda,
    is_device_mps,
    is_device_type,
    is_device_xpu,
    is_directml_enabled,
    is_intel_xpu,
    is_nvidia,
    module_size,
    mps_mode,
    pytorch_attention_enabled,
    pytorch_attention_enabled_vae,
    pytorch_attention_flash_attention,
    resolve_lowvram_weight,
    sage_attention_enabled,
    supports_cast,
    supports_dtype,
    xformers_enabled,
    xformers_enabled_vae,
)
from comfy.worker_memory import memory
from executor.context import executing
from executor.progress import Interrupted

InterruptProcessingException = Interrupted
OOM_EXCEPTION = torch.OutOfMemoryError
XFORMERS_IS_AVAILABLE = False
XFORMERS_ENABLED_VAE = False
ENABLE_PYTORCH_ATTENTION = True
DISABLE_SMART_MEMORY = False
VAE_DTYPES = [torch.float32]


class VRAMState(Enum):
    """How sparing with device memory to be."""

    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
    SHARED = 5


class CPUState(Enum):
    """What computes."""

    GPU = 0
    CPU = 1
    MPS = 2


def __getattr__(name: str) -> Any:
    """Module variables whose value is only known in a worker."""
    if name == "vram_state":
        return VRAMState.DISABLED if is_device_cpu(get_torch_device()) else VRAMState.NORMAL_VRAM
    if name == "set_vram_to":
        return __getattr__("vram_state")
    if name == "cpu_state":
        return {"cpu": CPUState.CPU, "mps": CPUState.MPS}.get(get_torch_device().type, CPUState.GPU)
    if name == "total_vram":
        return get_total_memory() / 2**20
    if name == "total_ram":
        return psutil.virtual_memory().total / 2**20
    if name == "current_loaded_models":
        return []
    raise AttributeError(f"module 'comfy.model_management' has no attribute '{name}'")


class LoadedModel:
    """A model patcher on its device, as `current_loaded_models` would list it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.load_device
        self.real_model = model.model
        self.currently_used = True

    def model_memory(self) -> int:
        """Bytes of the weights."""
        return int(self.model.model_size())

    def model_unload(self, *_: Any, **__: Any) -> bool:
        """Weights leave when others need the room; nothing is to be done."""
        return True


def get_torch_device_name(device: torch.device | str) -> str:
    """A device as people call it."""
    device = torch.device(device)
    if device.type == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return device.type


def intermediate_device() -> torch.device:
    """Where values on links live."""
    return torch.device("cpu")


def unet_offload_device() -> torch.device:
    """Where a denoising network waits."""
    return torch.device("cpu")


def unet_inital_load_device(parameters: int = 0, dtype: torch.dtype | None = None) -> torch.device:
    """Where a denoising network is made."""
    return torch.device("cpu")


def text_encoder_offload_device() -> torch.device:
    """Where a text encoder waits."""
    return torch.device("cpu")


def text_encoder_device() -> torch.device:
    """Where text is encoded."""
    return get_torch_device()


def text_encoder_initial_device(*_: Any, **__: Any) -> torch.device:
    """Where a text encoder is made."""
    return torch.device("cpu")


def vae_device() -> torch.device:
    """Where pictures are encoded and decoded."""
    return get_torch_device()


def vae_offload_device() -> torch.device:
    """Where an autoencoder waits."""
    return torch.device("cpu")


def unet_dtype(
    device: torch.device | None = None,
    model_params: int = 0,
    supported_dtypes: Sequence[torch.dtype] = (torch.float16, torch.bfloat16, torch.float32),
    weight_dtype: torch.dtype | None = None,
) -> torch.dtype:
    """What denoising networks compute in."""
    return memory().dtype("unet")


def unet_manual_cast(
    weight_dtype: torch.dtype | None,
    inference_device: torch.device,
    supported_dtypes: Sequence[torch.dtype] = (torch.float16, torch.bfloat16, torch.float32),
) -> torch.dtype | None:
    """The dtype to cast to while computing; None where weights compute as they are."""
    compute = memory().dtype("unet")
    return None if weight_dtype in (None, torch.float32, compute) else compute


def text_encoder_dtype(device: torch.device | None = None) -> torch.dtype:
    """What text encoders compute in."""
    return memory().dtype("text")


def vae_dtype(device: torch.device | None = None, allowed_dtypes: Sequence[torch.dtype] = ()) -> torch.dtype:
    """What autoencoders compute in."""
    return memory().dtype("vae")


def should_use_fp16(
    device: torch.device | None = None,
    model_params: int = 0,
    prioritize_performance: bool = True,
    manual_cast: bool = False,
) -> bool:
    """Whether half precision is worth it on a device."""
    return (device or get_torch_device()).type != "cpu"


def should_use_bf16(
    device: torch.device | None = None,
    model_params: int = 0,
    prioritize_performance: bool = True,
    manual_cast: bool = False,
) -> bool:
    """Whether bfloat16 is worth it on a device."""
    return (device or get_torch_device()).type == "cuda" and torch.cuda.is_bf16_supported()


def supports_fp8_compute(device: torch.device | None = None) -> bool:
    """Never: our networks compute in half or whole precision."""
    return False


def load_models_gpu(models: Iterable[Any], *_: Any, **__: Any) -> None:
    """Make models resident. They stay until others need the room."""
    networks = [network for model in models for network in getattr(model, "networks", list)()]
    with memory().resident(*networks):
        pass


def load_model_gpu(model: Any) -> None:
    """Make a model resident."""
    load_models_gpu([model])


def loaded_models(only_currently_used: bool = False) -> list[Any]:
    """Patchers are not tracked: networks are, in `DeviceMemory`."""
    return []


def free_memory(memory_required: float, device: torch.device, keep_loaded: Sequence[Any] = ()) -> list[Any]:
    """Make room: if there is too little, everything idle leaves the device."""
    if get_free_memory(device) < memory_required:
        memory().free()
    return []


def unload_all_models() -> None:
    """Everything idle leaves the device."""
    memory().free()


def unload_model_and_clones(model: Any, *_: Any, **__: Any) -> None:
    """A network leaves the device unless it computes right now."""
    del model
    memory().free()


def cleanup_models(*_: Any, **__: Any) -> None:
    """Let go of what nobody holds."""
    gc.collect()


cleanup_models_gc = cleanup_models


def soft_empty_cache(force: bool = False) -> None:
    """Give what torch holds in reserve back to the device."""
    if get_torch_device().type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.ipc_collect()
    elif get_torch_device().type == "mps":
        torch.mps.empty_cache()


def get_free_memory(dev: torch.device | None = None, torch_free_too: bool = False) -> Any:
    """Free bytes of a device; with `torch_free_too`, also those that torch holds in reserve."""
    dev = dev or get_torch_device()
    if dev.type == "cuda":
        free, _ = torch.cuda.mem_get_info(dev)
        reserve = torch.cuda.memory_reserved(dev) - torch.cuda.memory_allocated(dev)
        return (free + reserve, reserve) if torch_free_too else free + reserve
    available = psutil.virtual_memory().available
    return (available, available) if torch_free_too else available


def get_total_memory(dev: torch.device | None = None, torch_total_too: bool = False) -> Any:
    """Bytes of a device."""
    dev = dev or get_torch_device()
    total = torch.cuda.mem_get_info(dev)[1] if dev.type == "cuda" else psutil.virtual_memory().total
    return (total, total) if torch_total_too else total


def maximum_vram_for_weights(device: torch.device | None = None) -> float:
    """Bytes that weights may take."""
    return float(get_total_memory(device)) * 0.88


def minimum_inference_memory() -> float:
    """Bytes to leave free for computing."""
    return 1024.0**3


def extra_reserved_memory() -> float:
    """Bytes that other programs get."""
    return 400.0 * 1024**2


def processing_interrupted() -> bool:
    """Whether the run was asked to stop."""
    try:
        throw_exception_if_processing_interrupted()
    except Interrupted:
        return True
    return False


def throw_exception_if_processing_interrupted() -> None:
    """Raise Interrupted if the run around the caller was asked to stop."""
    context = executing.get()
    if context is not None:
        context.progress.check()


def interrupt_current_processing(value: bool = True) -> None:
    """Stop the run that the caller is part of."""
    if value and executing.get() is not None:
        raise Interrupted("A node pack stopped the run.")
