"""IP-Adapter files load with every key used, and a picture speaks as it does in diffusers."""

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.embeddings import ImageProjection, IPAdapterFullImageProjection, IPAdapterPlusImageProjection
from safetensors.torch import save_file

from executor.folders import Folders
from executor.schema import InputError
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.ip_adapter import open_ip_adapter
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.vision import open_vision
from nodes.diffusion.vision import prepared
from nodes.ip_adapter import ip_adapter_advanced, ip_adapter_model_loader
from tests.nodes.diffusion.families.test_control import condition, predicted, told
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_vision import SIDE, make_vision

PICTURES = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(2))
X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
WEIGHT = 0.6


def resampler(text: int) -> dict[str, torch.Tensor]:
    """The projection of the plus kind by its published names, which diffusers' converter reads."""
    made = IPAdapterPlusImageProjection(64, text, 64, depth=4, heads=1, num_queries=5).state_dict()
    names = {"ln0": "0.norm1", "ln1": "0.norm2", "attn.to_q": "0.to_q", "attn.to_out.0": "0.to_out", "ff.0": "1.0",
             "ff.1.net.0.proj": "1.1", "ff.1.net.2": "1.3"}  # fmt: skip
    published = {}
    for name, value in made.items():
        if not name.startswith("layers."):
            published[name] = value
            continue
        _, layer, rest = name.split(".", 2)
        stem, leaf = rest.rsplit(".", 1)
        if stem == "attn.to_k":
            value = torch.cat([value, made[f"layers.{layer}.attn.to_v.weight"]])
            published[f"layers.{layer}.0.to_kv.weight"] = value
        elif stem != "attn.to_v":
            published[f"layers.{layer}.{names[stem]}.{leaf}"] = value
    return published


def projection(kind: str, text: int) -> dict[str, torch.Tensor]:
    if kind == "plus":
        return resampler(text)
    if kind == "plain":
        made = ImageProjection(32, text, 4).state_dict()
        return {name.replace("image_embeds", "proj"): value for name, value in made.items()}
    made = IPAdapterFullImageProjection(64, text).state_dict()
    return {
        name.replace("ff.net.0.proj", "proj.0").replace("ff.net.2", "proj.2").replace("norm", "proj.3"): value
        for name, value in made.items()
    }


def adapter(kind: str, made) -> dict[str, dict[str, torch.Tensor]]:
    """A file's two parts, for the attentions of a UNet in diffusers' order."""
    torch.manual_seed(11)
    text, layers = made.unet.config.cross_attention_dim, {}
    for number, name in enumerate(made.unet.attn_processors):
        if "attn2" in name:
            width = made.unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            layers |= {f"{number}.to_{one}_ip.weight": torch.randn(width, text) * 0.2 for one in "kv"}
    return {"image_proj": projection(kind, text), "ip_adapter": layers}


def written(parts, path):
    if path.suffix == ".bin":
        torch.save(parts, path)
    else:
        save_file({f"{part}.{key}": one for part, tensors in parts.items() for key, one in tensors.items()}, path)
    return path


@pytest.fixture
def looking(tmp_path):
    model = make_vision()
    save_file(model.state_dict(), tmp_path / "looking.safetensors")
    return model, open_vision(tmp_path / "looking.safetensors")


def diffusers_unet(made, parts) -> UNet2DConditionModel:
    """The same UNet with the adapter as diffusers puts it in."""
    unet = UNet2DConditionModel.from_config(made.unet.config)
    unet.load_state_dict(made.unet.state_dict())
    unet._load_ip_adapter_weights([parts])
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [WEIGHT]
    return unet.eval()


def embeddings(kind, model, pictures):
    """What diffusers' pipelines hand to the UNet: (wanted, unwanted), each (1, pictures, ...)."""
    pixels = prepared(pictures, SIDE)
    if kind == "plain":
        seen = model(pixel_values=pixels).image_embeds
        return seen[None], torch.zeros_like(seen)[None]
    seen, blank = (
        model(pixel_values=one, output_hidden_states=True).hidden_states[-2]
        for one in (pixels, torch.zeros_like(pixels))
    )
    return seen[None], blank[None]


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
@pytest.mark.parametrize(("name", "kind", "count"), [
    ("sd1", "plain", 1), ("sd1", "plus", 2), ("sd1", "full", 1), ("sdxl", "plain", 2), ("sdxl", "plus", 1),
])  # fmt: skip
def test_a_picture_speaks_as_in_diffusers(
    name, kind, count, suffix, make_file, looking, tmp_path, memory, caplog
) -> None:
    made, (vision, loaded) = make_file(name), looking
    parts = adapter(kind, made)
    written(parts, tmp_path / f"adapter{suffix}")
    folders = Folders(*(tmp_path,) * 4, {"ipadapter": (tmp_path,)})
    opened = ip_adapter_model_loader(ipadapter_file=f"adapter{suffix}", folders=folders).IPADAPTER
    assert caplog.messages == []
    assert opened.kind == kind
    plain = open_checkpoint(made.path).model
    model = ip_adapter_advanced(
        model=plain, ipadapter=opened, image=PICTURES[:count], weight=WEIGHT, clip_vision=loaded, memory=memory
    ).MODEL
    one, other = condition(made, 1), condition(made, 2)
    mine = predicted(model, [(one,), (other,)], X, memory)
    unet, levels = diffusers_unet(made, parts), torch.full((1,), 2.0)
    scaled, time = plain.sampling.network_input(X, levels), plain.sampling.timestep(levels)
    for each, seen, got in zip((one, other), embeddings(kind, vision, PICTURES[:count]), mine, strict=True):
        added = told(made, each, 64, 64).get("added_cond_kwargs", {}) | {"image_embeds": [seen]}
        with torch.inference_mode():
            answer = unet(scaled, time, each.tokens, added_cond_kwargs=added).sample
        close(got, plain.sampling.denoised(answer, X, levels))
    before = predicted(plain, [(one,)], X, memory)[0]
    assert not torch.allclose(mine[0], before, atol=1e-3)
    assert (
        ip_adapter_advanced(
            model=plain, ipadapter=opened, image=PICTURES, weight=0.0, clip_vision=loaded, memory=memory
        ).MODEL
        is plain
    )


