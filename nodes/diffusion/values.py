"""What flows on links: models, text encoders, autoencoders, conditioning, latents. Plain frozen data; no behaviour.

Tensors on links are float32 on the CPU. A picture is (N, H, W, 3) in 0 to 1, a mask (N, H, W) in 0 to 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from nodes.diffusion.families.control import ControlKind
from nodes.diffusion.families.ip_adapter import ProjectionKind
from nodes.diffusion.memory.network import Network
from nodes.diffusion.patches.contract import Alteration
from nodes.diffusion.sampling.masks import MaskRule
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.steering import PLAIN, Steering
from nodes.diffusion.text.tokenizer import END


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
    space: str | None = None
    """See `Latent.space`; None for a file of its own, since the autoencoders of several families look alike."""
    scale: float = 1.0
    """Its network sees latents multiplied by this."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipVision:
    """A CLIP vision model."""

    network: Network
    title: str
    """The name of its file, for messages."""
    size: int
    """Pixels along the side of the pictures that it sees."""


@dataclass(frozen=True, slots=True, eq=False)
class VisionOutput:
    """What a CLIP vision model says of pictures, under the names that node packs know."""

    image_embeds: Tensor
    """(N, width): projected to where texts are."""
    last_hidden_state: Tensor
    """(N, 1 + patches, width): the class token's, then each patch's."""
    penultimate_hidden_states: Tensor
    """The same of the layer before the last."""


@dataclass(frozen=True, slots=True, eq=False)
class IpAdapter:
    """What lets a picture speak beside the text."""

    network: Network
    title: str
    """The name of its file, for messages."""
    kind: ProjectionKind
    widths: tuple[int, ...]
    """Of the attentions to the text that it speaks to."""
    text_width: int


@dataclass(frozen=True, slots=True, eq=False)
class StyleModel:
    """What makes words of the style of a picture."""

    network: Network
    title: str
    """The name of its file, for messages."""
    text_width: int
    """Of the words."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoMaker:
    """What gives words the faces of pictures."""

    network: Network
    title: str
    """The name of its file, for messages."""
    size: int
    """Pixels along the side of the pictures that it sees."""
    text_width: int
    """Of the words."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Pictures that an unCLIP model is to imitate."""

    embeddings: Tensor
    """(N, width)"""
    strength: float = 1.0
    noise: float = 0.0
    """In 0 to 1: the more, the less the picture counts in its details."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlNet:
    """A network that steers a UNet by a picture: a ControlNet, one for several types of pictures, or an adapter."""

    network: Network
    title: str
    """The name of its file, for messages."""
    kind: ControlKind
    family: str | None
    """Name of the declaration of the UNets that it fits; None if only its sizes tell."""
    types: tuple[int, ...] = ()
    """Which types of pictures a union network is shown; empty leaves it to find out."""
    pooled: bool = False
    """Whether what it says of the places of a picture is averaged over all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A picture that a control network sees while a condition is sampled."""

    net: ControlNet
    picture: Tensor
    """(N, H, W, 3 or 1), of any size, mostly in 0 to 1; fitted to the latent by cutting evenly and resizing."""
    strength: float = 1.0
    start: float = 0.0
    """Share of the sampling after which it counts, as of a condition."""
    end: float = 1.0
    everywhere: bool = False
    """Whether it also steers conditions of the other conditionings, in the same place, that have no control."""


@dataclass(frozen=True, slots=True, eq=False)
class RowControl:
    """A control in a batch on its way through the network."""

    net: ControlNet
    first: int
    """Row of the batch that it begins with."""
    shown: Tensor | tuple[Tensor, ...]
    """The picture for each row (n, channels, H, W) where the network computes, or what an adapter made of it: for each
    level of the UNet (n, channels, h, w)."""
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class Gligen:
    """Layers that let a UNet see named boxes."""

    network: Network
    title: str
    """The name of its file, for messages."""
    text_width: int
    """Of the pooled texts that name boxes."""
    widths: Mapping[str, int]
    """Which transformers have such a layer -> its width."""


@dataclass(frozen=True, slots=True, eq=False)
class TextBox:
    """A rectangle of latent cells, and what is in it."""

    embedding: Tensor
    """(1, width) pooled text"""
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Grounding:
    """Named boxes that a condition shows."""

    net: Gligen
    boxes: tuple[TextBox, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RowGround:
    """Named boxes in a batch on its way through the network."""

    net: Gligen
    first: int
    """Row of the batch that it begins with."""
    objects: Tensor
    """(n, boxes, width) where the network computes."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a network is told of one condition besides its tokens."""

    vectors: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Keyword of the network's -> (1 or N, width)."""
    channels: Tensor | None = None
    """(1 or N, c, h, w), laid over the latent, whose channels they follow."""
    controls: tuple[RowControl, ...] = ()
    """What steers it from outside; only of a whole batch."""
    grounds: tuple[RowGround, ...] = ()
    """The boxes that it sees; only of a whole batch."""


