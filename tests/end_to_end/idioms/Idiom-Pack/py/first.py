# ruff: noqa
"""Classes that subclass and call built-in nodes, expand into others, and take inputs under any name."""

import comfy.model_management
import comfy.samplers
import comfy.utils
from comfy_execution.graph_utils import GraphBuilder
from nodes import KSampler, SaveImage, common_ksampler


class AnyType(str):
    def __ne__(self, other):
        return False


any_type = AnyType("*")


class FlexibleInputs(dict):
    def __init__(self, kind, data):
        super().__init__(data)
        self.kind = kind

    def __getitem__(self, key):
        return super().__getitem__(key) if key in self.keys() else (self.kind,)

    def __contains__(self, key):
        return True


class Stack:
    RETURN_TYPES = ("MODEL", "CLIP", "STRING")
    RETURN_NAMES = ("MODEL", "CLIP", "entries")
    FUNCTION = "load"
    CATEGORY = "idiom"

    @classmethod
    def INPUT_TYPES(cls):
        known = {"model": ("MODEL",), "clip": ("CLIP",)}
        return {"required": {}, "optional": FlexibleInputs(any_type, known), "hidden": {}}

    def load(self, model=None, clip=None, **kwargs):
        print("loading a stack")
        return (model, clip, ", ".join(f"{name}={value}" for name, value in sorted(kwargs.items())))


class Sampler(KSampler):
    CATEGORY = "idiom"
    FUNCTION = "go"
    RETURN_TYPES = ("LATENT", comfy.samplers.KSampler.SAMPLERS, "STRING")

    @classmethod
    def INPUT_TYPES(s):
        inputs = KSampler.INPUT_TYPES()
        inputs["hidden"] = {"unique_id": "UNIQUE_ID", "prompt": "PROMPT", "dynamic": "DYNPROMPT"}
        return inputs

    def go(
        self,
        model,
        seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        latent_image,
        denoise=1.0,
        unique_id=None,
        prompt=None,
        dynamic=None,
    ):
        comfy.utils.ProgressBar(steps).update(1)
        comfy.model_management.throw_exception_if_processing_interrupted()
        samples = common_ksampler(
            model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image, denoise=denoise
        )[0]
        return (samples, sampler_name, f"{unique_id} of {len(prompt)}, {dynamic.get_node(unique_id)['class_type']}")


class Repeat:
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "go"
    CATEGORY = "idiom"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",), "times": ("INT", {"default": 2, "min": 0})}}

    def go(self, image, times):
        graph = GraphBuilder()
        for _ in range(times):
            image = graph.node("ImageInvert", image=image).out(0)
        return {"result": (image,), "expand": graph.finalize()}


class Saver(SaveImage):
    def __init__(self):
        super().__init__()
        self.prefix_append = "_idiom"


NODE_CLASS_MAPPINGS = {"IdiomStack": Stack, "IdiomSampler": Sampler, "IdiomRepeat": Repeat, "IdiomSaver": Saver}
