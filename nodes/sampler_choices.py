"""Nodes that choose a sampler with options of its own. What each option means stands with the sampler."""

from functools import partial
from typing import Annotated, Literal

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion.sampling.samplers import dpm_solver, euler, exponential, higher_order, predictor_corrector
from nodes.diffusion.sampling.samplers.contract import SamplerChoice
from nodes.types import Model, Sampler

CATEGORY = "sampling/custom_sampling/samplers"

Amount = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)]
"""From 0 to 100; most options of most samplers."""
Share = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Moment = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]
NoiseDevice = Literal["gpu", "cpu"]
UpscaleMethod = Literal["bislerp", "nearest-exact", "bilinear", "area", "bicubic"]


@node("SamplerEulerAncestral", category=CATEGORY)
def sampler_euler_ancestral(*, eta: Amount = 1.0, s_noise: Amount = 1.0) -> Sampler:
    """Euler's method with fresh noise after every step; this is DDIM with its eta."""
    return SamplerChoice(partial(euler.euler_ancestral, eta=eta, s_noise=s_noise))


@node("SamplerEulerAncestralCFGPP", category=CATEGORY, display_name="SamplerEulerAncestralCFG++")
def sampler_euler_ancestral_cfg_pp(
    *, eta: Share = 1.0, s_noise: Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)] = 1.0
) -> Sampler:
    """Euler's method guided by CFG++, with fresh noise after every step."""
    return SamplerChoice(partial(euler.euler_ancestral_cfg_pp, eta=eta, s_noise=s_noise))


@node("SamplerEulerCFGpp", category="_for_testing", display_name="SamplerEulerCFG++", experimental=True)
def sampler_euler_cfg_pp(*, version: Literal["regular", "alternative"]) -> Sampler:
    """Euler's method guided by CFG++."""
    if version == "alternative":
        raise InputError(
            "version", "The alternative form of Euler CFG++ is published nowhere, so it is not here. Choose regular."
        )
    return SamplerChoice(euler.euler_cfg_pp)


@node("SamplerLMS", category=CATEGORY)
def sampler_lms(*, order: Annotated[int, Widget("number", min=1, max=100)] = 4) -> Sampler:
    """The linear multistep method, which looks back at as many steps as its order says."""
    return SamplerChoice(partial(higher_order.lms, order=order))


@node("SamplerDPMPP_2M_SDE", category=CATEGORY)
def sampler_dpmpp_2m_sde(
    *,
    solver_type: Literal["midpoint", "heun"],
    eta: Amount = 1.0,
    s_noise: Amount = 1.0,
    noise_device: NoiseDevice,
) -> Sampler:
    """DPM-Solver++ of second order with the last step's help, for the SDE."""
    solver = dpm_solver.dpmpp_2m_sde_heun if solver_type == "heun" else dpm_solver.dpmpp_2m_sde
    return SamplerChoice(partial(solver, eta=eta, s_noise=s_noise), noise_on_device=noise_device == "gpu")


@node("SamplerDPMPP_3M_SDE", category=CATEGORY)
def sampler_dpmpp_3m_sde(*, eta: Amount = 1.0, s_noise: Amount = 1.0, noise_device: NoiseDevice) -> Sampler:
    """DPM-Solver++ of third order with the last two steps' help, for the SDE."""
    solver = partial(dpm_solver.dpmpp_3m_sde, eta=eta, s_noise=s_noise)
    return SamplerChoice(solver, noise_on_device=noise_device == "gpu")


@node("SamplerDPMPP_SDE", category=CATEGORY)
def sampler_dpmpp_sde(
    *, eta: Amount = 1.0, s_noise: Amount = 1.0, r: Amount = 0.5, noise_device: NoiseDevice
) -> Sampler:
    """DPM-Solver++ of second order within each step, for the SDE; `r` places its second evaluation."""
    if r == 0:
        raise InputError("r", "r is 0, which leaves no second evaluation. Choose a larger one; 0.5 is usual.")
    solver = partial(dpm_solver.dpmpp_sde, eta=eta, s_noise=s_noise, r=r)
    return SamplerChoice(solver, noise_on_device=noise_device == "gpu")


@node("SamplerDPMPP_2S_Ancestral", category=CATEGORY)
def sampler_dpmpp_2s_ancestral(*, eta: Amount = 1.0, s_noise: Amount = 1.0) -> Sampler:
    """DPM-Solver++ of second order within each step, with fresh noise after it."""
    return SamplerChoice(partial(dpm_solver.dpmpp_2s_ancestral, eta=eta, s_noise=s_noise))


