"""The socket vocabulary: what a node's parameters and results may be. Names only; the values are defined below."""

from typing import Annotated, Any, Literal

from torch import Tensor

from executor.schema import Widget
from nodes.diffusion import values
from nodes.diffusion.sampling import guidance, noise
from nodes.diffusion.sampling.samplers.contract import SamplerChoice
from nodes.marks import Socket

AnyValue = Annotated[Any, Socket("*")]
"""What any output gives; a literal of any kind too."""
Model = Annotated[values.Model, Socket("MODEL")]
Clip = Annotated[values.TextEncoder, Socket("CLIP")]
Vae = Annotated[values.VAE, Socket("VAE")]
Conditioning = Annotated[values.Conditioning, Socket("CONDITIONING")]
Latent = Annotated[values.Latent, Socket("LATENT")]
ControlNet = Annotated[values.ControlNet, Socket("CONTROL_NET")]
ClipVision = Annotated[values.ClipVision, Socket("CLIP_VISION")]
VisionOutput = Annotated[values.VisionOutput, Socket("CLIP_VISION_OUTPUT")]
Gligen = Annotated[values.Gligen, Socket("GLIGEN")]
StyleModel = Annotated[values.StyleModel, Socket("STYLE_MODEL")]
PhotoMaker = Annotated[values.PhotoMaker, Socket("PHOTOMAKER")]
Guider = Annotated[guidance.Guider, Socket("GUIDER")]
Noise = Annotated[noise.Noise, Socket("NOISE")]
Sampler = Annotated[SamplerChoice, Socket("SAMPLER")]
Sigmas = Annotated[Tensor, Socket("SIGMAS")]
"""(steps + 1,) float32 noise levels."""
Image = Annotated[Tensor, Socket("IMAGE")]
"""(N, H, W, 3) float32 in 0 to 1."""
Mask = Annotated[Tensor, Socket("MASK")]
"""(N, H, W) float32 in 0 to 1."""

Text = Annotated[str, Widget("text", multiline=True, dynamic_prompts=True)]
Seed = Annotated[int, Widget("seed", min=0, max=2**64 - 1, control_after_generate=True)]
Steps = Annotated[int, Widget("number", min=1, max=10_000)]
Cfg = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.1, round=0.01)]

SamplerName = Literal[
    "euler",
    "euler_cfg_pp",
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "heun",
    "heunpp2",
    "exp_heun_2_x0",
    "exp_heun_2_x0_sde",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpm_fast",
    "dpm_adaptive",
    "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde",
    "dpmpp_sde_gpu",
    "dpmpp_2m",
    "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu",
    "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu",
    "ddpm",
    "lcm",
    "ipndm",
    "ipndm_v",
    "deis",
    "res_multistep",
    "res_multistep_cfg_pp",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
    "gradient_estimation",
    "gradient_estimation_cfg_pp",
    "er_sde",
    "seeds_2",
    "seeds_3",
    "sa_solver",
    "sa_solver_pece",
    "ddim",
    "uni_pc",
    "uni_pc_bh2",
]
SchedulerName = Literal[
    "simple",
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
]
