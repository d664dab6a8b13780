"""Tensor names of the original latent-diffusion layout for the parameters of diffusers' and transformers' networks.

Only names; a pure function of the networks' own parameter names, so any size works. Files are read and written by the
same table, and what a file lacks is named by it; tests compare it with diffusers' converters.
"""

import re
from collections.abc import Iterable

_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_VAE_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
    "query": "q", "key": "k", "value": "v", "proj_attn": "proj_out",
}  # fmt: skip
"""With the names that diffusers had before 0.18, which are still in files."""


def unet_names(parameters: Iterable[str]) -> dict[str, str]:
    """UNet2DConditionModel parameter -> original name, without prefix. KeyError for a network of another kind."""
    found = list(parameters)
    layers = len({match[1] for name in found if (match := re.match(r"down_blocks\.0\.resnets\.(\d+)\.", name))})
    attended = {match[1] for name in found if (match := re.match(r"up_blocks\.(\d+)\.attentions\.", name))}
    return {name: _unet_name(name, layers, attended) for name in found}


def vae_names(parameters: Iterable[str]) -> dict[str, str]:
    """AutoencoderKL parameter -> original name, without prefix."""
    found = list(parameters)
    levels = len({match[1] for name in found if (match := re.match(r"decoder\.up_blocks\.(\d+)\.", name))})
    return {name: _vae_name(name, levels) for name in found}


def _unet_name(name: str, layers: int, attended: set[str]) -> str:
    stem, _, leaf = name.rpartition(".")
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{leaf}"
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name):
        kind, index, rest = match.groups()
        return f"middle_block.{2 * int(index)}.{_resnet(rest)}" if kind == "resnets" else f"middle_block.1.{rest}"
    match = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name)
    if match is None:
        raise KeyError(f"'{name}' has no place in the original layout.")
    way, block, kind, index, rest = match.groups()
    place = int(block) * (layers + 1) + int(index)
    # The first input block is the convolution at the entrance, and each level ends in its down- or upsampler.
    row = f"input_blocks.{1 + place}" if way == "down" else f"output_blocks.{place}"
    if kind == "downsamplers":
        return f"input_blocks.{1 + place + layers}.0.op.{leaf}"
    if kind == "upsamplers":
        return f"output_blocks.{place + layers}.{2 if block in attended else 1}.conv.{leaf}"
    return f"{row}.0.{_resnet(rest)}" if kind == "resnets" else f"{row}.1.{rest}"


def _resnet(rest: str) -> str:
    part, _, leaf = rest.rpartition(".")
    return f"{_RESNET[part]}.{leaf}"


def _vae_name(name: str, levels: int) -> str:
    if match := re.match(r"decoder\.up_blocks\.(\d+)\.(.+)", name):
        name = f"decoder.up.{levels - 1 - int(match[1])}.{match[2]}"
    if match := re.match(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)$", name):
        return f"{match[1]}.mid.attn_1.{_VAE_ATTENTION[match[2]]}.{match[3]}"
    name = re.sub(r"mid_block\.resnets\.(\d+)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    for ours, theirs in (
        ("encoder.down_blocks.", "encoder.down."),
        (".resnets.", ".block."),
        (".downsamplers.0.", ".downsample."),
        (".upsamplers.0.", ".upsample."),
        ("conv_norm_out", "norm_out"),
        ("conv_shortcut", "nin_shortcut"),
    ):
        name = name.replace(ours, theirs)
    return name
