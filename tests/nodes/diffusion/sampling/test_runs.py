"""A model or a sampler may bring a run of its own, and functions may stand between batches and the network."""

from dataclasses import replace

import torch
from torch import Tensor

from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling.guidance import CfgGuider, Guider, Predictions
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.sample import Outcome, Settings, make_sigmas, sample
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.diffusion.sampling.samplers.contract import Report
from nodes.diffusion.values import Condition, Latent
from nodes.loaders import Checkpoint

LATENT = Latent(torch.zeros(2, 4, 8, 8))


def condition(checkpoint: Checkpoint, number: float) -> Condition:
    width = checkpoint.MODEL.network.module.config.cross_attention_dim
    return Condition(torch.full((1, 77, width), number), torch.zeros(1, width))


def settings(checkpoint: Checkpoint) -> Settings:
    return Settings(choose_sampler("euler"), make_sigmas(checkpoint.MODEL.sampling, "euler", "normal", 2), Noise(1))


def own_run(guider: Guider, latent: Latent, settings: Settings, report: Report) -> Outcome:  # noqa: ARG001 a Run
    report(len(settings.sigmas), latent.samples)
    return Outcome(replace(latent, samples=latent.samples + 1), latent)


def test_the_run_of_a_model_or_of_a_sampler_takes_the_place_of_the_ordinary_one(checkpoint: Checkpoint) -> None:
    words = (condition(checkpoint, 0.5),)
    plain = settings(checkpoint)
    for model, chosen in (
        (replace(checkpoint.MODEL, run=own_run), plain),
        (checkpoint.MODEL, replace(plain, sampler=replace(plain.sampler, run=own_run))),
    ):
        heard: list[int] = []
        guider = CfgGuider(model, words, words, 2.0)
        made = sample(guider, LATENT, chosen, lambda step, _, heard=heard: heard.append(step))  # type: ignore[misc]
        assert torch.equal(made.latent.samples, LATENT.samples + 1)
        assert heard == [3]


def test_a_run_without_steps_is_nobodys(checkpoint: Checkpoint) -> None:
    guider = CfgGuider(replace(checkpoint.MODEL, run=own_run), (), (), 1.0)
    nothing = replace(settings(checkpoint), sigmas=torch.zeros(0))
    assert sample(guider, LATENT, nothing, lambda *_: None).latent is LATENT


def test_a_function_sees_each_batch_before_the_network(checkpoint: Checkpoint, shared_memory: DeviceMemory) -> None:
    groups = ((condition(checkpoint, 0.5),), (condition(checkpoint, 0.1), condition(checkpoint, 0.2)))
    x = torch.ones(2, 4, 8, 8)
    seen: list[tuple[tuple[int, ...], torch.Size, torch.Size]] = []

    def around(denoise: object, one: object) -> Tensor:
        seen.append((one.groups, one.x.shape, one.sigma.shape))  # type: ignore[attr-defined]
        return denoise(one) * 2  # type: ignore[operator]

    with shared_memory.resident(checkpoint.MODEL.network), torch.no_grad():
        plain = Predictions(checkpoint.MODEL, groups, x)(x, 3.0, (0, 1))
        doubled = Predictions(checkpoint.MODEL, groups, x, around)(x, 3.0, (0, 1))
    assert seen == [((0, 1, 1), torch.Size((6, 4, 8, 8)), torch.Size((6,)))]
    assert all(torch.allclose(2 * one, two) for one, two in zip(plain, doubled, strict=True))
