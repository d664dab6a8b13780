"""A picture made by a pack from built-in nodes as classes is the picture that the nodes themselves make."""

from pathlib import Path

from tests.nodes.packs.in_worker import evaluate

SETUP = """
import torch
from nodes.builtin import builtin_nodes
from nodes.diffusion.memory.device import DeviceMemory
from nodes.packs.node_names import furnish
from executor.progress import Unwatched
memory = around.resources["DeviceMemory"] = DeviceMemory(torch.device("cpu"), budget=1 << 34)
around.folders.models["checkpoints"] = (Path("models/checkpoints").absolute(),)
around.node_types.update(builtin_nodes())
furnish(around)

import nodes
from nodes import CheckpointLoaderSimple, CLIPTextEncode, EmptyLatentImage, KSampler, KSamplerAdvanced, VAEDecode
from nodes import common_ksampler

model, clip, vae = CheckpointLoaderSimple().load_checkpoint("heddle_scenes.safetensors")
(positive,) = CLIPTextEncode().encode(clip, "a small red cube at night")
(negative,) = CLIPTextEncode().encode(clip=clip, text="")
(latent,) = EmptyLatentImage().generate(64, 64)
how = ("euler", "normal", positive, negative, latent)
(made,) = KSampler().sample(model, 7, 3, 5.0, *how, denoise=1.0)

def equal(other):
    return torch.equal(made["samples"], other["samples"])

def ours():
    call = lambda name, **inputs: around.node_types[name].call(**inputs).outputs
    folders = around.folders
    model, clip, vae = call("CheckpointLoaderSimple", ckpt_name="heddle_scenes.safetensors", folders=folders)
    texts = ("a small red cube at night", "")
    positive, negative = (call("CLIPTextEncode", clip=clip, text=text, memory=memory)[0] for text in texts)
    (latent,) = call("EmptyLatentImage", width=64, height=64)
    (made,) = call(
        "KSampler", model=model, seed=7, steps=3, cfg=5.0, sampler_name="euler", scheduler="normal", positive=positive,
        negative=negative, latent_image=latent, memory=memory, progress=Unwatched(),
    )
    return {"samples": made.samples}, call("VAEDecode", samples=made, vae=vae, memory=memory)[0]

def in_halves(first, second):
    (noisy,) = first()
    return torch.allclose(made["samples"], second(noisy)[0]["samples"], rtol=1e-4, atol=1e-4)

direct, picture = ours()
half = ("euler", "normal", positive, negative)
"""


def test_the_same_picture(tmp_path: Path) -> None:
    cases = [
        ("sorted(made)", ["samples"]),
        ("equal(direct)", True),
        ("equal(common_ksampler(model, 7, 3, 5.0, *how)[0])", True),
        ("equal(common_ksampler(model, 8, 3, 5.0, *how)[0])", False),
        ("torch.equal(VAEDecode().decode(vae, made)[0], picture)", True),
        ("list(VAEDecode().decode(samples=made, vae=vae)[0].shape)", [1, 64, 64, 3]),
        (
            "in_halves(lambda: common_ksampler(model, 7, 3, 5.0, *how, last_step=1),"
            " lambda noisy: common_ksampler(model, 7, 3, 5.0, *half, noisy, disable_noise=True, start_step=1))",
            True,
        ),
        (
            "in_halves(lambda: KSamplerAdvanced().sample(model, 'enable', 7, 3, 5.0, *how, 0, 1, 'enable'),"
            " lambda noisy: KSamplerAdvanced().sample(model, 'disable', 7, 3, 5.0, *half, noisy, 1, 9, 'disable'))",
            True,
        ),
        (
            "torch.equal(common_ksampler(model, 7, 3, 5.0, *how, last_step=2, force_full_denoise=True)[0]['samples'],"
            " KSamplerAdvanced().sample(model, 'enable', 7, 3, 5.0, *how, 0, 2, 'disable')[0]['samples'])",
            True,
        ),
        ("nodes.KSampler is nodes.NODE_CLASS_MAPPINGS['KSampler']", True),
    ]
    assert evaluate(tmp_path, SETUP, [line for line, _ in cases]) == [expected for _, expected in cases]
