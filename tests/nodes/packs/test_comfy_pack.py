"""A pack in `custom_nodes` samples the embedded model beside our own nodes, from the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

PACK = '''
"""Nodes that sample, patch and guide as packs do."""
import comfy.samplers
import comfy.sd
import comfy.utils
import torch
from nodes import CLIPTextEncode, common_ksampler


class PackKSampler:
    """Samples as the built-in node, through the function that packs share."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {
            "model": ("MODEL",), "positive": ("CONDITIONING",), "negative": ("CONDITIONING",), "latent": ("LATENT",),
            "sampler_name": (comfy.samplers.KSampler.SAMPLERS,), "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
        }}

    def sample(self, model, positive, negative, latent, sampler_name, scheduler):
        return common_ksampler(model, 5, 3, 4.0, sampler_name, scheduler, positive, negative, latent, denoise=1.0)


class PackRescale:
    """Puts a function after guidance."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "cfg": ("FLOAT", {"default": 4.0})}}

    def patch(self, model, cfg):
        def guided(args):
            return args["uncond_denoised"] + cfg * (args["cond_denoised"] - args["uncond_denoised"])

        model = model.clone()
        model.set_model_sampler_post_cfg_function(guided)
        return (model,)


class PackGuider(comfy.samplers.CFGGuider):
    """Guides by a scale of its own."""

    def predict_noise(self, x, timestep, model_options={}, seed=None):
        conds = [self.conds["positive"], self.conds["negative"]]
        out = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options)
        return out[1] + 4.0 * (out[0] - out[1])


class PackGuiderNode:
    """Makes the guider, from a text that it encodes itself."""

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "make"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls):
        texts = {"positive": ("STRING", {}), "negative": ("STRING", {})}
        return {"required": {"model": ("MODEL",), "clip": ("CLIP",), **texts}}

    def make(self, model, clip, positive, negative):
        guider = PackGuider(model)
        conds = [CLIPTextEncode().encode(clip, text)[0] for text in (positive, negative)]
        guider.set_conds(*conds)
        return (guider,)


class PackCompare:
    """Says how far two latents are apart."""

    RETURN_TYPES = ()
    FUNCTION = "compare"
    CATEGORY = "test"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"first": ("LATENT",), "second": ("LATENT",)}}

    def compare(self, first, second):
        assert first["samples"].std() > 0.1
        bar = comfy.utils.ProgressBar(1)
        bar.update(1)
        return {"ui": {"difference": [float((first["samples"] - second["samples"]).abs().max())]}}


NODE_CLASS_MAPPINGS = {
    one.__name__: one for one in (PackKSampler, PackRescale, PackGuiderNode, PackCompare)
}
'''

COMMON: dict[str, Any] = {
    "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "heddle_scenes.safetensors"}},
    "up": {"class_type": "CLIPTextEncode", "inputs": {"text": "a small red cube at night", "clip": ["model", 1]}},
    "down": {"class_type": "CLIPTextEncode", "inputs": {"text": "day", "clip": ["model", 1]}},
    "blank": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
}


def k_sampler(cfg: float, model: list[Any], sampler: str = "dpmpp_2m", scheduler: str = "karras") -> dict[str, Any]:
    inputs = {
        "model": model, "seed": 5, "steps": 3, "cfg": cfg, "sampler_name": sampler, "scheduler": scheduler,
        "positive": ["up", 0], "negative": ["down", 0], "latent_image": ["blank", 0], "denoise": 1.0,
    }  # fmt: skip
    return {"class_type": "KSampler", "inputs": inputs}


OURS = k_sampler(4.0, ["model", 0])
PAIRS: dict[str, dict[str, Any]] = {
    "common_ksampler": {
        "second": {
            "class_type": "PackKSampler",
            "inputs": {
                "model": ["model", 0], "positive": ["up", 0], "negative": ["down", 0], "latent": ["blank", 0],
                "sampler_name": "dpmpp_2m", "scheduler": "karras",
            },
        },
    },
    "a model that a pack patched": {
        "patched": {"class_type": "PackRescale", "inputs": {"model": ["model", 0], "cfg": 4.0}},
        "second": k_sampler(9.0, ["patched", 0]),
    },
    "a guider of a pack": {
        "guider": {
            "class_type": "PackGuiderNode",
            "inputs": {
                "model": ["model", 0], "clip": ["model", 1], "positive": "a small red cube at night", "negative": "day",
            },
        },
        "noise": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
        "sampler": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}},
        "sigmas": {
            "class_type": "BasicScheduler",
            "inputs": {"model": ["model", 0], "scheduler": "karras", "steps": 3, "denoise": 1.0},
        },
        "second": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["noise", 0], "guider": ["guider", 0], "sampler": ["sampler", 0], "sigmas": ["sigmas", 0],
                "latent_image": ["blank", 0],
            },
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """How far each pair's latents are apart: all pairs in one run."""
    base = tmp_path_factory.mktemp("installation")
    (base / "custom_nodes" / "sampling_pack").mkdir(parents=True)
    (base / "custom_nodes" / "sampling_pack" / "__init__.py").write_text(PACK)
    (base / "models").mkdir()
    (base / "models" / "checkpoints").symlink_to(ROOT / "models" / "checkpoints")
    prompt: dict[str, Any] = {**COMMON, "first": OURS}
    for name, nodes in PAIRS.items():
        renamed = {own: f"{name} {own}" for own in nodes}
        for own, node in nodes.items():
            inputs = {
                key: [renamed.get(value[0], value[0]), value[1]] if isinstance(value, list) else value
                for key, value in node["inputs"].items()
            }
            prompt[renamed[own]] = {**node, "inputs": inputs}
        compared = {"first": ["first", 0], "second": [renamed["second"], 0]}
        prompt[name] = {"class_type": "PackCompare", "inputs": compared}
    (base / "prompt.json").write_text(json.dumps(prompt))
    command = [sys.executable, "main.py", "run", str(base / "prompt.json"), "--base-directory", str(base)]
    done = subprocess.run(
        [*command, "--cpu", "--json", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    outputs = json.loads(done.stdout)["outputs"]
    return {name: outputs[name]["difference"][0] for name in PAIRS}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_pack_makes_the_same_latent_as_our_node(pair: str, differences: dict[str, float]) -> None:
    assert differences[pair] < 1e-5
