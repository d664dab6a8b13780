"""A UNet as packs know it, and what they change in it, run where packs live. See `test_comfy_unet.py`."""
# ruff: noqa: ARG005  functions that packs hand over take what they are given

from functools import cache
from typing import Any

import comfy.utils
import pytest
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, CrossAttention, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel, forward_timestep_embed
from comfy.model_management import load_models_gpu
from comfy.model_patcher import set_model_options_patch_replace
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from pack_surroundings import here
from torch import Tensor, nn

from nodes.diffusion.values import Told
from nodes.loaders import checkpoint_loader_simple
from nodes.packs.bridge import from_pack, to_pack
from nodes.packs.bridge.missing import Unsupported

HEADS = 8


@cache
def patcher() -> Any:
    loaded = checkpoint_loader_simple(ckpt_name="heddle_scenes.safetensors", folders=here().folders)
    return to_pack(loaded.MODEL)


def predict(patched: Any, options: dict[str, Any] | None = None) -> Tensor:
    """What the network says with a patcher's objects and patches; a feature map in the middle has odd sides."""
    load_models_gpu([patched])
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 20, 12, generator=generator)
    width = patcher().model.model_config.unet_config["cross_attention_dim"]
    context = torch.randn(2, 77, width, generator=generator)
    options = patched.model_options["transformer_options"] if options is None else options
    with torch.inference_mode():
        answer: Tensor = patched.sampled_model().diffusion_model(
            x, torch.tensor([500.0, 10.0]), context=context, transformer_options=options
        )
    return answer


def blocks() -> dict[str, Any]:
    named = patcher().model.diffusion_model.named_modules()
    return {name: module for name, module in named if isinstance(module, BasicTransformerBlock)}


def inside_layers_have_the_names_of_the_file() -> None:
    load_models_gpu([patcher()])
    shown = patcher().model.diffusion_model.state_dict()
    original = patcher().model_state_dict()
    assert sorted(f"diffusion_model.{name}" for name in shown) == sorted(original)
    for name, weight in shown.items():
        assert torch.equal(weight.float(), original[f"diffusion_model.{name}"].float()), name
    assert all(name.endswith("transformer_blocks.0") for name in blocks())
    assert any(name.startswith("middle_block.1.") for name in blocks())
    assert all(isinstance(one.attn1, CrossAttention) and one.attn1.heads == HEADS for one in blocks().values())


def inside_the_blocks_make_the_prediction_of_the_network() -> None:
    plain = predict(patcher())
    heard: list[Any] = []

    def listen(h: Tensor, options: dict[str, Any]) -> Tensor:
        heard.append((options["block"], options["original_shape"]))
        return h

    listening = patcher().clone()
    listening.set_model_input_block_patch(listen)
    assert torch.allclose(predict(listening), plain, atol=1e-4)
    inputs = len(patcher().model.diffusion_model.input_blocks)
    assert heard == [(("input", number), [2, 4, 20, 12]) for number in range(inputs)]


