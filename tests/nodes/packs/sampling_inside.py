"""What packs do to sampling, run where packs live. See `test_comfy_sampling.py`."""
# ruff: noqa: ARG001, ARG002, ARG005  functions that packs hand over take what they are given

from dataclasses import replace
from functools import cache
from typing import Any

import comfy.controlnet
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from diffusers import ControlNetModel
from pack_surroundings import here
from torch import Tensor

from nodes import conditioning, controlnet, custom_sampling, sampling
from nodes.diffusion.sampling.prediction import DiscreteSampling
from nodes.diffusion.values import ControlNet, Latent
from nodes.loaders import checkpoint_loader_simple
from nodes.packs.bridge import from_pack, to_pack
from nodes.packs.bridge.missing import Unsupported
from tests.nodes.small_controls import randomised

STEPS, SEED = 3, 7
SAMPLERS = ("euler", "euler_ancestral_cfg_pp", "heun", "lms", "dpmpp_sde", "dpmpp_2m_sde", "lcm", "uni_pc", "er_sde")
"""Some of each kind: with a negative, with noise of both sorts, with a schedule that loses a step."""


class Silent:
    """A `Progress` that nobody watches."""

    def step(self, *_: Any) -> None:
        pass

    def check(self) -> None:
        pass


@cache
def loaded() -> Any:
    return checkpoint_loader_simple(ckpt_name="heddle_scenes.safetensors", folders=here().folders)


@cache
def text(words: str) -> Any:
    memory = here().resources["DeviceMemory"]
    return conditioning.clip_text_encode(text=words, clip=loaded().CLIP, memory=memory)


def latent(mask: Tensor | None = None) -> Latent:
    samples = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.5
    return Latent(samples, mask)


def by_node(model: Any, cfg: float = 5.0, sampler: str = "euler", start: Latent | None = None) -> Tensor:
    made = sampling.k_sampler(
        model=model,
        seed=SEED,
        steps=STEPS,
        cfg=cfg,
        sampler_name=sampler,
        scheduler="normal",
        positive=text("a small red cube at night"),
        negative=text("day"),
        latent_image=start or latent(),
        denoise=0.8,
        memory=here().resources["DeviceMemory"],
        progress=Silent(),
    )
    return made.samples


def by_pack(patcher: Any, cfg: float = 5.0, sampler: str = "euler", start: Latent | None = None) -> Tensor:
    given = to_pack(start or latent())
    noise = comfy.sample.prepare_noise(given["samples"], SEED, given.get("batch_index"))
    with torch.inference_mode():
        return comfy.sample.sample(
            patcher,
            noise,
            STEPS,
            cfg,
            sampler,
            "normal",
            to_pack(text("a small red cube at night")),
            to_pack(text("day")),
            comfy.sample.fix_empty_latent_channels(patcher, given["samples"]),
            denoise=0.8,
            noise_mask=given.get("noise_mask"),
            seed=SEED,
        )


def by_custom_node(guider: Any, sampler: Any = None, noise: Any = None) -> Any:
    return custom_sampling.sampler_custom_advanced(
        noise=noise or from_pack(Noise_RandomNoise(SEED), "NOISE"),
        guider=guider,
        sampler=sampler or custom_sampling.k_sampler_select(sampler_name="euler"),
        sigmas=comfy.samplers.calculate_sigmas(
            to_pack(loaded().MODEL).get_model_object("model_sampling"), "normal", STEPS
        ),
        latent_image=latent(),
        memory=here().resources["DeviceMemory"],
        progress=Silent(),
    )


def inside_a_pack_samples_as_the_node_does() -> None:
    model = loaded().MODEL
    for name in SAMPLERS:
        assert torch.equal(by_pack(to_pack(model), sampler=name), by_node(model, sampler=name)), name


def inside_a_mask_holds_for_packs_as_for_the_node() -> None:
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1
    for name in ("euler", "ddim", "euler_cfg_pp", "dpmpp_2m_sde"):
        ours = by_node(loaded().MODEL, sampler=name, start=latent(mask))
        assert torch.equal(by_pack(to_pack(loaded().MODEL), sampler=name, start=latent(mask)), ours), name
        assert torch.allclose(ours[..., :4], latent().samples[..., :4], atol=1e-5)


