"""`latent_preview`: a look at unfinished latents, for packs that sample by themselves."""

from collections.abc import Callable
from typing import Any

import torch
from comfy.cli_args import LatentPreviewMethod, args
from pack_surroundings import here
from PIL import Image
from torch import Tensor

from executor.context import executing
from executor.progress import Preview
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.preview import Previews
from nodes.packs import bridge

MAX_PREVIEW_RESOLUTION: int = args.preview_size


def preview_to_image(latent_image: Tensor) -> Image.Image:
    """A picture of (h, w, 3) colours in -1 to 1."""
    pixels = ((latent_image + 1.0) / 2.0).clamp(0, 1).mul(255).to(device="cpu", dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


class LatentPreviewer:
    """Makes pictures of latents. Subclasses say how."""

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """A picture of the first of (N, channels, h, w) latents."""
        raise TypeError(f"{type(self).__name__} does not say how it makes previews.")

    def decode_latent_to_preview_image(self, preview_format: str, x0: Tensor) -> tuple[str, Image.Image, int]:
        """The picture as messages and progress take it."""
        return "JPEG", self.decode_latent_to_preview(x0), MAX_PREVIEW_RESOLUTION


class Latent2RGBPreviewer(LatentPreviewer):
    """By a linear map from latent channels to colours."""

    def __init__(
        self,
        latent_rgb_factors: Any,
        latent_rgb_factors_bias: Any = None,
        latent_rgb_factors_reshape: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.latent_rgb_factors = torch.as_tensor(latent_rgb_factors, dtype=torch.float32).T
        self.latent_rgb_factors_bias = (
            None if latent_rgb_factors_bias is None else torch.as_tensor(latent_rgb_factors_bias, dtype=torch.float32)
        )
        self.latent_rgb_factors_reshape = latent_rgb_factors_reshape

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """A picture of the first latent, and of the first frame if it has several."""
        latent = x0 if self.latent_rgb_factors_reshape is None else self.latent_rgb_factors_reshape(x0)
        first = latent[0, :, 0] if latent.ndim == 5 else latent[0]
        bias = self.latent_rgb_factors_bias
        colours = torch.nn.functional.linear(
            first.movedim(0, -1).float(),
            self.latent_rgb_factors.to(first.device),
            None if bias is None else bias.to(first.device),
        )
        return preview_to_image(colours)


def get_previewer(device: Any, latent_format: Any) -> LatentPreviewer | None:
    """A previewer by the colours that the latent format names; None if it names none, or previews are off.

    `prepare_callback` needs none: it knows the model, whose autoencoder says what its latents look like.
    """
    factors = getattr(latent_format, "latent_rgb_factors", None)
    if args.preview_method == LatentPreviewMethod.NoPreviews or factors is None:
        return None
    bias, reshape = (getattr(latent_format, f"latent_rgb_factors_{part}", None) for part in ("bias", "reshape"))
    return Latent2RGBPreviewer(factors, bias, reshape)


def prepare_callback(
    model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None
) -> Callable[[int, Tensor, Tensor, int], None]:
    """What a sampling run calls after each step, with (step, denoised, noisy, steps): it tells the run around the
    caller how far it is, with a preview, and leaves the denoised latent under "x0". It raises Interrupted."""
    memory = here().resources.get("DeviceMemory")
    ours = bridge.from_pack(model, "MODEL")
    previews = Previews(ours, memory, args.preview_method.value) if isinstance(memory, DeviceMemory) else None

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        context = executing.get()
        if context is None:
            return
        shown = previews if args.preview_method != LatentPreviewMethod.NoPreviews else None
        look = shown.of(x0) if shown else None
        context.progress.step(step + 1, total_steps, (lambda: Preview(look(), "image/jpeg")) if look else None)

    return callback


def set_preview_method(override: str | None = None) -> None:
    """Choose how samplers of packs show their work from now on: "none", "auto", "latent2rgb" or "taesd"; other words
    change nothing."""
    method = LatentPreviewMethod.from_string(str(override))
    if method is not None:
        args.preview_method = method