def inside_attention_is_replaced_in_the_block_that_was_named() -> None:
    heard: list[Any] = []

    def same(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        heard.append((options["block"], options["block_index"], q.shape[-1] // options["dim_head"]))
        return optimized_attention(q, k, v, options["n_heads"])

    plain = predict(patcher())
    for part in ("attn1", "attn2"):
        for place in (("middle", 0), ("middle", 0, 0)):
            heard.clear()
            options = set_model_options_patch_replace({}, same, part, *place)["transformer_options"]
            assert torch.allclose(predict(patcher(), options), plain, atol=1e-4)
            assert heard == [(("middle", 0), 0, HEADS)]
    other = patcher().clone()
    other.set_model_attn1_replace(lambda q, k, v, options: v, "middle", 0)
    assert not torch.allclose(predict(other), plain, atol=1e-3)
    assert torch.equal(predict(patcher()), plain), "the model that was cloned is as it was"


def inside_options_that_gain_a_patch_leave_the_given_ones_as_they_were() -> None:
    first = set_model_options_patch_replace({}, 1, "attn1", "input", 1)
    second = set_model_options_patch_replace(dict(first), 2, "attn1", "input", 2, 0)
    assert first["transformer_options"]["patches_replace"] == {"attn1": {("input", 1): 1}}
    assert second["transformer_options"]["patches_replace"] == {"attn1": {("input", 1): 1, ("input", 2, 0): 2}}


PATCHES = {
    "attn1_patch": lambda n, context, value, options: (n, context, value),
    "attn2_patch": lambda n, context, value, options: (n, context, value),
    "attn1_output_patch": lambda n, options: n,
    "attn2_output_patch": lambda n, options: n,
    "middle_patch": lambda x, options: x,
    "emb_patch": lambda emb, channels, options: emb,
    "input_block_patch": lambda h, options: h,
    "input_block_patch_after_skip": lambda h, options: h,
    "middle_block_patch": lambda h, options: h,
    "output_block_patch": lambda h, skipped, options: (h, skipped),
}
"""Each kind of patch, changing nothing."""


def inside_every_patch_is_called_and_counts() -> None:
    plain = predict(patcher())
    for name, same in PATCHES.items():
        calls: list[str] = []

        def counted(*given: Any, name: str = name, same: Any = same, calls: list[str] = calls) -> Any:
            calls.append(name)
            return same(*given)

        def doubled(*given: Any, same: Any = same) -> Any:
            answer = same(*given)
            return (answer[0] * 2, *answer[1:]) if isinstance(answer, tuple) else answer * 2

        patched = patcher().clone()
        patched.set_model_patch(counted, name)
        assert torch.allclose(predict(patched), plain, atol=1e-4), name
        assert calls, name
        patched.set_model_patch(doubled, name)
        assert not torch.allclose(predict(patched), plain, atol=1e-3), name


def inside_values_of_attention_follow_a_patch() -> None:
    plain = predict(patcher())
    patched = patcher().clone()
    patched.set_model_attn2_patch(lambda n, context, value, _: (n, context, value * 0))
    silent = patcher().clone()
    for name in blocks():
        part, number = name.split(".")[:2]
        place = ("middle", 0) if part == "middle_block" else (part.removesuffix("_blocks"), int(number))
        silent.set_model_attn2_replace(lambda q, k, v, _: v[:, :1] * 0 + q * 0, *place)
    assert torch.allclose(predict(patched), predict(silent), atol=1e-4)
    assert not torch.allclose(predict(patched), plain, atol=1e-3)


def inside_a_layer_that_a_pack_replaces_takes_part_and_only_in_its_clone() -> None:
    class Wrapped(nn.Module):
        def __init__(self, block: nn.Module, scale: float) -> None:
            super().__init__()
            self.wrapped_block, self.scale = block, scale

        def forward(self, x: Tensor, context: Any = None, transformer_options: Any = None) -> Tensor:
            return self.wrapped_block(x, context=context, transformer_options=transformer_options) * self.scale

    plain = predict(patcher())
    for scale in (1.0, 0.5):
        patched = patcher().clone()
        for name, block in blocks().items():
            patched.add_object_patch(f"diffusion_model.{name}", Wrapped(block, scale))
        assert torch.allclose(predict(patched), plain, atol=1e-4) == (scale == 1.0)
        names = [name for name, one in patched.sampled_model().named_modules() if isinstance(one, Wrapped)]
        assert names == [f"diffusion_model.{name}" for name in blocks()]
    assert torch.equal(predict(patcher()), plain)


def inside_a_whole_network_that_a_pack_replaces_is_used() -> None:
    class Twice(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any, **named: Any) -> Tensor:
            return self.network(*given, **named) * 2

    patched = patcher().clone()
    patched.add_object_patch("diffusion_model", Twice(patched.get_model_object("diffusion_model")))
    assert torch.equal(predict(patched), predict(patcher()) * 2)
    assert from_pack(patched, "MODEL").attached


NETWORKS = {
    "SD 2": {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": [1, 2],
        "use_linear_projection": True,
    },
    "unCLIP": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 2,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 24,
    },
    "SDXL": {
        "in_channels": 9,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": [1, 2],
        "transformer_layers_per_block": [1, 2],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 16 + 6 * 8,
    },
}
"""What makes each kind of network other than the first."""

VECTORS = {
    "unCLIP": {"class_labels": torch.ones(2, 24)},
    "SDXL": {"text_embeds": torch.ones(2, 16), "time_ids": torch.ones(2, 6)},
}


def inside_networks_of_other_families_are_walked_too() -> None:
    for name, config in NETWORKS.items():
        torch.manual_seed(0)
        whole = UNet2DConditionModel(block_out_channels=(32, 64), cross_attention_dim=16, **config).eval()
        network, heard = UNetModel.of(whole), []
        assert len(list(network.state_dict())) == len(list(whole.state_dict()))
        channels = torch.ones(2, 5, 9, 6) if name == "SDXL" else None
        told = Told(VECTORS.get(name, {}), channels)
        given = torch.randn(2, 4, 9, 6), torch.tensor([5.0, 900.0]), torch.randn(2, 3, 16)
        patches = {"patches": {"middle_patch": [lambda x, told, heard=heard: heard.append(told["block_index"]) or x]}}
        with torch.inference_mode():
            plain = network(*given, told=told)
            walked = network(*given, told=told, transformer_options=patches)
            assert not torch.allclose(plain, network(given[0] * 2, *given[1:], told=told))
        assert torch.allclose(plain, walked, atol=1e-5), name
        assert set(heard) == ({0, 1} if name == "SDXL" else {0}), "each transformer of a block has its number"


def inside_one_block_is_called_by_itself() -> None:
    network = patcher().model.diffusion_model
    load_models_gpu([patcher()])
    x, emb = torch.ones(1, 4, 8, 8), torch.ones(1, network.time_embed[2].out_features)
    with torch.inference_mode():
        assert torch.equal(forward_timestep_embed(network.input_blocks[0], x, emb), network.input_blocks[0](x, emb))


def inside_patches_of_other_networks_are_refused() -> None:
    patched = patcher().clone()
    patched.set_model_double_block_patch(lambda **_: None)
    with pytest.raises(Unsupported, match="double_block"):
        patched.check_sampling()
    assert comfy.utils.get_attr(patched, "model.diffusion_model").model_channels > 0
