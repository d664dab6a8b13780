"""Networks -> the tensors of an original SD 1.x single file. Chooses no dtype and writes no file."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from nodes.diffusion.checkpoints.names import unet_names, vae_names
from nodes.diffusion.families.ldm import UNET_PREFIX, VAE_PREFIX
from nodes.diffusion.families.sd1 import TEXT_PREFIX


def sd1_state_dict(unet: nn.Module, vae: nn.Module, text_model: nn.Module) -> dict[str, Tensor]:
    """UNet2DConditionModel, AutoencoderKL and CLIPTextModel as `model.diffusion_model.*`, `first_stage_model.*` and
    `cond_stage_model.transformer.text_model.*`; contiguous, on the networks' devices and in their dtypes."""
    tensors: dict[str, Tensor] = {}
    parts: tuple[tuple[str, nn.Module, Callable[[Iterable[str]], dict[str, str]]], ...] = (
        (UNET_PREFIX, unet, unet_names),
        (VAE_PREFIX, vae, vae_names),
        (TEXT_PREFIX, text_model, _text_names),
    )
    for prefix, network, names_of in parts:
        state = network.state_dict()
        names = names_of(state)
        tensors |= {prefix + names[name]: _original_shape(names[name], value) for name, value in state.items()}
    return tensors


def _text_names(parameters: Iterable[str]) -> dict[str, str]:
    """transformers 5 has dropped `text_model.`."""
    return {name: name.removeprefix("text_model.") for name in parameters}


def _original_shape(name: str, value: Tensor) -> Tensor:
    """The VAE's attention is made of 1x1 convolutions in the original layout, and of linear layers in diffusers."""
    if ".mid.attn_1." in name and value.ndim == 2:
        value = value[:, :, None, None]
    return value.detach().contiguous()
