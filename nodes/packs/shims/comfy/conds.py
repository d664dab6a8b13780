"""What a network is told, in pieces that know how to be put into one batch. Knows no network."""

import math
from typing import Any

import torch
from torch import Tensor


class CONDRegular:
    """A tensor with a row for each latent."""

    def __init__(self, cond: Any) -> None:
        self.cond = cond

    def _copy_with(self, cond: Any) -> Any:
        return type(self)(cond)

    def process_cond(self, batch_size: int, device: torch.device, **_: Any) -> Any:
        """Repeated over the batch."""
        return self._copy_with(_repeated(self.cond, batch_size).to(device))

    def can_concat(self, other: "CONDRegular") -> bool:
        """Whether both go into one batch."""
        return bool(self.cond.shape == other.cond.shape)

    def concat(self, others: list["CONDRegular"]) -> Any:
        """All in one batch."""
        return torch.cat([self.cond, *(other.cond for other in others)])

    def size(self) -> list[int]:
        """The shape."""
        return list(self.cond.size())


class CONDNoiseShape(CONDRegular):
    """A tensor laid over the latent, cut as the latent is."""

    def process_cond(self, batch_size: int, device: torch.device, area: tuple[int, ...] | None = None, **_: Any) -> Any:
        """The cut of an area (height, width, y, x), repeated over the batch."""
        data = self.cond
        if area is not None:
            height, width, y, x = area
            data = data[..., y : y + height, x : x + width]
        return self._copy_with(_repeated(data, batch_size).to(device))


class CONDCrossAttn(CONDRegular):
    """Tokens, which may be repeated to match longer ones."""

    def can_concat(self, other: "CONDRegular") -> bool:
        """Whether both go into one batch without growing too long."""
        mine, theirs = self.cond.shape, other.cond.shape
        if mine == theirs:
            return True
        return bool(
            mine[0] == theirs[0]
            and mine[2] == theirs[2]
            and math.lcm(mine[1], theirs[1]) <= 4 * min(mine[1], theirs[1])
        )

    def concat(self, others: list["CONDRegular"]) -> Any:
        """All in one batch, repeated to the least common length."""
        tensors = [self.cond, *(other.cond for other in others)]
        length = math.lcm(*(one.shape[1] for one in tensors))
        return torch.cat([one.repeat(1, length // one.shape[1], 1) for one in tensors])


class CONDConstant(CONDRegular):
    """Something that is the same for every latent."""

    def process_cond(self, batch_size: int, device: torch.device, **_: Any) -> Any:
        """Itself."""
        return self._copy_with(self.cond)

    def can_concat(self, other: "CONDRegular") -> bool:
        """Whether both say the same."""
        return bool(self.cond == other.cond)

    def concat(self, others: list["CONDRegular"]) -> Any:
        """Itself."""
        return self.cond

    def size(self) -> list[int]:
        """Next to nothing."""
        return [1]


class CONDList(CONDRegular):
    """A list of tensors."""

    def process_cond(self, batch_size: int, device: torch.device, **_: Any) -> Any:
        """Each repeated over the batch."""
        return self._copy_with([_repeated(one, batch_size).to(device) for one in self.cond])

    def can_concat(self, other: "CONDRegular") -> bool:
        """Whether both go into one batch."""
        return [one.shape for one in self.cond] == [one.shape for one in other.cond]

    def concat(self, others: list["CONDRegular"]) -> Any:
        """All in one batch, tensor by tensor."""
        return [torch.cat(together) for together in zip(self.cond, *(other.cond for other in others), strict=True)]

    def size(self) -> list[int]:
        """Elements."""
        return [sum(one.numel() for one in self.cond)]


def _repeated(tensor: Tensor, batch_size: int) -> Tensor:
    repeats = math.ceil(batch_size / tensor.shape[0])
    return tensor.repeat(repeats, *(1,) * (tensor.ndim - 1))[:batch_size]
