"""Attention as functions that packs call on their own tensors. Our networks attend in diffusers' blocks instead."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nodes.packs.bridge.missing import refuse

Attention = Callable[..., Tensor]


def exists(val: Any) -> bool:
    """Whether it is not None."""
    return val is not None


def default(val: Any, d: Any) -> Any:
    """It, or something else where it is None."""
    return d if val is None else val


def attention_pytorch(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    attn_precision: torch.dtype | None = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **_: Any,
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for (B, tokens, heads x d); with `skip_reshape` for (B, heads, tokens, d)."""
    if not skip_reshape:
        q, k, v = (one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (q, k, v))
    if mask is not None:
        while mask.ndim < 4:
            mask = mask.unsqueeze(0 if mask.ndim == 2 else 1)
        mask = mask if mask.dtype == torch.bool else mask.to(q.dtype)
    out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out if skip_output_reshape else out.transpose(1, 2).flatten(2)


attention_basic = attention_pytorch
attention_sub_quad = attention_pytorch
attention_split = attention_pytorch
attention_xformers = attention_pytorch
optimized_attention = attention_pytorch
optimized_attention_masked = attention_pytorch


def optimized_attention_for_device(device: Any, mask: bool = False, small_input: bool = False) -> Attention:
    """The one attention that there is."""
    return attention_pytorch


class GEGLU(nn.Module):
    """Shazeer 2020, "GLU Variants Improve Transformer"."""

    def __init__(self, dim_in: int, dim_out: int, dtype: Any = None, device: Any = None, operations: Any = nn) -> None:
        super().__init__()
        self.proj = operations.Linear(dim_in, dim_out * 2, dtype=dtype, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """a gelu(b)."""
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * nn.functional.gelu(gate)


class FeedForward(nn.Module):
    """Two layers, four times as wide between them."""

    def __init__(
        self,
        dim: int,
        dim_out: int | None = None,
        mult: int = 4,
        glu: bool = False,
        dropout: float = 0.0,
        dtype: Any = None,
        device: Any = None,
        operations: Any = nn,
    ) -> None:
        super().__init__()
        inner = int(dim * mult)
        plain = nn.Sequential(operations.Linear(dim, inner, dtype=dtype, device=device), nn.GELU())
        first = GEGLU(dim, inner, dtype, device, operations) if glu else plain
        last = operations.Linear(inner, default(dim_out, dim), dtype=dtype, device=device)
        self.net = nn.Sequential(first, nn.Dropout(dropout), last)

    def forward(self, x: Tensor) -> Tensor:
        """Token by token."""
        return self.net(x)


class CrossAttention(nn.Module):
    """Attention of tokens to others, or to each other."""

    def __init__(
        self,
        query_dim: int,
        context_dim: int | None = None,
        heads: int = 8,
        dim_head: int = 64,
        dropout: float = 0.0,
        attn_precision: Any = None,
        dtype: Any = None,
        device: Any = None,
        operations: Any = nn,
    ) -> None:
        super().__init__()
        inner, context = dim_head * heads, default(context_dim, query_dim)
        self.heads, self.dim_head, self.attn_precision = heads, dim_head, attn_precision
        self.to_q = operations.Linear(query_dim, inner, bias=False, dtype=dtype, device=device)
        self.to_k = operations.Linear(context, inner, bias=False, dtype=dtype, device=device)
        self.to_v = operations.Linear(context, inner, bias=False, dtype=dtype, device=device)
        last = operations.Linear(inner, query_dim, dtype=dtype, device=device)
        self.to_out = nn.Sequential(last, nn.Dropout(dropout))

    def forward(
        self, x: Tensor, context: Tensor | None = None, value: Tensor | None = None, mask: Any = None
    ) -> Tensor:
        """(B, tokens, width)."""
        context = default(context, x)
        values = default(value, context)
        answer = optimized_attention(self.to_q(x), self.to_k(context), self.to_v(values), self.heads, mask)
        return self.to_out(answer)


class BasicTransformerBlock(nn.Module):
    """A block of the original UNet. Ours has none, and it cannot be made. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Transformer blocks that node packs build themselves are")


class SpatialTransformer(nn.Module):
    """A stack of blocks of the original UNet. Ours has none, and it cannot be made. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Transformer blocks that node packs build themselves are")


class SpatialVideoTransformer(SpatialTransformer):
    """The same for videos."""
