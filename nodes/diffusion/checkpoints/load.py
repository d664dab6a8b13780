"""Opens a checkpoint: header, family, networks, memory-mapped weights. Copies no tensor and computes nothing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nodes.diffusion.checkpoints.assemble import assemble, listed, untaken
from nodes.diffusion.checkpoints.detect import check_channels, detect_family, latent_channels, text_prefix
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.names import unet_names, vae_names
from nodes.diffusion.checkpoints.source import Part, Source, open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take, text_takes
from nodes.diffusion.families.clip import projection_width, text_config
from nodes.diffusion.families.family import Family, TextPart
from nodes.diffusion.families.ldm import UNET_PREFIX, VAE_PREFIX, unet_config, vae_config
from nodes.diffusion.memory.network import Network, Role

log = logging.getLogger(__name__)

_ELSEWHERE = ("model_ema.", "embedder.", "noise_augmentor.", "alphas_", "sqrt_", "posterior_", "log_one_", "betas")
"""Beginnings of names outside the networks that belong to training or to nodes that read them themselves."""
_MARKS = frozenset({"global_step", "epoch", "v_pred", "ztsnr", "denoiser.sigmas", "edm_mean", "edm_std", "lvlb_weights",
                    "logvar", "scale_factor", "scaled_fp8"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Networks:
    """What a checkpoint holds; none of it resident yet."""

    family: Family
    source: Source
    unet: Network
    vae: Network
    text_models: tuple[Network, ...]
    """In the order of the family's text parts."""


def load_networks(path: Path) -> Networks:
    """The networks of a single file in the original layout, of any width. Raises CheckpointError naming the file and
    what is wrong with it: not a model file, truncated, of an unknown family, or with tensors missing or misshapen."""
    source = open_source(path)
    with explained(source):
        family = detect_family(source.shapes)
        unet, vae = part_under(source, UNET_PREFIX), part_under(source, VAE_PREFIX)
        check_channels(unet.shapes, latent_channels(vae.shapes))
        texts = [part_under(source, text_prefix(source.shapes, text) or text.prefix) for text in family.text]
        networks = Networks(
            family,
            source,
            load_unet(family, unet),
            load_vae(family.latent_scale, vae),
            tuple(load_text(text, part) for text, part in zip(family.text, texts, strict=True)),
        )
    _warn_of_strangers(source, (unet, vae, *texts))
    return networks


@contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turns clauses about a source's content into a CheckpointError that names it."""
    try:
        yield
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{source.title} cannot be loaded: {error}.") from error
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{source.title} is incomplete: it lacks the tensor {error}.") from error


def load_unet(family: Family, part: Part, storage: torch.dtype | None = None) -> Network:
    """The UNet of a part in the original layout; its large weights stay in `storage` if that is given.

    Raises ValueError or KeyError with a clause, and CheckpointError.
    """
    # Imported here because it takes seconds, and a run that reuses its memos never opens a checkpoint.
    from nodes.diffusion.checkpoints import networks

    shapes = part.shapes
    module = networks.make_unet(unet_config(shapes, family.heads) | family.additional(shapes))
    takes = {name: Take(one) for name, one in unet_names(module.state_dict()).items()}
    return _assembled("unet", module, part, takes, storage)


def load_vae(scale: float, part: Part) -> Network:
    """The autoencoder of a part in the original layout."""
    from nodes.diffusion.checkpoints import networks

    module = networks.make_vae(vae_config(part.shapes, scale))
    return _assembled("vae", module, part, {name: Take(one) for name, one in vae_names(module.state_dict()).items()})


def load_text(text: TextPart, part: Part) -> Network:
    """A text model in the layout that `text` names."""
    from nodes.diffusion.checkpoints import networks

    shapes = part.shapes
    width = projection_width(shapes) if text.projected else None
    module = networks.make_text_model(text_config(shapes, text.layout, text.activation), width)
    return _assembled("text", module, part, text_takes(module.state_dict(), text.layout))


def _assembled(
    role: Role, module: nn.Module, part: Part, takes: dict[str, Take], storage: torch.dtype | None = None
) -> Network:
    network = assemble(role, module, part, takes, storage)
    warn_of(part.source, untaken(part, takes))
    return network


def warn_of(source: Source, names: list[str]) -> None:
    """Say in one line which tensors of a source nothing takes."""
    if names:
        them = "it" if len(names) == 1 else "them"
        log.warning(
            "%s: %s not used, because no network of its family has a place for %s.",
            source.title, listed(sorted(names)), them,
        )  # fmt: skip


def _warn_of_strangers(source: Source, parts: tuple[Part, ...]) -> None:
    """Tensors outside every network, which is how a file of a slightly different kind shows itself."""
    known = {name for part in parts for name in part.names.values()} | _MARKS
    strangers = [name for name in source.shapes if name not in known and not name.startswith(_ELSEWHERE)]
    warn_of(source, [name for name in strangers if not name.endswith(("logit_scale", "position_ids"))])
