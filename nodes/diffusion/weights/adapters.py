"""What the parts of an adapter say of one weight: the papers' formulas. Knows no file and no network.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; Hyeon-Woo et al. 2022, "FedPara" (LoHa); Yeh et
al. 2024, "Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning to Model Evaluation" (LoCon, LoHa, LoKr and
their Tucker forms); Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation".
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Adapter(Protocol):
    """Something that is added to a weight."""

    @property
    def shape(self) -> Shape:
        """Of what it adds; sides of 1 at the end may be missing, or be too many."""
        ...

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """`weight`, which it may write to, with `factor` times what it adds. Computes in the weight's type."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """delta W = scale up down, or with a Tucker core between the two."""

    up: Tensor
    """(out, rank, ...)"""
    down: Tensor
    """(rank, in, ...)"""
    scale: float = 1.0
    """alpha / rank"""
    mid: Tensor | None = None
    """(rank, rank, height, width)"""

    @property
    def shape(self) -> Shape:
        """(out, in, height, width)"""
        kernel = self.down if self.mid is None else self.mid
        return (self.up.shape[0], self.down.shape[1], *kernel.shape[2:])

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        up, down = (one.to(weight).flatten(1) for one in (self.up, self.down))
        if self.mid is not None:
            return weight.add_(_tucker(self.mid.to(weight), up.T, down), alpha=factor * self.scale)
        # In place and in one pass: the weights of a UNet are too large to be written twice.
        flat = weight.view(len(weight), -1)
        return flat.addmm_(up, down, alpha=factor * self.scale).view(weight.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Hadamard:
    """LoHa: delta W = scale (w1a w1b) * (w2a w2b), the product of two low ranks, cell by cell."""

    w1: tuple[Tensor, Tensor]
    w2: tuple[Tensor, Tensor]
    """((out, rank), (rank, in)), or with Tucker cores ((rank, out), (rank, in))."""
    scale: float = 1.0
    cores: tuple[Tensor, Tensor] | None = None
    """(rank, rank, height, width) each."""

    @property
    def shape(self) -> Shape:
        """(out, in, ...); that of a convolution without cores is folded into the second side."""
        (first, second), cores = self.w1, self.cores
        return (
            (first.shape[0], second.shape[1])
            if cores is None
            else (first.shape[1], second.shape[1], *cores[0].shape[2:])
        )

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        made = []
        for index, (first, second) in enumerate((self.w1, self.w2)):
            first, second = first.to(weight), second.to(weight)
            made.append(first @ second if self.cores is None else _tucker(self.cores[index].to(weight), first, second))
        product = made[0].mul_(made[1]).reshape(weight.shape)
        return weight.add_(product, alpha=factor * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Kronecker:
    """LoKr: delta W = scale w1 (x) w2, where either may itself be of low rank."""

    w1: tuple[Tensor, ...]
    """One matrix, or (a, b) whose product it is."""
    w2: tuple[Tensor, ...]
    """One tensor, or (a, b), or (a, b, core) of a Tucker form."""
    scale: float = 1.0

    @property
    def shape(self) -> Shape:
        """(out, in, height, width)"""
        first, second = _product_shape(self.w1), _product_shape(self.w2)
        return (first[0] * second[0], first[1] * second[1], *second[2:])

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        first, second = (_product([one.to(weight) for one in parts]) for parts in (self.w1, self.w2))
        first = first.reshape(first.shape + (1,) * (second.ndim - first.ndim))
        product = torch.kron(first, second.contiguous()).reshape(weight.shape)
        return weight.add_(product, alpha=factor * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """delta W is given as it is."""

    tensor: Tensor

    @property
    def shape(self) -> Shape:
        """The tensor's."""
        return tuple(self.tensor.shape)

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        return weight.add_(self.tensor.to(weight).reshape(weight.shape), alpha=factor)


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """Another weight altogether: delta W = tensor - W."""

    tensor: Tensor

    @property
    def shape(self) -> Shape:
        """The tensor's."""
        return tuple(self.tensor.shape)

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        other = self.tensor.to(weight).reshape(weight.shape)
        return weight.copy_(other) if factor == 1 else weight.lerp_(other, factor)


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """DoRA, equation 5: W' = m (W + delta V) / |W + delta V|, with a norm for each output or for each input.

    A factor other than 1 goes so much of the way from W to W'.
    """

    inner: Adapter
    magnitude: Tensor
    """(out, 1, ...), or (1, in, ...) of files that take the norm over the outputs."""

    @property
    def shape(self) -> Shape:
        """That of delta V."""
        return self.inner.shape

    def add_to(self, weight: Tensor, factor: float) -> Tensor:
        """See `Adapter`."""
        magnitude = self.magnitude.to(weight)
        whole = self.inner.add_to(weight.clone(), 1.0)
        by_input = magnitude.ndim > 1 and magnitude.shape[0] == 1 and magnitude.shape[1] == weight.shape[1]
        kept = 1 if by_input else 0
        dims = [dim for dim in range(weight.ndim) if dim != kept]
        norm = torch.linalg.vector_norm(whole, dim=dims, keepdim=True)
        whole *= magnitude.reshape(norm.shape) / norm
        return whole if factor == 1 else weight.lerp_(whole, factor)


def fits(shape: Shape, weight: Shape) -> bool:
    """Whether an adapter of `shape` can be added: linear layers, 1x1 convolutions and folded kernels are one thing."""
    sides = [side for side in shape if side != 1], [side for side in weight if side != 1]
    folded = [weight[0], math.prod(weight[1:])]
    return sides[0] == sides[1] or [side for side in folded if side != 1] == sides[0]


def _tucker(core: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(out, in, height, width) from (rank, rank, height, width), (rank, out) and (rank, in)."""
    return torch.einsum("i j h w, i o, j n -> o n h w", core, first, second)


def _product(parts: list[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    first, second, *core = parts
    return _tucker(core[0], first, second) if core else first @ second


def _product_shape(parts: tuple[Tensor, ...]) -> Shape:
    if len(parts) == 1:
        return tuple(parts[0].shape)
    first, second, *core = parts
    if core:
        return (first.shape[1], second.shape[1], *core[0].shape[2:])
    return (first.shape[0], second.shape[1])
