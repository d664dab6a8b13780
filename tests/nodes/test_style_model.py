"""The style of a picture becomes words, by the network that T2I-Adapter published, whose parts are torch's own."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from executor.folders import Folders
from executor.schema import InputError
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.style import open_style_model
from nodes.diffusion.values import VisionOutput
from nodes.style_model import style_model_apply, style_model_loader
from tests.nodes.diffusion.families.test_control import condition, predicted
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_families import L_WIDTH

WIDTH, WORDS = 32, 8
SEEN = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(3))
SAID = VisionOutput(torch.zeros(2, 7), SEEN, torch.zeros(2, 5, WIDTH))


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    made = {"style_embedding": torch.randn(1, WORDS, WIDTH), "proj": torch.randn(WIDTH, L_WIDTH) / 6}
    parts = {"ln_pre": nn.LayerNorm(WIDTH), "ln_post": nn.LayerNorm(WIDTH)}
    for layer in range(3):
        row = f"transformer_layes.{layer}"
        parts |= {f"{row}.attn": nn.MultiheadAttention(WIDTH, 8), f"{row}.ln_1": nn.LayerNorm(WIDTH)}
        parts |= {f"{row}.ln_2": nn.LayerNorm(WIDTH), f"{row}.mlp.c_fc": nn.Linear(WIDTH, 4 * WIDTH)}
        parts |= {f"{row}.mlp.c_proj": nn.Linear(4 * WIDTH, WIDTH)}
    for name, part in parts.items():
        made |= {f"{name}.{leaf}": torch.randn_like(value) * 0.2 for leaf, value in part.state_dict().items()}
    return made


def by_hand(t, seen) -> torch.Tensor:
    def norm(name, x):
        return functional.layer_norm(x, (WIDTH,), t[f"{name}.weight"], t[f"{name}.bias"])

    x = norm("ln_pre", torch.cat([seen, t["style_embedding"].expand(len(seen), -1, -1)], dim=1))
    for layer in range(3):
        row = f"transformer_layes.{layer}"
        q, k, v = functional.linear(
            norm(f"{row}.ln_1", x), t[f"{row}.attn.in_proj_weight"], t[f"{row}.attn.in_proj_bias"]
        ).chunk(3, -1)
        q, k, v = (one.unflatten(-1, (8, -1)).transpose(1, 2) for one in (q, k, v))
        scores = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        h = (scores @ v).transpose(1, 2).flatten(2)
        x = x + functional.linear(h, t[f"{row}.attn.out_proj.weight"], t[f"{row}.attn.out_proj.bias"])
        h = functional.linear(norm(f"{row}.ln_2", x), t[f"{row}.mlp.c_fc.weight"], t[f"{row}.mlp.c_fc.bias"])
        x = x + functional.linear(
            h * torch.sigmoid(1.702 * h), t[f"{row}.mlp.c_proj.weight"], t[f"{row}.mlp.c_proj.bias"]
        )
    return norm("ln_post", x[:, -WORDS:]) @ t["proj"]


def test_a_style_becomes_words_behind_the_text(tensors, make_file, tmp_path, memory, caplog) -> None:
    save_file(tensors, tmp_path / "style.safetensors")
    folders = Folders(*(tmp_path,) * 4, {"style_models": (tmp_path,)})
    style = style_model_loader(style_model_name="style.safetensors", folders=folders)
    assert caplog.messages == []
    made = make_file("sd1")
    one, other = condition(made, 1), condition(made, 2)
    (styled,) = style_model_apply(
        conditioning=(one,),
        style_model=style,
        clip_vision_output=SAID,
        strength=0.5,
        strength_type="multiply",
        memory=memory,
    )
    assert torch.equal(styled.tokens[:, :77], one.tokens)
    close(styled.tokens[:, 77:], 0.5 * by_hand(tensors, SEEN).reshape(1, 2 * WORDS, L_WIDTH))
    model, x = open_checkpoint(made.path).model, torch.randn(1, 4, 8, 8)
    asked = []
    with memory.resident(model.network):
        handle = model.network.module.register_forward_pre_hook(
            lambda _, __, more: asked.append(more["encoder_hidden_states"].shape[1]), with_kwargs=True
        )
        both = predicted(model, [(styled,), (other,)], x, memory)
        handle.remove()
    assert sorted(asked) == [77, 77 + 2 * WORDS], "texts of odd lengths are not repeated to a common multiple"
    close(both[0], predicted(model, [(styled,)], x, memory)[0])


def test_what_does_not_fit_is_said(tensors, make_file, tmp_path, memory) -> None:
    save_file(tensors, tmp_path / "style.safetensors")
    style = open_style_model(tmp_path / "style.safetensors")
    fitting = (condition(make_file("sd1"), 1),)
    told = {"style_model": style, "clip_vision_output": SAID, "strength_type": "multiply", "memory": memory}
    with pytest.raises(InputError, match=r"style\.safetensors makes words of 64 numbers"):
        style_model_apply(conditioning=(condition(make_file("sd2"), 1),), **told)
    with pytest.raises(InputError, match="Choose 'multiply'"):
        style_model_apply(conditioning=fitting, **told | {"strength_type": "attn_bias", "strength": 0.5})
    narrow = VisionOutput(torch.zeros(1, 7), torch.zeros(1, 5, 16), torch.zeros(1, 5, 16))
    with pytest.raises(InputError, match="made for a vision model of width 32, and this one's is 16"):
        style_model_apply(conditioning=fitting, **told | {"clip_vision_output": narrow})
    with pytest.raises(CheckpointError, match="no style model"):
        open_style_model(make_file("sd1").path)
    save_file({"redux_up.weight": torch.zeros(1)}, tmp_path / "redux.safetensors")
    with pytest.raises(CheckpointError, match="for Flux"):
        open_style_model(tmp_path / "redux.safetensors")
