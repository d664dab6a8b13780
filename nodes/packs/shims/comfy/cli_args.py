"""`comfy.cli_args.args`: the command line as packs ask for it.

Our own options where we have them, and for the rest what is true of Heddle: no flag of theirs is set.
"""

import argparse
import enum
from typing import Any

from pack_surroundings import here


class LatentPreviewMethod(enum.Enum):
    """How unfinished work is shown."""

    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"

    @classmethod
    def from_string(cls, value: str) -> "LatentPreviewMethod | None":
        """The method of that name; None for other words."""
        return next((method for method in cls if method.value == value), None)


class PerformanceFeature(enum.Enum):
    """What `--fast` would turn on."""

    Fp16Accumulation = "fp16_accumulation"
    Fp8MatrixMultiplication = "fp8_matrix_mult"
    CublasOps = "cublas_ops"
    AutoTune = "autotune"


_UNSET = (
    "tls_keyfile tls_certfile enable_cors_header base_directory extra_model_paths_config output_directory"
    " temp_directory input_directory user_directory cuda_device default_device directml oneapi_device_selector"
    " reserve_vram async_offload front_end_root whitelist_custom_nodes"
)
_OFF = (
    "auto_launch disable_auto_launch cuda_malloc disable_cuda_malloc force_fp32 force_fp16 fp32_unet fp64_unet"
    " bf16_unet fp16_unet fp8_e4m3fn_unet fp8_e5m2_unet fp8_e8m0fnu_unet fp16_vae fp32_vae bf16_vae cpu_vae"
    " fp8_e4m3fn_text_enc fp8_e5m2_text_enc fp16_text_enc fp32_text_enc bf16_text_enc force_channels_last"
    " disable_ipex_optimize supports_fp8_compute cache_classic cache_none use_split_cross_attention"
    " use_quad_cross_attention use_pytorch_cross_attention use_sage_attention use_flash_attention"
    " force_upcast_attention dont_upcast_attention gpu_only highvram normalvram lowvram novram cpu"
    " disable_smart_memory deterministic disable_metadata disable_all_custom_nodes disable_api_nodes multi_user"
    " log_stdout enable_compress_response_body windows_standalone_build quick_test_for_ci dont_print_server"
    " disable_pinned_memory mmap_torch_files disable_mmap enable_manager"
)
_VALUES: dict[str, Any] = {
    "listen": "127.0.0.1",
    "port": 8188,
    "max_upload_size": 100,
    "preview_method": LatentPreviewMethod.Auto,
    "preview_size": 512,
    "cache_lru": 0,
    "cache_ram": 0,
    "default_hashing_function": "sha256",
    "disable_xformers": True,
    "fast": set(),
    "verbose": "INFO",
    "front_end_version": "heddle",
    "comfy_api_base": "",
    "database_url": "",
}

parser = argparse.ArgumentParser(prog="main.py", add_help=False)
"""Packs only look at it; Heddle's own parsers are elsewhere."""


def _namespace() -> argparse.Namespace:
    values: dict[str, Any] = dict.fromkeys(_UNSET.split()) | dict.fromkeys(_OFF.split(), False) | _VALUES
    given = dict(here().options)
    if isinstance(given.get("preview_method"), str):
        given["preview_method"] = LatentPreviewMethod.from_string(given["preview_method"])
    return argparse.Namespace(**(values | given))


args = _namespace()