def inside_areas_masks_and_moments_count_for_packs_as_for_the_node() -> None:
    words = text("a small red cube at night"), text("day")
    left = conditioning.conditioning_set_area_percentage(conditioning=words[0], width=0.5, strength=0.7)
    right = conditioning.conditioning_set_area(conditioning=words[1], width=64, height=64, x=16, y=8)
    mask = torch.zeros(1, 8, 8)
    mask[:, 2:7, 1:5] = 1
    masked = conditioning.conditioning_set_mask(conditioning=words[1], mask=mask, set_cond_area="mask bounds")
    late = conditioning.conditioning_set_timestep_range(conditioning=words[0], start=0.4, end=0.9)
    memory, start = here().resources["DeviceMemory"], latent()
    for cfg in (4.0, 1.0):
        for positive, negative in ((left + right, words[1]), (masked + words[0], late + right), (late, masked)):
            ours = sampling.k_sampler(
                model=loaded().MODEL, seed=SEED, steps=STEPS, cfg=cfg, sampler_name="euler", scheduler="normal",
                positive=positive, negative=negative, latent_image=start, memory=memory, progress=Silent(),
            ).samples  # fmt: skip
            theirs = comfy.sample.sample(
                to_pack(loaded().MODEL), comfy.sample.prepare_noise(start.samples, SEED), STEPS, cfg, "euler", "normal",
                to_pack(positive), to_pack(negative), start.samples, seed=SEED,
            )  # fmt: skip
            assert torch.equal(ours, theirs)


def inside_a_scale_of_one_is_the_same_for_packs() -> None:
    model = loaded().MODEL
    assert torch.equal(by_pack(to_pack(model), cfg=1.0), by_node(model, cfg=1.0))


def inside_a_post_cfg_function_changes_the_picture_as_computed_by_hand() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_sampler_post_cfg_function(
        lambda args: args["uncond_denoised"] + 2 * (args["cond_denoised"] - args["uncond_denoised"])
    )
    expected = by_node(loaded().MODEL, cfg=2.0)
    assert torch.allclose(by_pack(patcher), expected, atol=1e-6)
    changed = from_pack(patcher, "MODEL")
    assert changed is not loaded().MODEL
    assert torch.allclose(by_node(changed), expected, atol=1e-6), "our own node samples with it too"
    assert not torch.allclose(by_node(loaded().MODEL), expected, atol=1e-3), "the unpatched model is as it was"


def inside_a_cfg_function_gets_differences_from_the_noisy_latent() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_sampler_cfg_function(lambda args: args["uncond"] + 3 * (args["cond"] - args["uncond"]))
    assert torch.allclose(by_pack(patcher), by_node(loaded().MODEL, cfg=3.0), atol=1e-4)
    three = to_pack(loaded().MODEL).clone()
    three.set_model_sampler_cfg_function(lambda cond, uncond, scale: uncond + (scale - 2) * (cond - uncond))
    assert torch.allclose(by_pack(three), by_node(loaded().MODEL, cfg=3.0), atol=1e-4)


def inside_a_pre_cfg_function_swaps_the_predictions() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_sampler_pre_cfg_function(lambda args: args["conds_out"][::-1])
    assert torch.allclose(by_pack(patcher, cfg=1.5), by_node(loaded().MODEL, cfg=-0.5), atol=1e-5)


def inside_a_unet_wrapper_stands_between_each_batch_and_the_network() -> None:
    seen: list[tuple[list[int], tuple[int, ...]]] = []

    def wrapper(apply_model: Any, args: dict[str, Any]) -> Tensor:
        seen.append((args["cond_or_uncond"], tuple(args["timestep"].shape)))
        assert args["input"].shape[0] == args["timestep"].shape[0] == args["c"]["c_crossattn"].shape[0]
        return apply_model(args["input"], args["timestep"], **args["c"]) * 0.5

    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_unet_function_wrapper(wrapper)
    halved = by_pack(patcher)
    assert seen == [([0, 1], (4,))] * STEPS
    after = to_pack(loaded().MODEL).clone()
    after.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.5)
    assert torch.allclose(halved, by_pack(after), atol=1e-5), "half of each is half of the guided one"
    assert torch.allclose(by_node(from_pack(patcher, "MODEL")), halved, atol=1e-6)