@pytest.fixture
def scene(make_file, looking, tmp_path, memory):
    made = make_file("sd1")
    opened = open_ip_adapter(written(adapter("plain", made), tmp_path / "adapter.safetensors"))
    model = open_checkpoint(made.path).model

    def adapted(**more):
        return ip_adapter_advanced(
            model=model, ipadapter=opened, clip_vision=looking[1], memory=memory,
            **{"image": PICTURES[:1], "weight": WEIGHT} | more,
        ).MODEL  # fmt: skip

    def of(changed, sigma=2.0):
        return predicted(changed, [(condition(made, 1),)], X, memory, sigma)[0]

    return model, adapted, of


def test_a_picture_counts_during_its_part_of_the_sampling(scene) -> None:
    model, adapted, of = scene
    early = adapted(end_at=0.4)
    for share, counts in ((0.1, True), (0.8, False)):
        sigma = model.sampling.level_at(share)
        assert torch.equal(of(early, sigma), of(model, sigma)) != counts


def test_where_the_mask_is_0_a_picture_does_not_count(scene) -> None:
    model, adapted, of = scene
    close(of(adapted(attn_mask=torch.ones(1, 16, 16))), of(adapted()), 1e-5)
    close(of(adapted(attn_mask=torch.zeros(1, 16, 16))), of(model), 1e-5)


def test_pictures_count_side_by_side_or_as_their_average(scene) -> None:
    _, adapted, of = scene
    one, twice = of(adapted()), of(adapted(image=PICTURES[:1].repeat(2, 1, 1, 1)))
    close(twice, one)
    close(of(adapted(image=PICTURES[:1].repeat(2, 1, 1, 1), combine_embeds="average")), one)
    assert not torch.allclose(of(adapted(image=PICTURES)), of(adapted(image=PICTURES, combine_embeds="average")))


def test_two_adapters_and_the_model_without_any_go_side_by_side(scene) -> None:
    model, adapted, of = scene
    before = of(model)
    both = replace(model, alterations=(*adapted().alterations, *adapted(image=PICTURES[1:]).alterations))
    assert not torch.allclose(of(both), of(adapted()), atol=1e-4)
    assert torch.equal(of(model), before)


def test_what_does_not_fit_is_said(make_file, looking, tmp_path, memory, scene) -> None:
    model, _, _ = scene
    for_sdxl = open_ip_adapter(written(adapter("plus", make_file("sdxl")), tmp_path / "for_sdxl.safetensors"))
    with pytest.raises(InputError, match=r"for_sdxl\.safetensors has .* Choose one for sd1 in IPAdapterModelLoader"):
        ip_adapter_advanced(model=model, ipadapter=for_sdxl, image=PICTURES, clip_vision=looking[1], memory=memory)
    with pytest.raises(InputError, match="Connect CLIPVisionLoader"):
        ip_adapter_advanced(model=model, ipadapter=for_sdxl, image=PICTURES, memory=memory)
    save_file(make_vision(projection=48).state_dict(), tmp_path / "other.safetensors")
    fitting = open_ip_adapter(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match="made for a vision model of width 32, and this one's is 48"):
        ip_adapter_advanced(
            model=model, ipadapter=fitting, image=PICTURES, clip_vision=open_vision(tmp_path / "other.safetensors"),
            memory=memory,
        )  # fmt: skip
    with pytest.raises(CheckpointError, match="no IP-Adapter"):
        open_ip_adapter(make_file("sd1").path)
    face = adapter("plain", make_file("sd1")) | {
        "image_proj": {"proj.0.weight": torch.zeros(2, 2), "proj.2.weight": torch.zeros(2, 2)}
    }
    with pytest.raises(CheckpointError, match="FaceID"):
        open_ip_adapter(written(face, tmp_path / "face.bin"))
