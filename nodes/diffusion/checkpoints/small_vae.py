"""Small autoencoders for the latents of a family (TAESD, Ollin Boer Bohan 2023), whose halves are files of their own.

They compute on latents of unit variance, so each knows the scale of its family. Too rough for a finished picture, and
quick enough for previews.
"""

import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from nodes.diffusion.checkpoints.assemble import assemble
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.load import explained
from nodes.diffusion.checkpoints.open import vae_value
from nodes.diffusion.checkpoints.source import Source, held, open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.families import sd1, sdxl
from nodes.diffusion.values import VAE

log = logging.getLogger(__name__)

SCALES = {sd1.FAMILY.space: sd1.LATENT_SCALE, sdxl.BASE.space: sdxl.LATENT_SCALE}
NAMES = {sd1.FAMILY.space: "taesd", sdxl.BASE.space: "taesdxl"}
"""Space of latents -> how the files for it are called."""

_ENTRANCE = "1.weight"
"""Of a decoder; the first place in its row is taken by a clamp, which has no weights."""


def open_small_vae(decoder: Path, encoder: Path | None, space: str) -> VAE:
    """The autoencoder of a decoder's file, and of an encoder's if it is to encode too.

    Raises CheckpointError with a sentence for the user.
    """
    from nodes.diffusion.checkpoints import networks

    source = open_source(decoder)
    with explained(source):
        if _ENTRANCE not in source.shapes or len(source.shapes[_ENTRANCE]) != 4:
            raise ValueError("it holds no decoder of a small autoencoder (TAESD)")
        width, channels = source.shapes[_ENTRANCE][:2]
        blocks = (width,) * 4
        config = {
            "latent_channels": channels,
            "encoder_block_out_channels": blocks,
            "decoder_block_out_channels": blocks,
        }
        module = networks.make_small_vae(config, encodes=encoder is not None)
        halves = [("decoder", source, 1)] + ([("encoder", open_source(encoder), 0)] if encoder else [])
        part = part_under(held(decoder, _under_one_name(halves)), "")
        network = assemble("vae", module, part, {name: Take(name) for name in module.state_dict()})
    made = vae_value(network, space)
    made.scale = SCALES[space]
    return made


def small_vae_when_there(
    find: Callable[[str], tuple[Path | None, Path | None]], space: str | None
) -> Callable[[], VAE | None] | None:
    """What opens the decoder for latents of `space` once its file is there, and remembers it. `find` gives the places
    of (encoder, decoder) by name. A file that cannot be used is named in the log."""
    opened: dict[tuple[Path, int], VAE | None] = {}
    if space not in NAMES:
        return None

    def give() -> VAE | None:
        decoder = find(NAMES[space])[1]
        if decoder is None:
            return None
        key = (decoder, decoder.stat().st_mtime_ns)
        if key not in opened:
            try:
                opened[key] = open_small_vae(decoder, None, space)
            except CheckpointError as error:
                log.warning("Previews do without %s: %s", decoder.name, error)
                opened[key] = None
        return opened[key]

    return give


def _under_one_name(halves: Iterable[tuple[str, Source, int]]) -> dict[str, Tensor]:
    """The tensors of (which half, its file, where its row of layers begins), by the names that the network has."""
    found: dict[str, Tensor] = {}
    for half, source, begin in halves:
        for name, tensor in source.read(source.shapes).items():
            if match := re.fullmatch(r"(\d+)\.(.+)", name):
                found[f"{half}.layers.{int(match[1]) - begin}.{match[2]}"] = tensor
    return found
