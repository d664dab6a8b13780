"""A checkpoint file -> the values that flow on links. Reads little more than the header; weights stay on disk."""

from dataclasses import dataclass
from pathlib import Path

from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.checkpoints.prediction import sampling_of
from nodes.diffusion.checkpoints.source import Source, open_source, part_under
from nodes.diffusion.checkpoints.vision import vision_of
from nodes.diffusion.families.family import Family
from nodes.diffusion.families.ldm import UNET_PREFIX
from nodes.diffusion.families.told import tell_of
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.text.tokenizer import load_tokenizer
from nodes.diffusion.unclip import Augmentation
from nodes.diffusion.values import VAE, ClipVision, Model, TextEncoder, TextModel

_STATISTICS = ("noise_augmentor.data_mean", "noise_augmentor.data_std")


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
    model = model_value(family, networks.unet, sampling, vae, augmentation_of(networks.source))
    return Checkpoint(model, encoder, vae)


def open_unclip_checkpoint(path: Path, embeddings: tuple[Path, ...] = ()) -> tuple[Checkpoint, ClipVision]:
    """The same for a checkpoint that brings the vision model by which its UNet is shown pictures."""
    return open_checkpoint(path, embeddings), vision_of(open_source(path))


def augmentation_of(source: Source) -> Augmentation | None:
    """How an unCLIP model noises embeddings of pictures; None for a file that does not say."""
    if not all(name in source.shapes for name in _STATISTICS):
        return None
    tensors = source.read(_STATISTICS)
    mean, spread = (tensors[name].float().reshape(1, -1) for name in _STATISTICS)
    return Augmentation(mean, spread)


def model_value(
    family: Family, unet: Network, sampling: ModelSampling, vae: VAE | None, augmentation: Augmentation | None = None
) -> Model:
    """A UNet as its family reads it."""
    config = unet.module.config
    return Model(
        unet,
        sampling,
        family.latent_scale,
        vae,
        tell=tell_of(config, family.name, family.latent_scale, augmentation),
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