class Scene(NamedTuple):
    """The latents that are to be sampled, as far as they matter for what a network is told."""

    latent: Tensor
    """(N, channels, h, w), as the network sees them."""
    mask: Tensor | None = None
    """(N or 1, 1, h, w) in 0 to 1: where sampling may change them."""
    negative: bool = False
    """Whether the condition is one to stay away from."""


Tell = Callable[["Condition", Scene], Told]
"""What a model's network is told of a condition. Raises ValueError with a sentence if the condition does not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A denoising network and how to read it."""

    network: Network
    sampling: ModelSampling
    latent_scale: float
    """The network sees latents multiplied by this, which gives them unit variance."""
    vae: VAE | None
    """The autoencoder of the same checkpoint; only previews use it. None for a network in a file of its own."""
    small_vae: Callable[[], VAE | None] | None = None
    """Gives a small decoder of its latents, if there is one by now; only previews use it."""
    run: Callable[..., Any] | None = None
    """A `sampling.sample.Run` that samples with this model instead of the ordinary one."""
    steering: Steering = PLAIN
    """What becomes of its predictions beyond plain guidance."""
    mask_rule: MaskRule | None = None
    """How a latent's noise mask changes on the way; None leaves it as it is."""
    attached: Attached = field(default_factory=dict[str, Any])
    tell: Tell | None = None
    """None for a network that is told nothing but tokens."""
    mask: Tensor | None = None
    """`Scene.mask`, set while a masked latent is sampled."""
    family: str = "sd1"
    """Name of the family's declaration."""
    space: str | None = None
    """See `Latent.space`: of the latents that it makes."""
    text_width: int | None = None
    """Of the tokens that the network attends to; None if nobody knows."""
    compute: torch.dtype | None = None
    """The type that the network computes in; None leaves that to the device."""
    alterations: tuple[Alteration, ...] = ()
    """What is done inside the network while it computes for this model. The network itself stays as it is."""


TextRole = Literal["l", "h", "g"]
"""Which text model: OpenAI's CLIP ViT-L, OpenCLIP's ViT-H, OpenCLIP's ViT-bigG."""


@dataclass(frozen=True, slots=True, eq=False)
class TextModel:
    """One text model of an encoder, and how its family reads it."""

    role: TextRole
    network: Network
    pad: int = END
    """The token that fills a chunk."""
    normed: bool = True
    """Whether hidden layers get the final norm."""


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """Text models that encode a text together, with their tokenizer, stopped at a layer."""

    models: tuple[TextModel, ...]
    """Their tokens stand side by side; the last one's pooled text counts."""
    tokenizer: Tokenizer
    layer: int = -1
    """Counted from the end: -1 is the last hidden layer, -2 the one before."""
    embeddings: tuple[Path, ...] = ()
    """Folders where `embedding:name` is looked for."""
    attached: Attached = field(default_factory=dict[str, Any])

    @property
    def networks(self) -> tuple[Network, ...]:
        """What must be resident to encode."""
        return tuple(one.network for one in self.models)


@dataclass(frozen=True, slots=True)
class PictureSize:
    """The size of a picture, in pixels, as SDXL was told it in training."""

    width: int
    height: int
    crop_left: int = 0
    crop_top: int = 0
    target_width: int = 0
    target_height: int = 0


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
    default: bool = False
    """Whether it counts only in so far as the others, that are none, leave room: where their weights come to less than
    1."""
    attached: Attached = field(default_factory=dict[str, Any])
    size: PictureSize | None = None
    """None: the size of the picture that is sampled."""
    aesthetic_score: float | None = None
    """None: the usual one for what is wanted, and for what is not."""
    picture: Tensor | None = None
    """(N, c, h, w) latents of a picture that the network sees beside its own, as the autoencoder gives them."""
    picture_mask: Tensor | None = None
    """(N or 1, H, W) in 0 to 1, of any size: where that picture is to be replaced."""
    controls: tuple[Control, ...] = ()
    """Networks that steer by pictures; what they say is added up."""
    seen: tuple[Seen, ...] = ()
    """What a model that was trained with pictures in the place of texts is shown."""
    grounding: Grounding | None = None
    """What the picture shows where."""


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
    space: str | None = None
    """Which families' autoencoders made it, or can decode it, if that is known: "sd" or "sdxl"."""
