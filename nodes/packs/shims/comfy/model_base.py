"""A denoising network as packs hold it: `apply_model`, `model_sampling`, `diffusion_model`, `latent_format`.

It computes through our library, and holds no weights of its own.
"""

from dataclasses import replace
from enum import Enum
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

import comfy.latent_formats
import comfy.patcher_extension as extension
import comfy.utils
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from nodes.diffusion.patches.contract import Alteration, Call
from nodes.diffusion.sampling.guidance import call_of
from nodes.diffusion.values import Model, Told
from nodes.packs.bridge import levels
from nodes.packs.bridge.missing import refuse


class ModelType(Enum):
    """What a network predicts."""

    EPS = 1
    V_PREDICTION = 2
    V_PREDICTION_EDM = 3
    STABLE_CASCADE = 4
    EDM = 5
    FLOW = 6
    V_PREDICTION_CONTINUOUS = 7
    FLUX = 8
    IMG_TO_IMG = 9
    FLOW_COSMOS = 10


class BaseModel(torch.nn.Module):
    """A network with its noise levels. Made by `of`, never from a configuration."""

    model_sampling: Any
    latent_format: Any
    diffusion_model: Any

    def __init__(self, value: Model) -> None:
        super().__init__()
        if not isinstance(value, Model):
            raise refuse("Models that node packs put together themselves are")
        self.value = value
        self.diffusion_model = UNetModel.of(value.network.module)
        self.model_sampling = levels.of_library(value.sampling)
        xl = value.family.startswith("sdxl")
        self.latent_format = comfy.latent_formats.SDXL() if xl else comfy.latent_formats.SD15()
        self.latent_format.scale_factor = value.latent_scale
        self.latent_format.latent_channels = 4 if value.vae is None else value.vae.channels
        self.model_type = self._type()
        self.adm_channels = 0
        self.inpaint_model = False
        self.concat_keys: tuple[str, ...] = ()
        self.memory_usage_factor = 1.0
        self.current_patcher: Any = None
        self.steered: dict[str, Any] = {}
        """What our own steering keeps from step to step; emptied when a run begins."""
        self.start: Tensor | None = None
        """The latents that the run in progress began with, scaled for the network."""
        self.mask: Tensor | None = None
        """(N, 1, h, w): where that run may change them."""
        self.manual_cast_dtype: torch.dtype | None = None
        self.model_config = SimpleNamespace(
            unet_config=dict(value.network.module.config),
            latent_format=self.latent_format,
            sampling_settings={},
            manual_cast_dtype=None,
            unet_extra_config={},
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are; meta while they are not resident."""
        return self.value.network.device

    def sampled_value(self) -> Model:
        """Our model with the noise levels of `model_sampling`, which a pack may have replaced."""
        return replace(self.value, sampling=levels.as_library(self.model_sampling), mask=self.mask)

    def apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """The clean latents that the network sees in (B, channels, h, w) `x` at noise levels (B,) `t`."""
        options = {} if transformer_options is None else transformer_options
        wrappers = extension.get_all_wrappers(extension.WrappersMP.APPLY_MODEL, options)
        executor = extension.WrapperExecutor.new_class_executor(self._apply_model, self, wrappers)
        return executor.execute(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def get_dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.value.network.dtype

    def process_latent_in(self, latent: Tensor) -> Tensor:
        """As the network sees it."""
        return self.latent_format.process_in(latent)

    def process_latent_out(self, latent: Tensor) -> Tensor:
        """As the autoencoder sees it."""
        return self.latent_format.process_out(latent)

    def is_adm(self) -> bool:
        """Whether the network is told more than the text."""
        return self.adm_channels > 0

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        """What else the network is told: nothing."""
        return None

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        """What the network is told, wrapped for batching."""
        import comfy.conds

        tokens = kwargs.get("cross_attn")
        return {} if tokens is None else {"c_crossattn": comfy.conds.CONDCrossAttn(tokens)}

    def memory_required(self, input_shape: Any, **_: Any) -> float:
        """A guess at the bytes that one pass needs."""
        return float(torch.Size(input_shape).numel()) * self.get_dtype().itemsize * 2048

    def patched(self, objects: dict[str, Any]) -> "BaseModel":
        """This model with some of its attributes replaced, parts of its network included; this one stays as it is."""
        if not objects:
            return self
        made = type(self)(self.value)
        made.current_patcher = self.current_patcher
        for name, value in objects.items():
            comfy.utils.set_attr(made, name, value)
            if name.startswith("diffusion_model."):
                made.diffusion_model.changed = True
        return made

    def _apply_model(
        self, x: Tensor, t: Tensor, c_concat: Tensor | None, c_crossattn: Any, control: Any, options: Any, **kwargs: Any
    ) -> Tensor:
        if control is not None:
            raise refuse("ControlNets are")
        network, schedule = self.value.network, self.sampled_value().sampling
        wrappers = extension.get_all_wrappers(extension.WrappersMP.DIFFUSION_MODEL, options)
        executor = extension.WrapperExecutor.new_class_executor(self._forward, self.diffusion_model, wrappers)
        prediction = executor.execute(
            schedule.network_input(x, t).to(network.dtype),
            schedule.timestep(t),
            context=c_crossattn.to(network.device, network.dtype),
            control=None,
            transformer_options=options,
            told=Told(
                kwargs.pop("told_vectors", {}),
                c_concat,
                kwargs.pop("told_controls", ()),
                kwargs.pop("told_grounds", ()),
            ),
            call=self._call(x, t, options, kwargs.pop("alterations", self.value.alterations)),
            **kwargs,
        )
        return schedule.denoised(prediction.to(x.dtype), x, t)

    def _call(self, x: Tensor, t: Tensor, options: dict[str, Any], alterations: tuple[Alteration, ...]) -> Call | None:
        """What our own alterations are told of a batch; None if there are none."""
        if not alterations:
            return None
        groups = tuple(options.get("cond_or_uncond") or (0,))
        return call_of(self.sampled_value(), alterations, x, float(t.reshape(-1)[0]), groups, self.steered)

    def _forward(self, x: Tensor, timesteps: Tensor, context: Tensor, **told: Any) -> Tensor:
        answer: Tensor = self.diffusion_model(x, timesteps, context=context, **told)
        return answer

    def _type(self) -> ModelType:
        prediction = getattr(self.value.sampling, "prediction", None)
        return {"eps": ModelType.EPS, "v": ModelType.V_PREDICTION}.get(str(prediction), ModelType.FLOW)


def base_of(value: Model) -> BaseModel:
    """The network of a model, without what is attached to it."""
    kinds = {"sdxl": SDXL, "sdxl_refiner": SDXLRefiner}
    return kinds.get(value.family, BaseModel)(replace(value, run=None, attached={}))


class SDXL(BaseModel):
    """Stable Diffusion XL."""


class SDXLRefiner(BaseModel):
    """The refiner of Stable Diffusion XL."""


class SD15_instructpix2pix(BaseModel):
    """InstructPix2Pix on Stable Diffusion 1.5; no model that we load yet is one."""


class SDXL_instructpix2pix(BaseModel):
    """InstructPix2Pix on Stable Diffusion XL; no model that we load yet is one."""


class SD21UNCLIP(BaseModel):
    """Stable Diffusion 2.1 unCLIP; no model that we load yet is one."""


class SVD_img2vid(BaseModel):
    """Stable Video Diffusion; no model that we load yet is one."""


class SD3(BaseModel):
    """Stable Diffusion 3; no model that we load yet is one."""


class Flux(BaseModel):
    """Flux; no model that we load yet is one."""


class StableCascade_C(BaseModel):
    """Stage C of Stable Cascade; no model that we load yet is one."""


class StableCascade_B(BaseModel):
    """Stage B of Stable Cascade; no model that we load yet is one."""
