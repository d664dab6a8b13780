"""PAG and SAG, against diffusers' attention and against the papers' formulas written out."""

from dataclasses import replace
from typing import Any

import torch
from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0
from torch import Tensor

from nodes.diffusion.patches.perturbed import (
    SEEN,
    AttentionSeen,
    IdentityAttention,
    away_from_the_perpendicular,
    blurred_where_seen,
    gaussian_blur,
    perturbed,
    self_attentive,
)
from nodes.diffusion.sampling.steering import Guided, Steering, perpendicular
from nodes.diffusion.sampling.telling import ask_network
from tests.nodes.diffusion.patches.small_unet import SAMPLING, given, predict, small_unet


def step(size: int = 12, run: Any = None, ask: Any = None) -> Guided:
    torch.manual_seed(4)
    x, positive, negative, denoised = torch.randn(4, 2, 4, size, size)
    return Guided(x, 2.0, positive, negative, 5.0, SAMPLING, denoised, {} if run is None else run, ask)


def test_identity_attention_is_that_of_diffusers() -> None:
    for name in ("sd1", "sdxl"):
        unet = small_unet(name)
        made = predict(unet, IdentityAttention())
        x, timestep, tokens, told = given(unet)
        processors = {
            path: PAGIdentitySelfAttnProcessor2_0() if "mid_block" in path and ".attn1." in path else one
            for path, one in unet.attn_processors.items()
        }
        unet.set_attn_processor(processors)
        twice = type(told)({key: torch.cat([one, one]) for key, one in told.vectors.items()})
        both = [torch.cat([one, one]) for one in (x, timestep, tokens)]
        plain, other = ask_network(unet, *both, twice).chunk(2)
        assert torch.allclose(made, other, atol=1e-4)
        assert not torch.allclose(made, plain, atol=1e-3)


def test_perturbed_guidance_leads_away_from_what_identity_attention_says() -> None:
    asked: list[Any] = []

    def ask(which: Any, x: Tensor, *alterations: Any) -> Tensor:
        asked.append((which, [type(one) for one in alterations]))
        return x * 0.5

    now = step(ask=ask)
    assert torch.allclose(perturbed(3.0)(now), now.denoised + 3.0 * (now.positive - now.x * 0.5))
    assert asked == [(0, [IdentityAttention])]
    assert not Steering(after=(perturbed(3.0),)).reads_negative, "at cfg 1 no negative is predicted for it"


def test_what_attention_sees_is_the_mean_map_of_the_middle() -> None:
    unet, run = small_unet("sdxl"), {}
    attn = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    heard: list[Tensor] = []
    handle = attn.register_forward_hook(lambda _, given, __: heard.append(given[0]))
    plain = predict(unet)
    handle.remove()
    # Two regions of one latent each: the first is wanted, the second is not.
    assert torch.allclose(predict(unet, AttentionSeen(), groups=(0, 1), run=run), plain, atol=1e-5)
    seen, size = run[SEEN]
    q, k = (one(heard[0][1:]).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for one in (attn.to_q, attn.to_k))
    expected = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1).sum(1)
    assert size == (12, 8)
    assert seen.shape == (1, 3, 2)
    assert torch.allclose(seen.flatten(1), expected, atol=1e-5)
    assert float(seen.mean()) == 1 or abs(float(seen.mean()) - 1) < 1e-5, "so that 1 is the threshold"
    assert SEEN not in (predict(unet, AttentionSeen(), groups=(0, 2), run=(other := {})), other)[1]


def test_a_blur_is_a_gaussian_with_reflected_borders() -> None:
    picture = torch.zeros(1, 2, 15, 15)
    picture[0, 0, 7, 7] = 1
    side = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / (2 * 1.5**2))
    expected = torch.outer(side, side) / side.sum() ** 2
    blurred = gaussian_blur(picture, 1.5)
    assert torch.allclose(blurred[0, 0, 3:12, 3:12], expected, atol=1e-6)
    assert torch.equal(blurred[0, 1], picture[0, 1])
    assert torch.allclose(gaussian_blur(torch.ones(1, 1, 6, 6), 3.0), torch.ones(1, 1, 6, 6))
    assert gaussian_blur(picture, 0.0) is picture


def test_self_attention_guidance_leads_away_from_a_blurred_negative() -> None:
    seen = torch.tensor([[[2.0, 0.5], [0.1, 1.4]]] * 2)
    now = step(run={SEEN: (seen, (12, 12))}, ask=lambda _, x: x * 0.25)
    mask = torch.zeros(12, 12)
    mask[:6, :6] = mask[6:, 6:] = 1
    degraded = torch.where(mask > 0, gaussian_blur(now.negative, 2.0), now.negative)
    assert torch.allclose(blurred_where_seen(now.negative, seen, 2.0), degraded)
    expected = now.denoised + 0.5 * (degraded - 0.25 * (degraded + now.x - now.negative))
    assert torch.allclose(self_attentive(0.5, 2.0)(now), expected, atol=1e-6)
    for other in (step(), step(run={SEEN: (seen, (6, 6))}), step(4, run={SEEN: (seen, (4, 4))})):
        assert self_attentive(0.5, 2.0)(other) is other.denoised, "without a map that fits nothing changes"


def test_perp_neg_asks_about_nothing() -> None:
    now = step(ask=lambda which, x: x * which)
    expected = perpendicular(now.positive, now.negative, now.x * 0.5, 5.0, 0.7)
    assert torch.equal(away_from_the_perpendicular(0.5, 0.7)(now), expected)
    same = replace(now, negative=now.x * 0.5)
    plain = now.x * 0.5 + 5.0 * (now.positive - now.x * 0.5)
    assert torch.allclose(away_from_the_perpendicular(0.5, 0.7)(same), plain, atol=1e-5)
