"""GLIGEN files load with every key used, and named boxes act as in diffusers."""

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from executor.folders import Folders
from executor.schema import InputError
from nodes.diffusion.checkpoints.gligen import open_gligen
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.values import Area
from nodes.gligen import gligen_loader, gligen_text_box_apply
from tests.nodes.diffusion.families.test_control import condition, predicted
from tests.nodes.diffusion.families.test_families import close

X = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def gated(make_file):
    """diffusers' UNet with gates, whose other weights are those of the small SD 1 checkpoint."""
    made = make_file("sd1")
    torch.manual_seed(4)
    config = {name: value for name, value in made.unet.config.items() if not name.startswith("_")}
    unet = UNet2DConditionModel(**config | {"attention_type": "gated"})
    unet.load_state_dict(made.unet.state_dict(), strict=False)
    for name, value in unet.named_parameters():
        if name.endswith(("alpha_attn", "alpha_dense")) or "null_" in name:
            torch.nn.init.normal_(value.data)
    return made, unet.eval().requires_grad_(False)


LAYOUTS = ["the gates alone", "the gates alone under a prefix", "a whole UNet in diffusers' layout"]


def tensors(unet, layout):
    state = unet.state_dict()
    if layout.startswith("a whole"):
        return state
    blocks = [name for name in state if not name.startswith("position_net.")]
    made = {theirs: state[ours] for ours, theirs in unet_names(blocks).items() if ".fuser." in ours}
    made |= {name: value for name, value in state.items() if name.startswith("position_net.")}
    return {f"model.diffusion_model.{name}": one for name, one in made.items()} if "prefix" in layout else made


def loaded(unet, root, layout=LAYOUTS[0]):
    save_file({key: value.clone() for key, value in tensors(unet, layout).items()}, root / "boxes.safetensors")
    return gligen_loader(gligen_name="boxes.safetensors", folders=Folders(*(root,) * 4, {"gligen": (root,)}))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_named_boxes_act_as_in_diffusers(layout, gated, tmp_path, memory, caplog) -> None:
    made, unet = gated
    net = loaded(unet, tmp_path, layout)
    assert caplog.messages == []
    checkpoint = open_checkpoint(made.path)
    one, other = condition(made, 1), condition(made, 2)
    for x, words in ((0, "a red cube"), (64, "a blue sphere")):
        (one,) = gligen_text_box_apply(
            conditioning_to=(one,), clip=checkpoint.text_encoder, gligen_textbox_model=net, text=words, width=64,
            height=32, x=x, y=16, memory=memory,
        )  # fmt: skip
    boxes, masks, names = torch.zeros(1, 30, 4), torch.zeros(1, 30), torch.zeros(1, 30, 64)
    for index, box in enumerate(one.grounding.boxes):
        left = 0.5 * index
        boxes[0, index], masks[0, index] = torch.tensor([left, 0.25, left + 0.5, 0.75]), 1
        names[0, index] = box.embedding
    model, levels = checkpoint.model, torch.full((1,), 2.0)
    scaled, time = model.sampling.network_input(X, levels), model.sampling.timestep(levels)
    mine = predicted(model, [(one,), (other,)], X, memory)
    for each, mask, got in ((one, masks, mine[0]), (other, torch.zeros_like(masks), mine[1])):
        told = {"gligen": {"boxes": boxes, "masks": mask, "positive_embeddings": names}}
        with torch.inference_mode():
            answer = unet(scaled, time, each.tokens, cross_attention_kwargs=told).sample
        close(got, model.sampling.denoised(answer, X, levels))


def test_texts_that_are_combined_with_one_that_shows_boxes_see_none(gated, tmp_path, memory) -> None:
    made, unet = gated
    net, checkpoint = loaded(unet, tmp_path), open_checkpoint(made.path)
    left, right = (Area(x, 0, 8, 8) for x in (0, 8))
    plain = replace(condition(made, 1), area=left), replace(condition(made, 2), area=right)
    boxed = gligen_text_box_apply(
        conditioning_to=plain[:1], clip=checkpoint.text_encoder, gligen_textbox_model=net, text="a cube", memory=memory
    )
    (without,) = predicted(checkpoint.model, [plain], X, memory)
    (mixed,) = predicted(checkpoint.model, [(*boxed, plain[1])], X, memory)
    close(mixed[..., 8:], without[..., 8:])
    assert not torch.allclose(mixed[..., :8], without[..., :8], atol=1e-3)
    assert torch.equal(predicted(checkpoint.model, [plain], X, memory)[0], without)


def test_what_does_not_fit_is_said(gated, make_file, tmp_path, memory) -> None:
    made, unet = gated
    net, checkpoint = loaded(unet, tmp_path), open_checkpoint(made.path)
    boxed = gligen_text_box_apply(
        conditioning_to=(condition(made, 1),), clip=checkpoint.text_encoder, gligen_textbox_model=net, text="a cube",
        memory=memory,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"boxes\.safetensors was made for another UNet .* in GLIGENLoader"):
        predicted(open_checkpoint(make_file("sd1 even").path).model, [boxed], X, memory)
    with pytest.raises(InputError, match="wants names as 64 numbers and this text encoder makes 128"):
        gligen_text_box_apply(
            conditioning_to=boxed, clip=open_checkpoint(make_file("sd2").path).text_encoder, gligen_textbox_model=net,
            text="a cube", memory=memory,
        )  # fmt: skip
    with pytest.raises(CheckpointError, match="no GLIGEN model"):
        open_gligen(made.path)
