"""Attention as functions that packs call on their own tensors, and the transformers of a UNet as packs know them.

The latter share the layers of our network (`of`), and differ from diffusers' only in what packs may change in them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from comfy.patches_at_work import step_of
from nodes.diffusion.patches.walk import transform, transform_once
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

    heads: int
    dim_head: int

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

    @classmethod
    def of(cls, ours: Any) -> "CrossAttention":
        """With the layers of diffusers' `Attention`."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.heads, made.dim_head, made.attn_precision = ours.heads, int(ours.inner_dim // ours.heads), None
        made.to_q, made.to_k, made.to_v, made.to_out = ours.to_q, ours.to_k, ours.to_v, nn.Sequential(*ours.to_out)
        return made

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        value: Tensor | None = None,
        mask: Any = None,
        transformer_options: Any = None,
    ) -> Tensor:
        """(B, tokens, width)."""
        context = default(context, x)
        values = default(value, context)
        answer = optimized_attention(self.to_q(x), self.to_k(context), self.to_v(values), self.heads, mask)
        return self.to_out(answer)


class BasicTransformerBlock(nn.Module):
    """Attention to each other and to the text, then two layers. Packs cannot make one: raises Unsupported."""

    norm1: Any
    norm2: Any
    norm3: Any
    ff: Any
    attn1: CrossAttention
    attn2: CrossAttention
    n_heads: int
    d_head: int

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Transformer blocks that node packs build themselves are")

    @classmethod
    def of(cls, ours: Any) -> "BasicTransformerBlock":
        """With the layers of diffusers' block of the same name."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.norm1, made.norm2, made.norm3, made.ff = ours.norm1, ours.norm2, ours.norm3, ours.ff
        made.attn1, made.attn2 = CrossAttention.of(ours.attn1), CrossAttention.of(ours.attn2)
        made.n_heads, made.d_head = made.attn1.heads, made.attn1.dim_head
        return made

    def forward(
        self, x: Tensor, context: Tensor | None = None, transformer_options: dict[str, Any] | None = None
    ) -> Tensor:
        """(B, tokens, width), with the patches in the options."""
        return transform_once(self, x, step_of(transformer_options, x, None, context))


class SpatialTransformer(nn.Module):
    """A stack of blocks over the pixels of a feature map. Packs cannot make one: raises Unsupported."""

    norm: Any
    proj_in: Any
    proj_out: Any
    transformer_blocks: nn.ModuleList

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Transformer blocks that node packs build themselves are")

    @classmethod
    def of(cls, ours: Any) -> "SpatialTransformer":
        """With the layers of diffusers' `Transformer2DModel`."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.norm, made.proj_in, made.proj_out = ours.norm, ours.proj_in, ours.proj_out
        made.transformer_blocks = nn.ModuleList(map(BasicTransformerBlock.of, ours.transformer_blocks))
        made.use_linear = ours.use_linear_projection
        return made

    def forward(
        self, x: Tensor, context: Tensor | None = None, transformer_options: dict[str, Any] | None = None
    ) -> Tensor:
        """(B, channels, h, w)."""
        return transform(self, bool(self.use_linear), x, step_of(transformer_options, x, None, context))


class SpatialVideoTransformer(SpatialTransformer):
    """The same for videos."""