@node("SamplerDPMAdaptative", category=CATEGORY)
def sampler_dpm_adaptative(
    *,
    order: Annotated[int, Widget("number", min=2, max=3)] = 3,
    rtol: Amount = 0.05,
    atol: Amount = 0.0078,
    h_init: Amount = 0.05,
    pcoeff: Amount = 0.0,
    icoeff: Amount = 1.0,
    dcoeff: Amount = 0.0,
    accept_safety: Amount = 0.81,
    eta: Amount = 0.0,
    s_noise: Amount = 1.0,
) -> Sampler:
    """DPM-Solver with steps as long as the error allows; a schedule's first and last level alone count."""
    if h_init == 0:
        raise InputError("h_init", "h_init is 0, so no step would ever be taken. Choose a larger one; 0.05 is usual.")
    if rtol == 0 and atol == 0:
        raise InputError("rtol", "rtol and atol are both 0, which no step can satisfy. Raise one; 0.05 is usual.")
    control = dpm_solver.StepControl(order, rtol, atol, h_init, pcoeff, icoeff, dcoeff, accept_safety)
    return SamplerChoice(partial(dpm_solver.dpm_adaptive, control=control, eta=eta, s_noise=s_noise))


@node("SamplerER_SDE", category=CATEGORY)
def sampler_er_sde(
    *,
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"],
    max_stage: Annotated[int, Widget("number", min=1, max=3)] = 3,
    eta: Amount = 1.0,
    s_noise: Amount = 1.0,
) -> Sampler:
    """The extended reverse-time SDE, or the plain one with `eta`, or the ODE without noise."""
    if solver_type == "ER-SDE":
        solver = exponential.ExtendedReverse(exponential.er_sde_5().noise_scale, max_stage, s_noise)
    else:
        eta = 0.0 if solver_type == "ODE" else eta
        scale = exponential.reverse_time(eta).noise_scale
        solver = exponential.ExtendedReverse(scale, max_stage, s_noise if eta > 0 else 0.0)
    return SamplerChoice(partial(exponential.er_sde, solver=solver))


@node("SamplerSEEDS2", category=CATEGORY)
def sampler_seeds_2(
    *,
    solver_type: Literal["phi_1", "phi_2"],
    eta: Amount = 1.0,
    s_noise: Amount = 1.0,
    r: Annotated[float, Widget("number", min=0.01, max=1.0, step=0.01)] = 0.5,
) -> Sampler:
    """SEEDS with two stages; `r` places the second one. With r 1 and phi_2 it is the exponential Heun method."""
    stages = exponential.Stages(r, eta, s_noise, simple=solver_type == "phi_1")
    return SamplerChoice(partial(exponential.seeds_2, stages=stages))


@node("SamplerSASolver", category=CATEGORY)
def sampler_sa_solver(
    *,
    model: Model,
    eta: Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)] = 1.0,
    sde_start_percent: Moment = 0.2,
    sde_end_percent: Moment = 0.8,
    s_noise: Amount = 1.0,
    predictor_order: Annotated[int, Widget("number", min=1, max=6)] = 3,
    corrector_order: Annotated[int, Widget("number", min=0, max=6)] = 4,
    use_pece: bool,
    simple_order_2: bool,
) -> Sampler:
    """The stochastic Adams solver; it draws noise only between two moments of the sampling."""
    level = model.sampling.level_at
    adams = predictor_corrector.Adams(
        predictor_order,
        corrector_order,
        evaluate_again=use_pece,
        eta=eta,
        interval=(level(sde_start_percent), level(sde_end_percent)),
        s_noise=s_noise,
        simple_order_2=simple_order_2,
    )
    return SamplerChoice(partial(predictor_corrector.sa_solver, adams=adams))


@node("SamplerLCMUpscale", category=CATEGORY)
def sampler_lcm_upscale(
    *,
    scale_ratio: Annotated[float, Widget("number", min=0.1, max=20.0, step=0.01)] = 1.0,
    scale_steps: Annotated[int, Widget("number", min=-1, max=1000, step=1)] = -1,
    upscale_method: UpscaleMethod,
) -> Sampler:
    """LCM on a latent that grows from step to step; -1 steps let it grow until the last one but one."""
    growth = euler.Growth(scale_ratio, scale_steps, upscale_method)
    return SamplerChoice(partial(euler.lcm_growing, growth=growth))
