"""What flows on links: models, text encoders, autoencoders, conditioning, latents. Plain frozen data; no behaviour.

Tensors on links are float32 on the CPU. A picture is (N, H, W, 3) in 0 to 1, a mask (N, H, W) in 0 to 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.masks import MaskRule
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.steering import PLAIN, Steering


@dataclass(frozen=True, slots=True)
class ColourMap:
    """A linear guess at decoded colours: rgb in 0 to 1 = latent cell times `weights`, plus `offset`."""

    weights: Tensor
    """(channels, 3)"""
    offset: Tensor
    """(3,)"""


Attached = Mapping[str, Any]
"""What others keep with a value: carried along unread when a value is made from it, and never asked for here."""


@dataclass(slots=True, eq=False)
class VAE:
    """An autoencoder between pictures and latents."""

    network: Network
    channels: int
    """Of a latent."""
    factor: int
    """Pixels along the side of one latent cell."""
    colours: ColourMap | None = None
    """Remembered by `preview.py` once it is fitted; the only field that changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A denoising network and how to read it."""

    network: Network
    sampling: ModelSampling
    latent_scale: float
    """The network sees latents multiplied by this, which gives them unit variance."""
    vae: VAE
    """The autoencoder of the same checkpoint; only previews use it."""
    run: Callable[..., Any] | None = None
    """A `sampling.sample.Run` that samples with this model instead of the ordinary one."""
    steering: Steering = PLAIN
    """What becomes of its predictions beyond plain guidance."""
    mask_rule: MaskRule | None = None
    """How a latent's noise mask changes on the way; None leaves it as it is."""
    attached: Attached = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """A text model with its tokenizer, stopped at a layer."""

    network: Network
    tokenizer: Tokenizer
    layer: int = -1
    """Counted from the end: -1 is the last hidden layer, -2 the one before."""
    attached: Attached = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of latent cells, or of shares of the latent's sides if `relative`."""

    x: float
    y: float
    width: float
    height: float
    relative: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One encoded text, and where, how strongly and when it counts."""

    tokens: Tensor
    """(1, tokens, width)"""
    pooled: Tensor
    """(1, width)"""
    area: Area | None = None
    """Where it counts; None is everywhere. The network then sees only this cut of the latent."""
    strength: float = 1.0
    """Its weight among the conditions that meet in a cell."""
    mask: Tensor | None = None
    """(N or 1, H, W) in 0 to 1, of any size: its weight in each place."""
    mask_strength: float = 1.0
    within_mask_bounds: bool = False
    """Whether the network sees only the rectangle around the mask."""
    start: float = 0.0
    """Share of the sampling (0 is pure noise, 1 a clean latent) after which it counts."""
    end: float = 1.0
    """Share after which it no longer counts."""
    attached: Attached = field(default_factory=dict[str, Any])


Conditioning = tuple[Condition, ...]
"""What a picture should show: where several conditions meet, their predictions are averaged by weight. Never empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """Encoded pictures, as the autoencoder gives them (not multiplied by the model's scale)."""

    samples: Tensor
    """(N, channels, height / factor, width / factor)"""
    noise_mask: Tensor | None = None
    """(N or 1, H, W) in 0 to 1, of any size: 1 where sampling may change the latent."""
    batch_index: tuple[int, ...] | None = None
    """Which picture of the batch that it was taken from each one is, so that it gets the same noise; None: in order."""
    attached: Attached = field(default_factory=dict[str, Any])
