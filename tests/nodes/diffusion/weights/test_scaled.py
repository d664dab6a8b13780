"""The attention of a text encoder is scaled, weight by weight, and what is not scaled stays shared."""

import pytest
import torch

from main import HERE
from nodes.conditioning import clip_attention_multiply
from nodes.diffusion.checkpoints.open import open_checkpoint


@pytest.fixture(scope="module")
def encoder():
    return open_checkpoint(HERE / "models" / "checkpoints" / "heddle_scenes.safetensors").text_encoder


def test_queries_and_answers_are_scaled_with_their_biases(encoder) -> None:
    before = encoder.models[0].network
    after = clip_attention_multiply(clip=encoder, q=1.5, out=0.25).models[0].network
    factors = {"self_attn.q_proj": 1.5, "self_attn.out_proj": 0.25}
    seen = set()
    for name in before.weights:
        layer = name.rpartition(".")[0]
        factor = next((factor for end, factor in factors.items() if layer.endswith(end)), 1.0)
        assert torch.equal(after.value(name), before.value(name) * factor)
        if factor == 1:
            assert after.value(name).data_ptr() == before.value(name).data_ptr() or name not in after.changes
        seen.add((factor, name.rpartition(".")[2]))
    assert seen >= {(1.5, "weight"), (1.5, "bias"), (0.25, "weight"), (0.25, "bias"), (1.0, "weight")}


def test_factors_of_one_change_nothing(encoder) -> None:
    assert clip_attention_multiply(clip=encoder).models[0].network is encoder.models[0].network
