"""What the flags say of devices, types and memory."""

import argparse
from dataclasses import asdict, fields

import pytest

from executor.device_flags import DeviceOptions, device_options_of
from executor.flags import shared_parser

GIBIBYTE = 2**30


def parsed(line: str) -> DeviceOptions:
    parser = argparse.ArgumentParser(parents=[shared_parser()], exit_on_error=False)
    return device_options_of(parser.parse_args(line.split()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", DeviceOptions()),
        ("--cpu", DeviceOptions(cpu=True)),
        ("--default-device 1", DeviceOptions(device=1)),
        ("--gpu-only", DeviceOptions(residency="high")),
        ("--highvram", DeviceOptions(residency="high")),
        ("--normalvram", DeviceOptions(residency="normal")),
        ("--lowvram", DeviceOptions(residency="low")),
        ("--novram", DeviceOptions(residency="none")),
        ("--disable-smart-memory", DeviceOptions(unload_after_use=True)),
        ("--reserve-vram 1.5", DeviceOptions(reserve=3 * GIBIBYTE // 2)),
        ("--force-fp32", DeviceOptions(unet="float32", vae="float32", text="float32")),
        ("--force-fp16 --fp32-vae", DeviceOptions(unet="float16", vae="float32", text="float16")),
        ("--bf16-unet --bf16-vae --bf16-text-enc", DeviceOptions(unet="bfloat16", vae="bfloat16", text="bfloat16")),
        ("--fp8_e4m3fn-unet", DeviceOptions(unet="float8_e4m3fn")),
        ("--fp8_e5m2-unet --fp8_e5m2-text-enc", DeviceOptions(unet="float8_e5m2", text="float8_e5m2")),
        ("--fp32-unet --fp16-text-enc", DeviceOptions(unet="float32", text="float16")),
        ("--cpu-vae --deterministic", DeviceOptions(cpu_vae=True, deterministic=True)),
        ("--cpu-noise --force-channels-last", DeviceOptions(cpu_noise=True, channels_last=True)),
        ("--disable-xformers --use-pytorch-cross-attention", DeviceOptions()),
    ],
)
def test_the_flags_say_what_computes(line: str, expected: DeviceOptions) -> None:
    assert parsed(line) == expected


@pytest.mark.parametrize("line", ["--lowvram --highvram", "--fp16-unet --bf16-unet", "--force-fp16 --force-fp32"])
def test_flags_that_contradict_each_other_are_refused(line: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="not allowed with"):
        parsed(line)


def test_the_diffusion_library_understands_every_option() -> None:
    from nodes.diffusion.memory.preferences import Preferences

    assert [field.name for field in fields(DeviceOptions)] == [field.name for field in fields(Preferences)]
    for line in ("--lowvram --fp8_e5m2-unet --bf16-vae", "--force-fp16", ""):
        made = Preferences(**asdict(parsed(line)))
        assert made.residency in ("auto", "high", "normal", "low", "none")
        made.stored("unet")
