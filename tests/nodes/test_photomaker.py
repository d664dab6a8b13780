"""PhotoMaker files load with every key used, and the word before the trigger becomes what the paper's formula says."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from executor.folders import Folders
from executor.schema import InputError
from nodes.conditioning import clip_text_encode
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.photomaker import open_photomaker
from nodes.diffusion.vision import prepared
from nodes.photomaker import photomaker_encode, photomaker_loader
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_families import G_WIDTH, L_WIDTH
from tests.nodes.small_vision import SIDE, make_vision

WIDTH = L_WIDTH + G_WIDTH
FACES = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def parts(tmp_path):
    """The vision model, and the other tensors by their published names; the file is written."""
    vision = make_vision(projection=L_WIDTH)
    generator = torch.Generator().manual_seed(5)

    def random(*shape):
        return torch.randn(shape, generator=generator) * 0.1

    more = {"visual_projection_2.weight": random(G_WIDTH, 64)}
    for name, entering in (("mlp1", 2 * WIDTH), ("mlp2", WIDTH)):
        row = f"fuse_module.{name}"
        more |= {f"{row}.layernorm.weight": random(entering), f"{row}.layernorm.bias": random(entering)}
        more |= {f"{row}.fc1.weight": random(WIDTH, entering), f"{row}.fc1.bias": random(WIDTH)}
        more |= {f"{row}.fc2.weight": random(WIDTH, WIDTH), f"{row}.fc2.bias": random(WIDTH)}
    more |= {"fuse_module.layer_norm.weight": random(WIDTH), "fuse_module.layer_norm.bias": random(WIDTH)}
    torch.save(
        {"id_encoder": vision.state_dict() | more, "lora_weights": {"x": torch.zeros(1)}}, tmp_path / "faces.bin"
    )
    return vision, more


def by_hand(vision, t, words):
    def dense(row, x):
        h = functional.layer_norm(x, x.shape[-1:], t[f"{row}.layernorm.weight"], t[f"{row}.layernorm.bias"])
        h = functional.gelu(functional.linear(h, t[f"{row}.fc1.weight"], t[f"{row}.fc1.bias"]))
        return functional.linear(h, t[f"{row}.fc2.weight"], t[f"{row}.fc2.bias"])

    seen = vision.vision_model(pixel_values=prepared(FACES[: len(words)], SIDE)).pooler_output
    faces = torch.cat([vision.visual_projection(seen), seen @ t["visual_projection_2.weight"].T], dim=-1)
    h = dense("fuse_module.mlp1", torch.cat([words, faces], dim=-1)) + words
    h = dense("fuse_module.mlp2", h) + h
    return functional.layer_norm(h, (WIDTH,), t["fuse_module.layer_norm.weight"], t["fuse_module.layer_norm.bias"])


TEXTS = [
    ("one face for the word before the trigger", "a man photomaker, in a hat", 1, "a man , in a hat", [2]),
    ("two faces for the word twice", "a man photomaker in a hat", 2, "a man man in a hat", [2, 3]),
    ("the usual text", "photograph of photomaker", 1, "photograph of", [2]),
    ("a weight on the word", "a (man:1.2) photomaker in a hat", 1, "a (man:1.2) in a hat", [2]),
    ("a text without trigger", "a man in a hat", 2, "a man in a hat", []),
]


@pytest.mark.parametrize(("what", "text", "count", "plain", "places"), TEXTS)
def test_the_word_before_the_trigger_gets_a_face(
    what, text, count, plain, places, parts, make_file, tmp_path, memory, caplog
) -> None:
    clip = open_checkpoint(make_file("sdxl").path).text_encoder
    caplog.clear()
    maker = photomaker_loader(
        photomaker_model_name="faces.bin", folders=Folders(*(tmp_path,) * 4, {"photomaker": (tmp_path,)})
    )
    assert caplog.messages == [], what
    (made,) = photomaker_encode(photomaker=maker, image=FACES[:count], clip=clip, text=text, memory=memory)
    (expected,) = clip_text_encode(text=plain, clip=clip, memory=memory)
    tokens = expected.tokens.clone()
    if places:
        tokens[0, places] = by_hand(*parts, tokens[0, places])
    close(made.tokens, tokens)
    assert torch.equal(made.pooled, expected.pooled)


def test_what_does_not_fit_is_said(parts, make_file, tmp_path, memory) -> None:
    maker = open_photomaker(tmp_path / "faces.bin")
    clip = open_checkpoint(make_file("sdxl").path).text_encoder
    told = {"photomaker": maker, "image": FACES, "memory": memory}
    with pytest.raises(InputError, match="stands for the face of the word before it"):
        photomaker_encode(text="photomaker in a hat", clip=clip, **told)
    with pytest.raises(InputError, match="too far behind"):
        photomaker_encode(text="word " * 90 + "man photomaker", clip=clip, **told)
    other = open_checkpoint(make_file("sd1").path).text_encoder
    with pytest.raises(InputError, match=r"faces\.bin fuses words of 192 numbers and this text encoder makes 64"):
        photomaker_encode(text="a man photomaker", clip=other, **told)
    with pytest.raises(CheckpointError, match="no PhotoMaker"):
        open_photomaker(make_file("sd1").path)
    _, more = parts
    save_file(more | {"qformer_perceiver.x": torch.zeros(1)}, tmp_path / "second.safetensors")
    with pytest.raises(CheckpointError, match="face recognition"):
        open_photomaker(tmp_path / "second.safetensors")
