"""The networks of a checkpoint in files and folders of their own are the same networks."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from executor.folders import Folders
from executor.schema import InputError
from nodes.conditioning import clip_text_encode
from nodes.diffusion.families.ldm import UNET_PREFIX, VAE_PREFIX
from nodes.latent import empty_latent_image, vae_decode
from nodes.loaders import checkpoint_loader, checkpoint_loader_simple
from nodes.loaders_separate import clip_loader, diffusers_loader, dual_clip_loader, unet_loader, vae_loader
from nodes.sampling import k_sampler

KINDS = ("checkpoints", "diffusion_models", "text_encoders", "vae", "diffusers", "embeddings")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for kind in KINDS:
        (tmp_path / kind).mkdir()
    return Folders(tmp_path, tmp_path, tmp_path, tmp_path, {kind: (tmp_path / kind,) for kind in KINDS})


def put(folders: Folders, kind: str, name: str, tensors: dict[str, torch.Tensor]) -> str:
    save_file({key: value.contiguous() for key, value in tensors.items()}, folders.models[kind][0] / name)
    return name


def under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def from_checkpoint(made, folders: Folders):
    (folders.models["checkpoints"][0] / made.path.name).symlink_to(made.path)
    own = Folders(*[folders.input] * 4, {"checkpoints": (made.path.parent,)})
    return checkpoint_loader_simple(ckpt_name=made.path.name, folders=own)


def picture(model, clip, vae, memory, watcher) -> torch.Tensor:
    text = clip_text_encode(text="a (red:1.2) cat", clip=clip, memory=memory)
    latent = k_sampler(
        model=model, seed=3, steps=2, cfg=1.0, sampler_name="euler", scheduler="normal", positive=text, negative=text,
        latent_image=empty_latent_image(width=64, height=64, batch_size=1), memory=memory, progress=watcher,
    )  # fmt: skip
    return vae_decode(samples=latent, vae=vae, memory=memory)


LAYOUTS = [
    *(("original", name) for name in ("sd1", "sd2", "sdxl", "sdxl_refiner")),
    ("prefixed", "sdxl"),
    ("diffusers", "sd1"),
    ("diffusers", "sdxl"),
]


@pytest.mark.parametrize(("layout", "name"), LAYOUTS)
def test_networks_in_files_of_their_own_make_the_same_picture(
    name, layout, make_file, folders, memory, watcher
) -> None:
    made = make_file(name)
    if layout == "diffusers":
        unet, vae = made.unet.state_dict(), made.vae.state_dict()
        texts = {which: model.state_dict() for which, model in made.texts.items()}
        texts = {which: {f"text_model.{key.removeprefix('text_model.')}" if "projection" not in key else key: value
                 for key, value in one.items()} for which, one in texts.items()}  # fmt: skip
    else:
        keep = layout == "prefixed"
        unet = {UNET_PREFIX * keep + key: value for key, value in under(made.tensors, UNET_PREFIX).items()}
        vae = {VAE_PREFIX * keep + key: value for key, value in under(made.tensors, VAE_PREFIX).items()}
        texts = {
            which: {prefix * keep + key: value for key, value in under(made.tensors, prefix).items()}
            for which, prefix in made.small.texts
        }
    model = unet_loader(unet_name=put(folders, "diffusion_models", "u.safetensors", unet), weight_dtype="default",
                        folders=folders)  # fmt: skip
    files = [put(folders, "text_encoders", f"{which}.safetensors", one) for which, one in texts.items()]
    if len(files) == 2:
        clip = dual_clip_loader(clip_name1=files[1], clip_name2=files[0], type="sdxl", folders=folders)
    else:
        clip = clip_loader(clip_name=files[0], type="stable_diffusion", folders=folders)
    vae_value = vae_loader(vae_name=put(folders, "vae", "v.safetensors", vae), folders=folders)
    whole = from_checkpoint(made, folders)
    if name == "sdxl_refiner":
        clip = whole.CLIP  # at this width nothing tells bigG from ViT-H
    mine = picture(model, clip, vae_value, memory, watcher)
    torch.testing.assert_close(mine, picture(whole.MODEL, whole.CLIP, whole.VAE, memory, watcher))


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_folder_that_diffusers_wrote_makes_the_same_picture(name, make_file, folders, memory, watcher) -> None:
    made = make_file(name)
    root = folders.models["diffusers"][0] / "mine" / "deep"
    made.unet.save_pretrained(root / "unet", max_shard_size="1MB")
    made.vae.save_pretrained(root / "vae")
    for index, model in enumerate(made.texts.values(), 1):
        model.save_pretrained(root / ("text_encoder" if index == 1 else "text_encoder_2"))
    (root / "model_index.json").write_text("{}")
    assert len(list((root / "unet").glob("*.safetensors"))) > 1, "the UNet is in shards"
    assert folders.list("diffusers") == ["mine/deep"]
    opened = diffusers_loader(model_path="mine/deep", folders=folders)
    whole = from_checkpoint(made, folders)
    if name == "sd2":
        import dataclasses

        assert opened.CLIP.layer == -1, "the text models of such folders end at the layer that the family reads"
        opened = opened._replace(CLIP=dataclasses.replace(opened.CLIP, layer=-2))
    mine = picture(opened.MODEL, opened.CLIP, opened.VAE, memory, watcher)
    torch.testing.assert_close(mine, picture(whole.MODEL, whole.CLIP, whole.VAE, memory, watcher))


@pytest.mark.parametrize(("said", "prediction"), [("epsilon", "eps"), ("v_prediction", "v")])
def test_a_folders_scheduler_says_what_the_unet_predicts(said, prediction, make_file, folders) -> None:
    made = make_file("sd1")
    root = folders.models["diffusers"][0] / "mine"
    made.unet.save_pretrained(root / "unet")
    made.vae.save_pretrained(root / "vae")
    made.texts["l"].save_pretrained(root / "text_encoder")
    (root / "scheduler").mkdir()
    (root / "scheduler" / "scheduler_config.json").write_text(f'{{"prediction_type": "{said}"}}')
    (root / "model_index.json").write_text("{}")
    plain = diffusers_loader(model_path="mine", folders=folders).MODEL.sampling
    said = f'{{"prediction_type": "{said}", "rescale_betas_zero_snr": true}}'
    (root / "scheduler" / "scheduler_config.json").write_text(said)
    stretched = diffusers_loader(model_path="mine", folders=folders).MODEL.sampling
    assert (plain.prediction, stretched.prediction) == (prediction, prediction)
    assert stretched.sigma_max > 100 * plain.sigma_max
    (root / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"mine holds no vae: the folder mine/vae has no model file\."):
        diffusers_loader(model_path="mine", folders=folders)


@pytest.mark.parametrize(
    ("weight_dtype", "stored"), [("fp8_e4m3fn", torch.float8_e4m3fn), ("fp8_e5m2", torch.float8_e5m2)]
)
def test_weights_that_stay_in_fp8_compute_in_the_usual_type(weight_dtype, stored, make_file, folders, memory) -> None:
    made = make_file("sdxl")
    name = put(folders, "diffusion_models", "u.safetensors", made.unet.state_dict())
    network = unet_loader(unet_name=name, weight_dtype=weight_dtype, folders=folders).network
    whole = unet_loader(unet_name=name, weight_dtype="default", folders=folders).network
    assert network.bytes_as(torch.float32) < 0.3 * whole.bytes_as(torch.float32)
    rounded = copy.deepcopy(made.unet)
    for name, parameter in rounded.named_parameters():
        if name in network.kept:
            parameter.data = parameter.data.to(stored).float()
    x, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 192)
    told = {"added_cond_kwargs": {"text_embeds": torch.randn(1, 128), "time_ids": torch.rand(1, 6)}}
    with torch.inference_mode(), memory.resident(network):
        assert network.whole
        assert network.held == network.bytes_as(torch.float32)
        mine = network.module(x, torch.tensor([9]), tokens, **told).sample
        torch.testing.assert_close(mine, rounded(x, torch.tensor([9]), tokens, **told).sample)


@pytest.mark.parametrize("factor", ["scale_weight", "weight_scale"])
def test_a_scaled_fp8_checkpoint_is_multiplied_out_as_it_computes(factor, make_file, folders, memory, caplog) -> None:
    made = make_file("sdxl")
    scaled: dict[str, torch.Tensor] = {}
    plain = dict(made.tensors)
    for name, value in made.tensors.items():
        wide = (
            value.ndim == 2 and "embed" not in name.removeprefix("conditioner.embedders") and "projection" not in name
        )
        if wide and name.endswith((".weight", "in_proj_weight")):
            scale = value.abs().max() / 448
            scaled[name] = (value / scale).to(torch.float8_e4m3fn)
            stem = name.removesuffix("in_proj_weight") if "in_proj" in name else name.removesuffix("weight")
            scaled[stem + factor] = scale
            plain[name] = scaled[name].float() * scale
        else:
            scaled[name] = value
    scaled["scaled_fp8"] = torch.empty(0, dtype=torch.float8_e4m3fn)
    small, large = (put(folders, "checkpoints", f"{i}.safetensors", one) for i, one in enumerate((scaled, plain)))
    mine, theirs = (checkpoint_loader_simple(ckpt_name=name, folders=folders) for name in (small, large))
    assert caplog.messages == []
    assert mine.MODEL.network.scales
    assert mine.CLIP.models[1].network.scales
    texts = [clip_text_encode(text="a cat", clip=one.CLIP, memory=memory)[0] for one in (mine, theirs)]
    torch.testing.assert_close(texts[0].tokens, texts[1].tokens)
    x, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 192)
    told = {"added_cond_kwargs": {"text_embeds": torch.randn(1, 128), "time_ids": torch.rand(1, 6)}}
    with torch.inference_mode(), memory.resident(mine.MODEL.network, theirs.MODEL.network):
        answers = [one.MODEL.network.module(x, torch.tensor([9]), tokens, **told).sample for one in (mine, theirs)]
    torch.testing.assert_close(answers[0], answers[1])


def test_a_text_encoder_may_stay_on_the_cpu(make_file, folders, memory) -> None:
    made = make_file("sd1")
    name = put(folders, "text_encoders", "l.safetensors", under(made.tensors, made.small.texts[0][1]))
    clip = clip_loader(clip_name=name, type="stable_diffusion", device="cpu", folders=folders)
    elsewhere = type(memory)(torch.device("meta"), 1 << 30)
    with elsewhere.resident(*clip.networks):
        assert clip.networks[0].device == torch.device("cpu")


CONFIGS = [
    ("v1-inference.yaml", "sd1", "eps", -1),
    ("v1-inference_clip_skip_2.yaml", "sd1", "eps", -2),
    ("v2-inference-v.yaml", "sd2", "v", -2),
    ("v2-inference.yaml", "sd2", "eps", -2),
]


@pytest.mark.parametrize(("config", "name", "prediction", "layer"), CONFIGS)
def test_a_configuration_says_what_shapes_do_not(config, name, prediction, layer, make_file) -> None:
    made = make_file(name)
    folders = Folders(*[made.path] * 4, {"checkpoints": (made.path.parent,)})
    opened = checkpoint_loader(config_name=config, ckpt_name=made.path.name, folders=folders)
    assert (opened.MODEL.sampling.prediction, opened.CLIP.layer) == (prediction, layer)
    with pytest.raises(InputError, match="Choose another configuration"):
        checkpoint_loader(config_name="v2-inference.yaml" if name == "sd1" else "v1-inference.yaml",
                          ckpt_name=made.path.name, folders=folders)  # fmt: skip


REFUSED = [
    ("diffusion_models", "u", "no UNet of a known family"),
    ("vae", "v", "no autoencoder that is known"),
    ("text_encoders", "t", "no CLIP text model"),
]


@pytest.mark.parametrize(("kind", "name", "expected"), REFUSED)
def test_a_file_of_another_kind_is_named_with_what_was_found(kind, name, expected, folders) -> None:
    file = put(
        folders, kind, f"{name}.safetensors", {"blocks.0.weight": torch.zeros(2), "blocks.1.bias": torch.zeros(2)}
    )
    calls = {
        "diffusion_models": lambda: unet_loader(unet_name=file, weight_dtype="default", folders=folders),
        "vae": lambda: vae_loader(vae_name=file, folders=folders),
        "text_encoders": lambda: clip_loader(clip_name=file, type="stable_diffusion", folders=folders),
    }
    with pytest.raises(InputError, match=rf"{file} cannot be loaded: it holds 2 tensors named .*{expected}\.$"):
        calls[kind]()


def test_two_text_models_of_one_kind_are_refused(make_file, folders) -> None:
    made = make_file("sd1")
    name = put(folders, "text_encoders", "l.safetensors", under(made.tensors, made.small.texts[0][1]))
    with pytest.raises(InputError, match=r"are text models of one width \(64\)"):
        dual_clip_loader(clip_name1=name, clip_name2=name, type="sdxl", folders=folders)
    with pytest.raises(InputError, match="Text encoders for flux are not supported yet"):
        dual_clip_loader(clip_name1=name, clip_name2=name, type="flux", folders=folders)
