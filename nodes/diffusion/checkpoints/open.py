"""A checkpoint file -> the values that flow on links. Reads little more than the header; weights stay on disk."""

from dataclasses import dataclass
from pathlib import Path

from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.checkpoints.prediction import prediction_of
from nodes.diffusion.checkpoints.source import part_under
from nodes.diffusion.families.family import Family
from nodes.diffusion.families.ldm import UNET_PREFIX
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import Prediction, make_discrete
from nodes.diffusion.text.tokenizer import load_tokenizer
from nodes.diffusion.values import VAE, Model, TextEncoder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The three values of a checkpoint."""

    model: Model
    text_encoder: TextEncoder
    vae: VAE


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a single file of any known family. Raises CheckpointError with a sentence for the user."""
    networks = load_networks(path)
    family = networks.family
    vae = vae_value(networks.vae)
    prediction = prediction_of(family, part_under(networks.source, UNET_PREFIX))
    encoder = TextEncoder(networks.text_models[0], load_tokenizer(), family.layer)
    return Checkpoint(model_value(family, networks.unet, prediction, vae), encoder, vae)


def model_value(family: Family, unet: Network, prediction: Prediction, vae: VAE) -> Model:
    """A UNet as its family reads it."""
    return Model(unet, make_discrete(prediction, *family.beta_range), family.latent_scale, vae)


def vae_value(network: Network) -> VAE:
    """An autoencoder with the sizes that its configuration says."""
    config = network.module.config
    return VAE(network, config.latent_channels, 2 ** (len(config.block_out_channels) - 1))
