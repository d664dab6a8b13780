"""Layers for networks of packs: without initial values, and cast to what they are given if asked for."""

from typing import Any

import torch
from torch import Tensor, nn

import comfy.device_questions

cast_to = comfy.device_questions.cast_to


def cast_to_input(weight: Tensor, input: Tensor, non_blocking: bool = False, copy: bool = True) -> Tensor:
    """A weight in the dtype and on the device of a tensor."""
    return weight.to(input.device, input.dtype, non_blocking=non_blocking, copy=copy)


def cast_bias_weight(
    s: Any,
    input: Tensor | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    bias_dtype: torch.dtype | None = None,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a layer in the dtype and on the device of its input."""
    if input is not None:
        dtype, device = dtype or input.dtype, device or input.device
    weight = s.weight.to(device, dtype)
    for function in s.weight_function:
        weight = function(weight)
    if s.bias is None:
        return weight, None
    bias = s.bias.to(device, bias_dtype or dtype)
    for function in s.bias_function:
        bias = function(bias)
    return weight, bias


class CastWeightBiasOp:
    """A layer that casts its weights, if it is asked to or changes them on the way."""

    comfy_cast_weights = False
    weight_function: Any = ()
    bias_function: Any = ()

    def reset_parameters(self) -> None:
        """No initial values: they will be loaded."""

    @property
    def _casts(self) -> bool:
        return bool(self.comfy_cast_weights or self.weight_function or self.bias_function)


class disable_weight_init:
    """Layers without initial values."""

    class Linear(CastWeightBiasOp, nn.Linear):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            weight, bias = cast_bias_weight(self, input) if self._casts else (self.weight, self.bias)
            return nn.functional.linear(input, weight, bias)

    class Conv1d(CastWeightBiasOp, nn.Conv1d):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            weight, bias = cast_bias_weight(self, input) if self._casts else (self.weight, self.bias)
            return self._conv_forward(input, weight, bias)

    class Conv2d(CastWeightBiasOp, nn.Conv2d):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            weight, bias = cast_bias_weight(self, input) if self._casts else (self.weight, self.bias)
            return self._conv_forward(input, weight, bias)

    class Conv3d(CastWeightBiasOp, nn.Conv3d):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            weight, bias = cast_bias_weight(self, input) if self._casts else (self.weight, self.bias)
            return self._conv_forward(input, weight, bias)

    class GroupNorm(CastWeightBiasOp, nn.GroupNorm):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            casts = self._casts and self.weight is not None
            weight, bias = cast_bias_weight(self, input) if casts else (self.weight, self.bias)
            return nn.functional.group_norm(input, self.num_groups, weight, bias, self.eps)

    class LayerNorm(CastWeightBiasOp, nn.LayerNorm):
        """See torch."""

        def forward(self, input: Tensor) -> Tensor:
            """See torch."""
            weight, bias = self.weight, self.bias
            if self._casts and self.weight is not None:
                weight, bias = cast_bias_weight(self, input)  # type: ignore[assignment]
            return nn.functional.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    class ConvTranspose2d(CastWeightBiasOp, nn.ConvTranspose2d):
        """See torch."""

        def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
            """See torch."""
            weight, bias = cast_bias_weight(self, input) if self._casts else (self.weight, self.bias)
            own: Any = self
            padding = own._output_padding(input, output_size, own.stride, own.padding, own.kernel_size, 2, own.dilation)
            return nn.functional.conv_transpose2d(
                input, weight, bias, own.stride, own.padding, padding, own.groups, own.dilation
            )

    class Embedding(CastWeightBiasOp, nn.Embedding):
        """See torch."""

        bias = None

        def forward(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            """See torch; in another dtype if asked for."""
            rows = super().forward(input)
            return rows if out_dtype is None else rows.to(out_dtype)

    @classmethod
    def conv_nd(cls, dims: int, *args: Any, **kwargs: Any) -> nn.Module:
        """A convolution of two or three dimensions."""
        return {1: cls.Conv1d, 2: cls.Conv2d, 3: cls.Conv3d}[dims](*args, **kwargs)


class manual_cast(disable_weight_init):
    """Layers without initial values that cast their weights to what they are given."""

    class Linear(disable_weight_init.Linear):
        """See torch."""

        comfy_cast_weights = True

    class Conv1d(disable_weight_init.Conv1d):
        """See torch."""

        comfy_cast_weights = True

    class Conv2d(disable_weight_init.Conv2d):
        """See torch."""

        comfy_cast_weights = True

    class Conv3d(disable_weight_init.Conv3d):
        """See torch."""

        comfy_cast_weights = True

    class GroupNorm(disable_weight_init.GroupNorm):
        """See torch."""

        comfy_cast_weights = True

    class LayerNorm(disable_weight_init.LayerNorm):
        """See torch."""

        comfy_cast_weights = True

    class ConvTranspose2d(disable_weight_init.ConvTranspose2d):
        """See torch."""

        comfy_cast_weights = True

    class Embedding(disable_weight_init.Embedding):
        """See torch."""

        comfy_cast_weights = True


def pick_operations(weight_dtype: Any, compute_dtype: Any, *_: Any, **__: Any) -> type:
    """The layers that suit two dtypes."""
    same = compute_dtype is None or weight_dtype == compute_dtype
    return disable_weight_init if same else manual_cast