def inside_wrappers_see_every_step_of_a_run() -> None:
    from comfy.patcher_extension import CallbacksMP, WrappersMP

    heard: list[str] = []
    patcher = to_pack(loaded().MODEL).clone()
    for kind in (
        WrappersMP.OUTER_SAMPLE, WrappersMP.PREPARE_SAMPLING, WrappersMP.SAMPLER_SAMPLE, WrappersMP.PREDICT_NOISE,
        WrappersMP.APPLY_MODEL, WrappersMP.DIFFUSION_MODEL,
    ):  # fmt: skip

        def wrapper(executor: Any, *args: Any, kind: str = kind, **kwargs: Any) -> Any:
            if kind not in heard:
                heard.append(kind)
            return executor(*args, **kwargs)

        patcher.add_wrapper_with_key(kind, "test", wrapper)
    patcher.add_callback_with_key(CallbacksMP.ON_LOAD, "test", lambda model, device, *_: heard.append(f"on {device}"))
    patcher.add_callback_with_key(CallbacksMP.ON_PRE_RUN, "test", lambda _: heard.append("pre run"))
    patcher.add_callback_with_key(CallbacksMP.ON_CLEANUP, "test", lambda _: heard.append("cleanup"))
    assert torch.equal(by_pack(patcher), by_node(loaded().MODEL))
    assert heard == [
        "outer_sample", "prepare_sampling", "on cpu", "pre run", "sampler_sample", "predict_noise", "apply_model",
        "diffusion_model", "cleanup",
    ]  # fmt: skip
    heard.clear()
    assert torch.equal(by_node(from_pack(patcher, "MODEL")), by_node(loaded().MODEL))
    assert "diffusion_model" in heard, "they travel with the model to our own nodes"


def inside_a_guider_of_a_pack_works_in_our_node() -> None:
    class Mean(comfy.samplers.CFGGuider):
        def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Tensor:
            conds = [self.conds["positive"], self.conds["negative"]]
            out = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options)
            return (out[0] + out[1]) / 2

    guider = Mean(to_pack(loaded().MODEL))
    guider.set_conds(to_pack(text("a small red cube at night")), to_pack(text("day")))
    plain = comfy.samplers.CFGGuider(to_pack(loaded().MODEL))
    plain.set_conds(to_pack(text("a small red cube at night")), to_pack(text("day")))
    plain.set_cfg(0.5)
    made = by_custom_node(from_pack(guider, "GUIDER"))
    assert torch.allclose(made.output.samples, by_custom_node(from_pack(plain, "GUIDER")).output.samples, atol=1e-5)
    assert torch.allclose(made.denoised_output.samples, made.output.samples, atol=1e-5), "the schedule ends in 0"
    again = from_pack(to_pack(from_pack(guider, "GUIDER")), "GUIDER")
    assert again.source is guider


def inside_our_guiders_sample_in_packs() -> None:
    model, positive, negative = loaded().MODEL, text("a small red cube at night"), text("day")
    for ours in (
        custom_sampling.cfg_guider(model=model, positive=positive, negative=negative, cfg=4.0),
        custom_sampling.basic_guider(model=model, conditioning=positive),
        *(
            custom_sampling.dual_cfg_guider(
                model=model, cond1=positive, cond2=text("sunset"), negative=negative, cfg_conds=3.0,
                cfg_cond2_negative=2.0, style=style,
            )
            for style in ("regular", "nested")
        ),
    ):  # fmt: skip
        theirs = to_pack(ours)
        assert from_pack(theirs, "GUIDER") is ours
        sigmas = comfy.samplers.calculate_sigmas(theirs.model_patcher.model.model_sampling, "normal", STEPS)
        noise = to_pack(custom_sampling.random_noise(noise_seed=SEED)).generate_noise(to_pack(latent()))
        sampler = comfy.samplers.sampler_object("euler")
        samples = theirs.sample(noise, latent().samples, sampler, sigmas, seed=SEED)
        expected = by_custom_node(ours).output.samples
        assert torch.allclose(samples, expected, atol=1e-5), type(ours).__name__


