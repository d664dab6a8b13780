"""A checkpoint file -> the values that flow on links. Reads only the header; weights stay on disk until used."""

from dataclasses import dataclass
from pathlib import Path

from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.families import sd1
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.text.tokenizer import load_tokenizer
from nodes.diffusion.values import VAE, Model, TextEncoder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The three values of a checkpoint."""

    model: Model
    text_encoder: TextEncoder
    vae: VAE


def open_checkpoint(path: Path) -> Checkpoint:
    """Open an SD 1.x single file. Raises CheckpointError with a sentence for the user."""
    networks = load_networks(path)
    config = networks.vae.module.config
    vae = VAE(networks.vae, config.latent_channels, 2 ** (len(config.block_out_channels) - 1))
    model = Model(networks.unet, make_discrete(sd1.PREDICTION, *sd1.BETA_RANGE), sd1.LATENT_SCALE, vae)
    return Checkpoint(model, TextEncoder(networks.text_model, load_tokenizer()), vae)
