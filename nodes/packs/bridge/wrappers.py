"""Models, text encoders, autoencoders, samplers and noise as the objects that packs know, and back.

The classes are shims (`comfy.model_patcher.ModelPatcher` and others), so they are imported when they are needed: in
the worker, after the shims are in place.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion import values
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.samplers.contract import SamplerChoice
from nodes.packs.bridge import guiders, latents


@dataclass(frozen=True, slots=True)
class PackNoise(Noise):
    """Noise that an object of a pack makes."""

    source: Any = None

    def of(self, latent: values.Latent) -> Tensor:
        """Whatever the object gives for the latent, on the CPU, in float32."""
        noise: Tensor = self.source.generate_noise(latents.to_dict(latent))
        return noise.to("cpu", torch.float32)


class NoiseObject:
    """The object that packs expect of noise."""

    def __init__(self, origin: Noise) -> None:
        self.origin = origin
        self.seed = origin.seed

    def generate_noise(self, input_latent: Any) -> Tensor:
        """(N, channels, h, w) noise for a latent dict."""
        return self.origin.of(latents.of_dict(input_latent))


def wrap(value: Any) -> Any:
    """Our value as the object that packs know."""
    match value:
        case values.Model():
            import comfy.model_patcher

            return comfy.model_patcher.ModelPatcher.of(value)
        case values.TextEncoder():
            import comfy.sd

            return comfy.sd.CLIP.of(value)
        case values.VAE():
            import comfy.sd

            return comfy.sd.VAE.of(value)
        case values.ControlNet():
            import comfy.controlnet

            return comfy.controlnet.ControlNet.of(value)
        case values.ClipVision():
            import comfy.clip_vision

            return comfy.clip_vision.ClipVisionModel.of(value)
        case values.VisionOutput():
            import comfy.clip_vision

            return comfy.clip_vision.Output.of(value)
        case SamplerChoice():
            return guiders.to_sampler(value)
        case PackNoise():
            return value.source
        case Noise():
            return NoiseObject(value)
    return value


def unwrap(value: Any, wire_type: str) -> Any:
    """The value behind an object that a pack gave for an output of `wire_type`; what is no such object stays."""
    match wire_type:
        case "MODEL" | "CLIP" | "VAE" | "CONTROL_NET" | "CLIP_VISION" | "CLIP_VISION_OUTPUT":
            make = getattr(value, "to_value", None)
            return make() if callable(make) else value
        case "SAMPLER" if callable(getattr(value, "sample", None)):
            return guiders.of_sampler(value)
        case "GUIDER" if callable(getattr(value, "sample", None)):
            return guiders.of_guider(value)
        case "NOISE" if isinstance(value, NoiseObject):
            return value.origin if value.seed == value.origin.seed else Noise(value.seed, value.origin.blank)
        case "NOISE" if callable(getattr(value, "generate_noise", None)):
            return PackNoise(int(getattr(value, "seed", 0)), source=value)
    return value


def wire_type_of(value: Any) -> str | None:
    """The wire type of an object of ours that a pack handed through an output of any type."""
    if isinstance(value, NoiseObject):
        return "NOISE"
    wire_type = getattr(type(value), "heddle_type", None)
    return wire_type if isinstance(wire_type, str) else None