def inside_what_our_own_nodes_did_to_a_model_counts_in_packs() -> None:
    from nodes.diffusion.sampling.masks import differential
    from nodes.diffusion.sampling.steering import Steering, damped, projected, rescaled

    words = text("a small red cube at night"), text("day"), text("")
    for steering in (
        Steering(formula=rescaled(0.7)),
        Steering(before=(projected(0.5, 5.0, -0.5), damped)),
        Steering(after=(lambda step: step.denoised * 0.9,)),
    ):
        model = replace(loaded().MODEL, steering=steering)
        assert torch.allclose(by_pack(to_pack(model)), by_node(model), atol=1e-6)
        assert torch.allclose(by_pack(to_pack(model), cfg=1.0), by_node(model, cfg=1.0), atol=1e-6)
        guider = custom_sampling.perp_neg_guider(
            model=model, positive=words[0], negative=words[1], empty_conditioning=words[2], cfg=4.0, neg_scale=0.8
        )
        theirs = to_pack(guider)
        assert from_pack(theirs, "GUIDER") is guider
        theirs.set_cfg(4.0, 0.8000001)
        made = by_custom_node(from_pack(theirs, "GUIDER")).output.samples
        assert torch.allclose(made, by_custom_node(guider).output.samples, atol=1e-4)
        patched = to_pack(model).clone()
        patched.set_model_sampler_cfg_function(
            lambda args: args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])
        )
        if steering.formula is None:
            assert torch.allclose(by_pack(patched), by_node(model), atol=1e-4)
        changed = replace(from_pack(patched, "MODEL"), steering=Steering())
        assert torch.allclose(by_node(changed), by_node(loaded().MODEL), atol=1e-4)
    mask = torch.linspace(0, 1, 64).expand(1, 8, 64)
    model = replace(loaded().MODEL, mask_rule=differential(1.0))
    assert torch.equal(by_pack(to_pack(model), start=latent(mask)), by_node(model, start=latent(mask)))


def inside_noise_levels_that_packs_have_no_class_for_count_too() -> None:
    from nodes.diffusion.sampling.prediction import distilled

    plain = loaded().MODEL.sampling
    for levels in (distilled(plain), replace(plain, prediction="lcm"), replace(plain, prediction="x0")):
        model = replace(loaded().MODEL, sampling=levels)
        for sampler in ("euler", "lcm"):
            assert torch.equal(by_pack(to_pack(model), sampler=sampler), by_node(model, sampler=sampler))
        shown = to_pack(model).get_model_object("model_sampling")
        assert shown.percent_to_sigma(0.5) == pytest.approx(levels.level_at(0.5))


def inside_networks_are_told_the_same_of_the_scene_by_packs() -> None:
    from nodes.diffusion.values import Told

    def scenes(sample: Any, start: Latent) -> list[Any]:
        seen: list[Any] = []

        def tell(condition: Any, scene: Any) -> Told:
            seen.append(scene)
            return Told()

        sample(replace(loaded().MODEL, tell=tell), start)
        return seen[:2]

    mask = torch.zeros(1, 8, 8)
    mask[:, 2:] = 1
    for start in (latent(), latent(mask)):
        ours = scenes(lambda model, start: by_node(model, start=start), start)
        theirs = scenes(lambda model, start: by_pack(to_pack(model), start=start), start)
        for one, other in zip(ours, theirs, strict=True):
            assert torch.equal(one.latent, other.latent)
            assert one.negative == other.negative
            assert (one.mask is None) == (other.mask is None) == (start.noise_mask is None)
            assert one.mask is None or torch.equal(one.mask, other.mask)


def inside_packs_see_which_family_a_model_is_of() -> None:
    import comfy.latent_formats
    import comfy.model_base

    plain, large = to_pack(loaded().MODEL).model, to_pack(replace(loaded().MODEL, family="sdxl")).model
    assert isinstance(large, comfy.model_base.SDXL)
    assert isinstance(large.latent_format, comfy.latent_formats.SDXL)
    assert not isinstance(plain, comfy.model_base.SDXL)
    assert plain.latent_format.scale_factor == loaded().MODEL.latent_scale


def inside_a_changed_guider_is_no_longer_ours() -> None:
    model, words = loaded().MODEL, text("day")
    ours = custom_sampling.cfg_guider(model=model, positive=words, negative=words, cfg=4.0)
    theirs = to_pack(ours)
    theirs.set_cfg(2.0)
    assert from_pack(theirs, "GUIDER") is not ours


