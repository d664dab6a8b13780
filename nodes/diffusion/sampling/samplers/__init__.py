"""All samplers by name, one function each.

Invariant: a sampler's only effects are calls of its denoiser, its noise source and its report.
"""

from collections.abc import Mapping

from nodes.diffusion.sampling.samplers import dpm_solver, euler, exponential, higher_order, predictor_corrector
from nodes.diffusion.sampling.samplers.contract import Sampler, SamplerChoice

SAMPLERS: Mapping[str, Sampler] = {
    "euler": euler.euler,
    "euler_cfg_pp": euler.euler_cfg_pp,
    "euler_ancestral": euler.euler_ancestral,
    "euler_ancestral_cfg_pp": euler.euler_ancestral_cfg_pp,
    "heun": higher_order.heun,
    "heunpp2": higher_order.heunpp2,
    "exp_heun_2_x0": exponential.exp_heun_2_x0,
    "exp_heun_2_x0_sde": exponential.exp_heun_2_x0_sde,
    "dpm_2": higher_order.dpm_2,
    "dpm_2_ancestral": higher_order.dpm_2_ancestral,
    "lms": higher_order.lms,
    "dpm_fast": dpm_solver.dpm_fast,
    "dpm_adaptive": dpm_solver.dpm_adaptive,
    "dpmpp_2s_ancestral": dpm_solver.dpmpp_2s_ancestral,
    "dpmpp_2s_ancestral_cfg_pp": dpm_solver.dpmpp_2s_ancestral_cfg_pp,
    "dpmpp_sde": dpm_solver.dpmpp_sde,
    "dpmpp_sde_gpu": dpm_solver.dpmpp_sde,
    "dpmpp_2m": dpm_solver.dpmpp_2m,
    "dpmpp_2m_cfg_pp": dpm_solver.dpmpp_2m_cfg_pp,
    "dpmpp_2m_sde": dpm_solver.dpmpp_2m_sde,
    "dpmpp_2m_sde_gpu": dpm_solver.dpmpp_2m_sde,
    "dpmpp_2m_sde_heun": dpm_solver.dpmpp_2m_sde_heun,
    "dpmpp_2m_sde_heun_gpu": dpm_solver.dpmpp_2m_sde_heun,
    "dpmpp_3m_sde": dpm_solver.dpmpp_3m_sde,
    "dpmpp_3m_sde_gpu": dpm_solver.dpmpp_3m_sde,
    "ddpm": euler.ddpm,
    "lcm": euler.lcm,
    "ipndm": higher_order.ipndm,
    "ipndm_v": higher_order.ipndm_v,
    "deis": higher_order.deis,
    "res_multistep": exponential.res_multistep,
    "res_multistep_cfg_pp": exponential.res_multistep_cfg_pp,
    "res_multistep_ancestral": exponential.res_multistep_ancestral,
    "res_multistep_ancestral_cfg_pp": exponential.res_multistep_ancestral_cfg_pp,
    "gradient_estimation": exponential.gradient_estimation,
    "gradient_estimation_cfg_pp": exponential.gradient_estimation_cfg_pp,
    "er_sde": exponential.er_sde,
    "seeds_2": exponential.seeds_2,
    "seeds_3": exponential.seeds_3,
    "sa_solver": predictor_corrector.sa_solver,
    "sa_solver_pece": predictor_corrector.sa_solver_pece,
    "ddim": euler.euler,
    "uni_pc": predictor_corrector.uni_pc,
    "uni_pc_bh2": predictor_corrector.uni_pc_bh2,
}
"""In the order of the combo. In sigma some published samplers are others of this list: DDIM (Song et al. 2020) is
Euler's method, with its eta the ancestral one; PLMS (Liu et al. 2022) is Adams-Bashforth for even steps, `ipndm`."""

ON_DEVICE = frozenset({"dpmpp_sde_gpu", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun_gpu", "dpmpp_3m_sde_gpu"})
"""Samplers that draw their Brownian path on the device that computes: quicker, and another picture on every device."""

DROPS_NEXT_TO_LAST = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers whose schedules are made one step longer, and lose the last level above 0."""


def choose_sampler(name: str) -> SamplerChoice:
    """The sampler of a name in the combo. DDIM is Euler's method, but for what a mask protects."""
    return SamplerChoice(SAMPLERS[name], noise_on_device=name in ON_DEVICE, renoises_masked=name == "ddim")
