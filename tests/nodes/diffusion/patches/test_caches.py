"""Networks rest when the papers say so, and what they say then is what the papers say."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.diffusion.patches.caches import DeepCache, EasyCache, LazyCache
from nodes.diffusion.sampling.telling import ask_network
from tests.nodes.diffusion.patches.small_unet import call_of, given, small_unet

LEVELS = [10.0, 8.0, 6.0, 4.5, 3.0, 2.0, 1.2, 0.7, 0.4, 0.2]


def network(x: Tensor) -> Tensor:
    return torch.sin(x) * 0.8 + 0.1


def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(6)
    noise, clean = torch.randn(2, 2, 4, 6, 6, generator=generator)
    return [(clean + level * noise) / (1 + level**2) ** 0.5 for level in LEVELS]


def paper(threshold: float) -> tuple[list[Tensor], list[bool]]:
    """EasyCache's algorithm 1, written out."""
    answers: list[Tensor] = []
    computed: list[bool] = []
    rate, error, offset = None, 0.0, torch.zeros(())
    for index, x in enumerate(inputs()):
        moved = float((x - inputs()[index - 1]).abs().mean()) if index else 0.0
        if rate is not None:
            change = rate * moved / float(answers[-1].abs().mean())
            if error + change < threshold:
                error += change
                answers.append(x + offset)
                computed.append(False)
                continue
        answers.append(network(x))
        if index and computed[-1]:
            rate = float((answers[-1] - answers[-2]).abs().mean()) / moved
        offset, error = answers[-1] - x, 0.0
        computed.append(True)
    return answers, computed


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("kind", [EasyCache, LazyCache])
def test_a_network_rests_while_little_is_expected_to_change(kind: Any, threshold: float) -> None:
    cache, run, asked = kind(threshold, 0.0, 1.0, verbose=False), {}, []
    answers = []
    for x, level in zip(inputs(), LEVELS, strict=True):
        call = call_of(x, cache, level=level, run=run)

        def inner(x: Tensor = x) -> Tensor:
            asked.append(x)
            return network(x)

        if kind is EasyCache:
            answers.append(cache.around(x, call, inner))
        else:
            answers.append(cache.predicted(x, call, lambda inner=inner: [inner()])[0])
    expected, computed = paper(threshold)
    assert len(asked) == sum(computed)
    assert {0.0: 10, 3.0: 2}.get(threshold, len(asked)) == len(asked)
    for one, other in zip(answers, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_cache_computes_outside_of_its_range_and_keeps_batches_apart() -> None:
    cache, asked = EasyCache(3.0, 0.9, 1.0, verbose=False), []

    def inner(x: Tensor) -> Tensor:
        asked.append(x)
        return network(x)

    run: dict[Any, Any] = {}
    for x in inputs():
        cache.around(x, call_of(x, cache, level=10.0, run=run), inner)
    assert len(asked) == len(LEVELS)
    asked.clear()
    cache, run = EasyCache(3.0, 0.0, 1.0, verbose=False), {}
    for x in inputs():
        for groups in ((0, 1), (0,)):
            cache.around(x, call_of(x, cache, level=5.0, groups=groups, run=run), inner)
    assert len(asked) == 4, "two of each kind"


def test_what_lies_below_a_block_is_computed_in_every_third_step() -> None:
    unet = small_unet()
    x, timestep, tokens, told = given(unet)
    calls: list[str] = []
    unet.mid_block.register_forward_pre_hook(lambda *_: calls.append("never: the walk goes by its parts"))
    unet.mid_block.resnets[0].register_forward_pre_hook(lambda *_: calls.append("middle"))
    deep: list[Tensor] = []
    unet.up_blocks[1].resnets[1].register_forward_pre_hook(lambda _, given: deep.append(given[0]))
    run: dict[Any, Any] = {}
    cache = DeepCache(3, 0, 0.0, 1.0)
    made = []
    for index in range(7):
        call = call_of(x, cache, level=LEVELS[index], run=run)
        made.append(ask_network(unet, x * (1 + index), timestep - index, tokens, told, call))
    assert calls == ["middle"] * 3
    plain = ask_network(unet, x * 4, timestep - 3, tokens, told)
    assert torch.equal(made[3], plain)
    # By hand: the fifth step has the deep features of the fourth, and its own first block across.
    features = deep[3][:, : -unet.config.block_out_channels[0]]
    emb = unet.time_embedding(unet.get_time_embed(sample=x, timestep=timestep - 4))
    h = torch.cat([features, unet.conv_in(x * 5)], dim=1)
    h = unet.up_blocks[1].resnets[1](h, emb)
    h = unet.up_blocks[1].attentions[1](h, encoder_hidden_states=tokens)[0]
    expected = unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))
    assert torch.allclose(made[4], expected, atol=1e-4)
    assert not torch.allclose(made[4], ask_network(unet, x * 5, timestep - 4, tokens, told), atol=1e-3)


def test_deep_features_are_computed_outside_of_the_range() -> None:
    unet = small_unet()
    x, timestep, tokens, told = given(unet)
    calls: list[str] = []
    unet.mid_block.resnets[0].register_forward_pre_hook(lambda *_: calls.append("middle"))
    run: dict[Any, Any] = {}
    for level in LEVELS:
        ask_network(unet, x, timestep, tokens, told, call_of(x, DeepCache(3, 0, 0.99, 1.0), level=level, run=run))
    assert len(calls) == len(LEVELS)