def inside_a_sampler_function_of_a_pack_works_in_our_node() -> None:
    from comfy.k_diffusion.sampling import to_d

    seen: list[int] = []

    def halving(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None,
        scale: float = 1.0,
    ) -> Tensor:  # fmt: skip
        ones = x.new_ones([x.shape[0]])
        for i in range(len(sigmas) - 1):
            denoised = model(x, sigmas[i] * ones, **extra_args)
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
            seen.append(i)
            x = x + to_d(x, sigmas[i], denoised) * (sigmas[i + 1] - sigmas[i]) * scale
        return x

    guider = custom_sampling.cfg_guider(
        model=loaded().MODEL, positive=text("a small red cube at night"), negative=text("day"), cfg=5.0
    )
    theirs = from_pack(comfy.samplers.KSAMPLER(halving, {"scale": 1.0}), "SAMPLER")
    assert torch.allclose(
        by_custom_node(guider, theirs).output.samples, by_custom_node(guider).output.samples, atol=1e-5
    )
    assert seen == list(range(STEPS))
    assert from_pack(to_pack(theirs), "SAMPLER").function.source is theirs.function.source


def inside_samplers_and_schedules_that_a_pack_adds_are_found_by_name() -> None:
    from comfy.k_diffusion import sampling as functions

    def sample_mine(model: Any, x: Tensor, sigmas: Tensor, **told: Any) -> Tensor:
        return functions.sample_euler(model, x, sigmas, **told) * 2

    def schedule(n: int, sigma_min: float, sigma_max: float) -> Tensor:
        return functions.get_sigmas_karras(n, sigma_min, sigma_max)

    functions.sample_mine = sample_mine
    comfy.samplers.KSampler.SAMPLERS.append("mine")
    comfy.samplers.SCHEDULER_HANDLERS["ours"] = comfy.samplers.SchedulerHandler(schedule, use_ms=False)
    model = to_pack(loaded().MODEL)
    try:
        assert torch.equal(by_pack(model, sampler="mine"), by_pack(model) * 2)
    finally:
        comfy.samplers.KSampler.SAMPLERS.remove("mine")
    sampling_of_it = model.get_model_object("model_sampling")
    made = [comfy.samplers.calculate_sigmas(sampling_of_it, name, 4) for name in ("ours", "karras")]
    assert torch.equal(*made)
    with pytest.raises(ValueError, match="no scheduler called 'none'"):
        comfy.samplers.calculate_sigmas(sampling_of_it, "none", 4)


