"""One sampling run inside a node: model on the device, progress and previews for whoever watches. Decides nothing."""

from dataclasses import replace

from torch import Tensor

from executor.progress import Preview, Progress
from executor.schema import InputError
from nodes.diffusion.latents import check_samplable
from nodes.diffusion.memory.activations import of_step
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.preview import Previews
from nodes.diffusion.sampling.guidance import Guider
from nodes.diffusion.sampling.sample import Outcome, Settings, sample
from nodes.diffusion.values import Latent


def run_sampling(
    guider: Guider, latent: Latent, settings: Settings, memory: DeviceMemory, progress: Progress
) -> Outcome:
    """Sample with the guider's model resident. Raises Interrupted, and ValueError as `sample` does."""
    total = max(1, len(settings.sigmas) - 1)
    previews = Previews(guider.model, memory)

    def report(step: int, denoised: Tensor) -> None:
        look = previews.of(denoised)
        progress.step(step + 1, total, (lambda: Preview(look(), "image/jpeg")) if look else None)

    try:
        check_samplable(guider.model, latent)
    except ValueError as error:
        raise InputError("latent_image", str(error)) from error
    progress.check()
    network, (rows, _, height, width) = guider.model.network, latent.samples.shape
    settings = replace(settings, cpu_noise=memory.preferences.cpu_noise)
    return memory.attempt(
        network,
        lambda: sample(guider, latent, settings, report),
        f"Sampling {rows} latents of {width} x {height} cells" if rows > 1 else f"Sampling {width} x {height} cells",
        # Guidance sends the positive and the negative through the network together.
        activations=of_step(network, memory.dtype("unet"), 2 * rows, height, width),
    )
