"""One sampling run inside a node: model on the device, progress and previews for whoever watches. Decides nothing."""

from dataclasses import replace

from torch import Tensor

from executor.context import executing
from executor.progress import Preview, Progress
from executor.schema import InputError
from nodes.coding import naming
from nodes.diffusion.latents import check_samplable
from nodes.diffusion.memory.activations import of_step
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.patches.gligen import check_grounding
from nodes.diffusion.preview import Previews
from nodes.diffusion.sampling.control import check_controls, networks_of
from nodes.diffusion.sampling.guidance import Guider
from nodes.diffusion.sampling.regions import check_area
from nodes.diffusion.sampling.sample import Outcome, Settings, sample
from nodes.diffusion.sampling.telling import check_width
from nodes.diffusion.values import Conditioning, Latent

_TEXTS = {
    "positive": "positive",
    "negative": "negative",
    "first": "cond1",
    "second": "cond2",
    "empty": "empty_conditioning",
}
"""Fields of guiders -> the inputs that they come from."""


def run_sampling(
    guider: Guider, latent: Latent, settings: Settings, memory: DeviceMemory, progress: Progress
) -> Outcome:
    """Sample with the guider's model resident. Raises Interrupted, and ValueError as `sample` does."""
    check_sampling(guider, latent)
    total = max(1, len(settings.sigmas) - 1)
    context = executing.get()
    previews = Previews(guider.model, memory, context.preview_method if context else "auto")

    def report(step: int, denoised: Tensor) -> None:
        look = previews.of(denoised)
        progress.step(step + 1, total, (lambda: Preview(look(), "image/jpeg")) if look else None)

    progress.check()
    network, (rows, _, height, width) = guider.model.network, latent.samples.shape
    settings = replace(settings, cpu_noise=memory.preferences.cpu_noise)
    # Guidance sends the positive and the negative through the network together.
    activations = of_step(network, guider.model.compute or memory.dtype("unet"), 2 * rows, height, width)

    def work() -> Outcome:
        with memory.resident(*networks_of(groups_of(guider)), activations=activations, dtype=guider.model.compute):
            return sample(guider, latent, settings, report)

    return memory.attempt(
        network,
        work,
        f"Sampling {rows} latents of {width} x {height} cells" if rows > 1 else f"Sampling {width} x {height} cells",
        activations=activations,
        dtype=guider.model.compute,
    )


def check_sampling(guider: Guider, latent: Latent) -> None:
    """Raise InputError, which names the input and the remedy, for what cannot be sampled."""
    samples, mask = latent.samples, latent.noise_mask
    if samples.ndim != 4:
        raise InputError(
            "latent_image",
            f"The latent is none of pictures: its shape is {list(samples.shape)}, where (pictures, channels, rows, "
            "columns) is wanted. Use a latent of the model's family.",
        )
    if 0 in samples.shape:
        raise InputError(
            "latent_image", f"The latent is empty (its shape is {list(samples.shape)}). Give it at least one picture."
        )
    with naming("latent_image"):
        check_samplable(guider.model, latent)
    if mask is not None and 0 in mask.shape:
        raise InputError(
            "latent_image",
            f"The latent's noise mask is empty (its shape is {list(mask.shape)}). Connect a mask with at least one "
            "pixel, or none.",
        )
    for field, input_name in _TEXTS.items():
        for condition in getattr(guider, field, ()):
            with naming(input_name):
                check_width(guider.model, condition, input_name)
                check_area(condition, *samples.shape[-2:])
                check_controls(guider.model, condition)
                check_grounding(guider.model, condition)


def groups_of(guider: Guider) -> list[Conditioning]:
    """The conditionings that a guider compares."""
    return [getattr(guider, field, ()) for field in _TEXTS]