def inside_a_sampler_takes_its_noise_from_a_function_of_a_pack() -> None:
    levels: list[tuple[float, float]] = []

    def nothing(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        levels.append((float(sigma), float(sigma_next)))
        return torch.zeros(())

    guider = custom_sampling.cfg_guider(
        model=loaded().MODEL, positive=text("a small red cube at night"), negative=text("day"), cfg=5.0
    )
    for name in ("euler_ancestral", "dpmpp_2m_sde"):
        made = [
            by_custom_node(guider, from_pack(comfy.samplers.ksampler(name, options), "SAMPLER")).output.samples
            for options in ({"noise_sampler": nothing}, {"s_noise": 0.0}, {"eta": 1.0})
        ]
        assert torch.equal(made[0], made[1]), "no noise is no noise"
        assert not torch.allclose(made[1], made[2], atol=1e-3)
        ours = custom_sampling.k_sampler_select(sampler_name=name)
        assert torch.equal(made[2], by_custom_node(guider, ours).output.samples)
    assert all(sigma > sigma_next > 0 for sigma, sigma_next in levels)
    assert len(levels) == 2 * (STEPS - 1)
    with pytest.raises(Unsupported, match="'order' of the sampler 'euler_ancestral'"):
        by_custom_node(guider, from_pack(comfy.samplers.ksampler("euler_ancestral", {"order": 2}), "SAMPLER"))


def inside_a_samplers_options_are_those_of_our_nodes() -> None:
    from nodes import sampler_choices

    guider = custom_sampling.cfg_guider(model=loaded().MODEL, positive=text("night"), negative=text("day"), cfg=4.0)
    for ours, name, options in (
        (
            sampler_choices.sampler_euler_ancestral(eta=0.5, s_noise=0.9),
            "euler_ancestral",
            {"eta": 0.5, "s_noise": 0.9},
        ),
        (sampler_choices.sampler_lms(order=2), "lms", {"order": 2}),
        (
            sampler_choices.sampler_dpmpp_2m_sde(solver_type="heun", eta=0.7, s_noise=1.0, noise_device="cpu"),
            "dpmpp_2m_sde",
            {"solver_type": "heun", "eta": 0.7},
        ),
    ):
        theirs = from_pack(comfy.samplers.ksampler(name, options), "SAMPLER")
        assert torch.equal(by_custom_node(guider, theirs).output.samples, by_custom_node(guider, ours).output.samples)
        assert from_pack(to_pack(ours), "SAMPLER") is ours


def inside_our_sampler_comes_back_as_itself() -> None:
    ours = custom_sampling.k_sampler_select(sampler_name="ddim")
    assert from_pack(to_pack(ours), "SAMPLER") is ours
    changed = to_pack(ours)
    changed.inpaint_options = {}
    assert from_pack(changed, "SAMPLER") is not ours


def inside_noise_of_a_pack_is_what_our_node_adds() -> None:
    class Twice:
        seed = SEED

        def generate_noise(self, given: Any) -> Tensor:
            return Noise_RandomNoise(SEED).generate_noise(given) * 2

    guider = custom_sampling.basic_guider(model=loaded().MODEL, conditioning=text("day"))
    plain = by_custom_node(guider).output.samples
    assert torch.equal(
        plain, by_custom_node(guider, noise=custom_sampling.random_noise(noise_seed=SEED)).output.samples
    )
    assert not torch.equal(plain, by_custom_node(guider, noise=from_pack(Twice(), "NOISE")).output.samples)


def inside_an_object_patch_of_the_noise_levels_counts() -> None:
    import comfy.model_sampling

    patcher = to_pack(loaded().MODEL).clone()
    kind = type("VModel", (comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION), {})
    patcher.add_object_patch("model_sampling", kind(patcher.model.model_config))
    changed = from_pack(patcher, "MODEL")
    assert isinstance(changed.sampling, DiscreteSampling)
    assert changed.sampling.prediction == "v"
    assert torch.equal(by_pack(patcher), by_node(changed))
    assert not torch.allclose(by_node(changed), by_node(loaded().MODEL), atol=1e-2)
    assert to_pack(changed).get_model_object("model_sampling") is patcher.object_patches["model_sampling"]


def inside_noise_levels_that_a_pack_computes_itself_count_too() -> None:
    import comfy.model_sampling

    class Mine(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
        def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
            return super().calculate_denoised(sigma, model_output, model_input) * 0.5

    patcher = to_pack(loaded().MODEL).clone()
    patcher.add_object_patch("model_sampling", Mine(patcher.model.model_config))
    halved = to_pack(loaded().MODEL).clone()
    halved.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.5)
    assert torch.allclose(by_pack(patcher), by_pack(halved), atol=1e-4)


def inside_a_denoise_mask_function_chooses_the_mask() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_denoise_mask_function(lambda sigma, mask, extra_options: torch.ones_like(mask))
    held = latent(torch.zeros(1, 8, 8))
    assert torch.allclose(by_pack(patcher, start=held), by_node(loaded().MODEL), atol=1e-6)
    assert torch.allclose(by_pack(to_pack(loaded().MODEL), start=held), latent().samples, atol=1e-5)


def inside_patches_that_sampling_would_ignore_are_refused() -> None:
    double, layers = (to_pack(loaded().MODEL).clone() for _ in range(2))
    double.set_model_double_block_patch(lambda q, k, v, extra_options: (q, k, v))
    layers.set_model_patch_replace(lambda args, extra: args, "dit", "double_block", 0)
    for patcher, what in ((double, "double_block"), (layers, "dit")):
        for sample in (by_pack, lambda one: by_node(from_pack(one, "MODEL"))):
            with pytest.raises(Unsupported, match=what):
                sample(patcher)


def inside_patches_of_attention_take_part_in_our_node_too() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_attn1_replace(lambda q, k, v, options: v, "middle", 0)
    made = by_pack(patcher)
    assert torch.equal(made, by_node(from_pack(patcher, "MODEL")))
    assert not torch.allclose(made, by_node(loaded().MODEL), atol=1e-3)


def inside_a_patch_for_one_prediction_only_changes_that_one() -> None:
    from comfy.model_patcher import create_model_options_clone, set_model_options_patch_replace

    apart: list[float] = []

    def compare(args: dict[str, Any]) -> Tensor:
        options = create_model_options_clone(args["model_options"])
        options = set_model_options_patch_replace(options, lambda q, k, v, _: v, "attn1", "middle", 0)
        given = (args["model"], [args["cond"]], args["input"], args["sigma"])
        (other,) = comfy.samplers.calc_cond_batch(*given, options)
        (same,) = comfy.samplers.calc_cond_batch(*given, args["model_options"])
        apart.append(float((other - args["cond_denoised"]).abs().max()))
        assert torch.allclose(same, args["cond_denoised"], atol=1e-4)
        return args["denoised"]

    patcher = to_pack(loaded().MODEL).clone()
    patcher.set_model_sampler_post_cfg_function(compare)
    assert torch.equal(by_pack(patcher), by_node(loaded().MODEL))
    assert len(apart) == STEPS
    assert max(apart) > 1e-3


def inside_parts_of_the_schedule_are_those_of_the_advanced_node() -> None:
    given = latent()
    noise = comfy.sample.prepare_noise(given.samples, SEED)
    words = text("a small red cube at night"), text("day")
    ours = sampling.k_sampler_advanced(
        model=loaded().MODEL, add_noise="enable", noise_seed=SEED, steps=6, cfg=5.0, sampler_name="euler",
        scheduler="karras", positive=words[0], negative=words[1], latent_image=given, start_at_step=2, end_at_step=4,
        return_with_leftover_noise="enable", memory=here().resources["DeviceMemory"], progress=Silent(),
    ).samples  # fmt: skip
    theirs = comfy.sample.sample(
        to_pack(loaded().MODEL), noise, 6, 5.0, "euler", "karras", to_pack(words[0]), to_pack(words[1]), given.samples,
        start_step=2, last_step=4, force_full_denoise=False, seed=SEED,
    )  # fmt: skip
    assert torch.equal(ours, theirs)


def a_control_net() -> ControlNet:
    """A network for the embedded model, of random weights."""
    module = loaded().MODEL.network.module
    torch.manual_seed(2)
    made = randomised(
        ControlNetModel.from_unet(
            module, conditioning_embedding_out_channels=(8, 8, 8, 8), load_weights_from_unet=False
        )
    )
    names = {key: value.contiguous() for key, value in made.state_dict().items()}
    return comfy.controlnet.load_controlnet_state_dict(names).to_value()


def inside_a_controlnet_steers_for_packs_as_for_the_node() -> None:
    net, memory, start = a_control_net(), here().resources["DeviceMemory"], latent()
    picture = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(4))
    words = text("a small red cube at night"), text("day")
    apply = controlnet.control_net_apply_advanced
    steered = apply(positive=words[0], negative=words[1], control_net=net, image=picture, end_percent=0.7)
    entries = to_pack(words[0])
    object_of_packs = to_pack(net).copy().set_cond_hint(picture.movedim(-1, 1), 1.0, (0.0, 0.7))
    by_hand = from_pack([[entries[0][0], {**entries[0][1], "control": object_of_packs}]], "CONDITIONING")
    assert from_pack(to_pack(steered.positive), "CONDITIONING") is steered.positive
    made = []
    for positive, model in (
        (steered.positive, loaded().MODEL),
        (by_hand, loaded().MODEL),
        (steered.positive, from_pack(counted(to_pack(loaded().MODEL)), "MODEL")),
        (words[0], loaded().MODEL),
    ):
        made.append(
            sampling.k_sampler(
                model=model, seed=SEED, steps=STEPS, cfg=4.0, sampler_name="euler", scheduler="normal",
                positive=positive, negative=words[1], latent_image=start, memory=memory, progress=Silent(),
            ).samples
        )  # fmt: skip
    assert torch.equal(made[0], made[1])
    assert torch.allclose(made[0], made[2], atol=1e-5)
    assert not torch.allclose(made[0], made[3], atol=1e-3)


def counted(patcher: Any) -> Any:
    """The model in a wrapper of a pack, which changes nothing."""
    made = patcher.clone()
    made.set_model_unet_function_wrapper(lambda apply, args: apply(args["input"], args["timestep"], **args["c"]))
    return made
