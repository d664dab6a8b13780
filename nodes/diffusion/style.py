"""T2I-Adapter's style adapter: what a vision model says of a picture, as further tokens of the text. Moves no network.

Mou et al. 2023, "T2I-Adapter: Learning Adapters to Dig out More Controllable Ability", and the network published with
it. Parameters have the published names.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from nodes.diffusion.families.ldm import Shapes
from nodes.diffusion.values import StyleModel, VisionOutput

HEADS = 8
EMBEDDING, PROJECTION = "style_embedding", "proj"
_SHARPNESS = 1.702
"""Of the sigmoid that stands for a GELU in CLIP (Hendrycks and Gimpel 2016)."""


class _QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(_SHARPNESS * x)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, 4 * width), "gelu": _QuickGelu(), "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        made: Tensor = x + self.mlp(self.ln_2(x))
        return made


class StyleAdapter(nn.Module):
    """(N, patches, width) of a vision model -> (N, tokens, text width)."""

    def __init__(self, width: int, text_width: int, tokens: int, layers: int) -> None:
        super().__init__()
        self.transformer_layes = nn.Sequential(*(_Block(width) for _ in range(layers)))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.style_embedding = nn.Parameter(torch.empty(1, tokens, width))
        self.proj = nn.Parameter(torch.empty(width, text_width))

    def forward(self, seen: Tensor) -> Tensor:
        """See the class."""
        tokens = self.style_embedding.shape[1]
        x = torch.cat([seen, self.style_embedding.expand(len(seen), -1, -1)], dim=1)
        x = self.transformer_layes(self.ln_pre(x))
        made: Tensor = self.ln_post(x[:, -tokens:]) @ self.proj
        return made


def style_arguments(shapes: Shapes) -> Mapping[str, int]:
    """Of the adapter with tensors of these shapes. Raises KeyError naming an absent tensor."""
    _, tokens, width = shapes[EMBEDDING]
    layers = {name.split(".")[1] for name in shapes if name.startswith("transformer_layes.")}
    return {"width": width, "text_width": shapes[PROJECTION][1], "tokens": tokens, "layers": len(layers)}


@torch.no_grad()
def style_tokens(style: StyleModel, said: VisionOutput) -> Tensor:
    """(1, tokens, text width) for all pictures side by side; the network must be resident.

    Raises ValueError with a sentence if another vision model looked at them.
    """
    network = style.network
    adapter = cast("StyleAdapter", network.module)
    seen, wanted = said.last_hidden_state, adapter.style_embedding.shape[-1]
    if seen.shape[-1] != wanted:
        raise ValueError(
            f"{style.title} was made for a vision model of width {wanted}, and this one's is {seen.shape[-1]}. Load "
            "CLIP ViT-L in CLIPVisionLoader."
        )
    tokens: Tensor = adapter(seen.to(network.device, network.dtype))
    return tokens.flatten(0, 1)[None].float().cpu()
