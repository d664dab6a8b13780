"""What a model family declares: its text models, how its latents and noise behave, and what else its UNet is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nodes.diffusion.families.clip import Layout
from nodes.diffusion.families.ldm import Config, Shapes
from nodes.diffusion.sampling.prediction import Prediction
from nodes.diffusion.text.tokenizer import END
from nodes.diffusion.values import TextRole


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text model of a family: where a checkpoint keeps it, and how the family reads it."""

    role: TextRole
    prefix: str
    """Of its tensors in a checkpoint of the original layout."""
    layout: Layout
    activation: Literal["quick_gelu", "gelu"]
    pad: int = END
    """The token that fills a chunk."""
    normed: bool = True
    """Whether hidden layers get the final norm."""
    projected: bool = True
    """Whether the family uses the projection of what is pooled."""


@dataclass(frozen=True, slots=True)
class Family:
    """One model family of the latent-diffusion layout."""

    name: str
    title: str
    """For people."""
    text: tuple[TextPart, ...]
    layer: int
    """The hidden layer that its text models give, counted from the end."""
    heads: Callable[[int], int]
    """Attention heads of a UNet level from its channels."""
    latent_scale: float
    space: str
    """Families whose autoencoders understand each other's latents have the same."""
    beta_range: tuple[float, float]
    """First and last beta of the 1,000 training steps, linear in their square roots."""
    predictions: tuple[Prediction, ...]
    """What its UNets may predict; the first is the usual one."""
    additional: Callable[[Shapes], Config] = lambda _: {}
    """Further UNet2DConditionModel arguments."""
