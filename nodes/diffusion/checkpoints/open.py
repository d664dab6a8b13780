"""A checkpoint file -> the values that flow on links. Reads little more than the header; weights stay on disk."""

from dataclasses import dataclass
from pathlib import Path

from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.checkpoints.prediction import sampling_of
from nodes.diffusion.checkpoints.source import part_under
from nodes.diffusion.families.family import Family
from nodes.diffusion.families.ldm import UNET_PREFIX
from nodes.diffusion.families.told import tell_of
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.text.tokenizer import load_tokenizer
from nodes.diffusion.values import VAE, Model, TextEncoder, TextModel


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The three values of a checkpoint."""

    model: Model
    text_encoder: TextEncoder
    vae: VAE


def open_checkpoint(path: Path, embeddings: tuple[Path, ...] = ()) -> Checkpoint:
    """Open a single file of any known family; `embeddings` are the folders where texts find theirs.

    Raises CheckpointError with a sentence for the user.
    """
    networks = load_networks(path)
    family = networks.family
    vae = vae_value(networks.vae, family.space)
    sampling = sampling_of(family, part_under(networks.source, UNET_PREFIX))
    encoder = encoder_value(family, networks.text_models, embeddings)
    return Checkpoint(model_value(family, networks.unet, sampling, vae), encoder, vae)


def model_value(family: Family, unet: Network, sampling: ModelSampling, vae: VAE | None) -> Model:
    """A UNet as its family reads it."""
    config = unet.module.config
    return Model(
        unet,
        sampling,
        family.latent_scale,
        vae,
        tell=tell_of(config, family.name, family.latent_scale),
        family=family.name,
        space=family.space,
        text_width=config.cross_attention_dim,
    )


def encoder_value(family: Family, networks: tuple[Network, ...], embeddings: tuple[Path, ...]) -> TextEncoder:
    """Text models, in the order of the family's parts, as it reads them."""
    models = tuple(
        TextModel(part.role, network, part.pad, part.normed)
        for part, network in zip(family.text, networks, strict=True)
    )
    return TextEncoder(models, load_tokenizer(), family.layer, embeddings)


def vae_value(network: Network, space: str | None = None) -> VAE:
    """An autoencoder with the sizes that its configuration says."""
    config = network.module.config
    return VAE(network, config.latent_channels, 2 ** (len(config.block_out_channels) - 1), space=space)
