"""The flags that say what computes, in which types, and how sparing with memory: ComfyUI's names, as plain data.

Types and residencies are words here, because nothing above the nodes knows torch.
"""

import argparse
from dataclasses import dataclass

GIBIBYTE = 2**30

_RESIDENCY = {
    "gpu-only": ("high", "keep all networks on the GPU, also the text encoders"),
    "highvram": ("high", "keep networks on the GPU until its memory runs out"),
    "normalvram": ("normal", "load networks whole, even where memory seems too small for that"),
    "lowvram": ("low", "keep at most half of a denoising network on the GPU, and load the rest layer by layer"),
    "novram": ("none", "keep no weights on the GPU: load every layer when it computes"),
}
_TYPES = {
    "unet": {
        "fp32": "float32", "fp16": "float16", "bf16": "bfloat16",
        "fp8_e4m3fn": "float8_e4m3fn", "fp8_e5m2": "float8_e5m2",
    },
    "vae": {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"},
    "text-enc": {
        "fp32": "float32", "fp16": "float16", "bf16": "bfloat16",
        "fp8_e4m3fn": "float8_e4m3fn", "fp8_e5m2": "float8_e5m2",
    },
}  # fmt: skip
_WORDS = {"unet": "the denoising network", "vae": "the autoencoder", "text-enc": "the text encoders"}


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """What computes and how; None where the device decides."""

    cpu: bool = False
    device: int | None = None
    """The GPU to take of all that are visible."""
    residency: str = "auto"
    """auto, high, normal, low or none."""
    unload_after_use: bool = False
    unet: str | None = None
    vae: str | None = None
    text: str | None = None
    """Types of the networks' weights, as torch calls them."""
    cpu_vae: bool = False
    reserve: int | None = None
    """Bytes of the device's memory to leave to others."""
    deterministic: bool = False
    cpu_noise: bool = False
    channels_last: bool = False


def add_device_flags(parser: argparse.ArgumentParser) -> None:
    """Everything but `--cpu` and `--cuda-device`, which decide where workers start too."""
    parser.add_argument(
        "--default-device", type=int, metavar="N", help="compute on this GPU, and leave the others visible"
    )
    residency = parser.add_mutually_exclusive_group()
    for name, (_, text) in _RESIDENCY.items():
        residency.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument(
        "--disable-smart-memory", action="store_true", help="take networks off the GPU as soon as they are not in use"
    )
    parser.add_argument(
        "--reserve-vram", type=float, metavar="GIB", help="GiB of the GPU's memory to leave to other programs"
    )
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--force-fp32", action="store_true", help="compute everything in float32")
    whole.add_argument("--force-fp16", action="store_true", help="compute everything in float16")
    for role, types in _TYPES.items():
        group = parser.add_mutually_exclusive_group()
        for short, name in types.items():
            stored = "keep the weights of" if name.startswith("float8") else "compute"
            group.add_argument(f"--{short}-{role}", action="store_true", help=f"{stored} {_WORDS[role]} in {name}")
    parser.add_argument("--cpu-vae", action="store_true", help="run the autoencoder on the CPU")
    parser.add_argument("--force-channels-last", action="store_true", help="convolutions see channels last")
    parser.add_argument("--deterministic", action="store_true", help="use slower kernels that always give the same")
    parser.add_argument(
        "--cpu-noise", action="store_true",
        help="draw all noise on the CPU, so that a seed means the same picture on every machine",
    )  # fmt: skip
    for name in ("disable-xformers", "use-pytorch-cross-attention"):
        parser.add_argument(f"--{name}", action="store_true", help="always so: attention is PyTorch's own")


def device_options_of(options: argparse.Namespace) -> DeviceOptions:
    """What the flags want."""
    given = vars(options)
    chosen = (kept for name, (kept, _) in _RESIDENCY.items() if given[name.replace("-", "_")])
    everything = "float32" if options.force_fp32 else "float16" if options.force_fp16 else None

    def type_of(role: str) -> str | None:
        named = (name for short, name in _TYPES[role].items() if given[f"{short}-{role}".replace("-", "_")])
        return next(named, everything)

    return DeviceOptions(
        cpu=options.cpu,
        device=options.default_device,
        residency=next(chosen, "auto"),
        unload_after_use=options.disable_smart_memory,
        unet=type_of("unet"),
        vae=type_of("vae"),
        text=type_of("text-enc"),
        cpu_vae=options.cpu_vae,
        reserve=None if options.reserve_vram is None else int(options.reserve_vram * GIBIBYTE),
        deterministic=options.deterministic,
        cpu_noise=options.cpu_noise,
        channels_last=options.force_channels_last,
    )
