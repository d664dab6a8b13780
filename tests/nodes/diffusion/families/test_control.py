"""Files of control networks load without a word about their tensors, and steer as diffusers' networks do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import save_file

from nodes.diffusion.checkpoints.control import open_control_net
from nodes.diffusion.checkpoints.control_names import control_names
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.sampling.control import networks_of
from nodes.diffusion.sampling.guidance import Predictions
from nodes.diffusion.values import Condition, Control, Model
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_controls import (
    make_adapter,
    make_control,
    make_small_sdxl_control,
    make_union,
    original_adapter,
)
from tests.nodes.small_families import Made

SIGMA = 2.0
LAYOUTS = {
    "the original one": lambda state: {f"control_model.{name}": value for name, value in original(state).items()},
    "the original one without prefix": lambda state: original(state),
    "diffusers' one": lambda state: state,
}


def original(state):
    return {name: state[ours] for ours, name in control_names(state).items()}


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def written(state, name="steering.safetensors") -> Path:
        save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / name)
        return tmp_path / name

    return written


def condition(made: Made, seed: int, **more) -> Condition:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(1, 77, made.unet.config.cross_attention_dim, generator=generator)
    told = made.unet.config.addition_embed_type is not None
    width = made.unet.config.projection_class_embeddings_input_dim - 6 * 256 if told else 64
    pooled = torch.randn(1, width, generator=generator)
    return Condition(tokens, pooled, **more)


def predicted(model: Model, groups, x, memory, sigma=SIGMA):
    with torch.inference_mode(), memory.resident(model.network, *networks_of(groups)):
        return Predictions(model, groups, x)(x, sigma, range(len(groups)))


def told(made: Made, one: Condition, height: int, width: int):
    if made.unet.config.addition_embed_type is None:
        return {}
    times = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)
    return {"added_cond_kwargs": {"text_embeds": one.pooled, "time_ids": times}}


@torch.inference_mode()
def expected(made: Made, model: Model, one: Condition, x, steer, sigma=SIGMA):
    """diffusers' UNet with what `steer` gives for its scaled input, for one latent."""
    levels = torch.full((1,), sigma)
    scaled, time = model.sampling.network_input(x, levels), model.sampling.timestep(levels)
    more = told(made, one, *(8 * side for side in x.shape[-2:]))
    arguments = steer(scaled, time, one.tokens, more)
    return model.sampling.denoised(made.unet(scaled, time, one.tokens, **more, **arguments).sample, x, levels)


def by_network(network, picture, strength=1.0, **kinds):
    def steer(scaled, time, tokens, more):
        down, middle = network(scaled, time, tokens, picture, strength, return_dict=False, **more, **kinds)
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}

    return steer


def by_adapter(network, picture, strength=1.0):
    return lambda *_: {"down_intrablock_additional_residuals": [one * strength for one in network(picture)]}


def a_picture(height=64, width=64, count=1):
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(3))


def planes(picture):
    return picture.movedim(-1, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_controlnet_steers_as_diffusers_does(name, layout, make_file, write, memory, caplog) -> None:
    made = make_file(name)
    network = make_control(made)
    net = open_control_net(write(LAYOUTS[layout](network.state_dict())))
    assert caplog.messages == []
    assert (net.kind, net.family) == ("control", name)
    model, picture, x = open_checkpoint(made.path).model, a_picture(), torch.randn(1, 4, 8, 8)
    one = condition(made, 1, controls=(Control(net, picture, 0.7),))
    (mine,) = predicted(model, [(one,)], x, memory)
    close(mine, expected(made, model, one, x, by_network(network, planes(picture), 0.7)))


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_the_original_names_are_those_that_diffusers_reads(name, make_file) -> None:
    state = make_control(make_file(name)).state_dict()
    converted = convert_controlnet_checkpoint(original(state), {"layers_per_block": 1})
    # It leaves out what SDXL is told beside the text, whose names are the UNet's.
    assert converted.keys() == {key for key in state if not key.startswith("add_embedding.")}
    assert all(torch.equal(converted[key], state[key]) for key in converted)


def test_a_small_controlnet_for_sdxl_attends_to_nothing(make_file, write, memory, caplog) -> None:
    made, network = make_file("sdxl"), make_small_sdxl_control()
    net = open_control_net(write(network.state_dict()))
    assert caplog.messages == []
    model, picture, x = open_checkpoint(made.path).model, a_picture(), torch.randn(1, 4, 8, 8)
    one = condition(made, 1, controls=(Control(net, picture),))
    close(
        predicted(model, [(one,)], x, memory)[0],
        expected(made, model, one, x, by_network(network, planes(picture))),
    )


@pytest.mark.parametrize("kind", [0, 6])
def test_a_union_network_is_told_the_type_of_its_picture(kind, make_file, write, memory, caplog) -> None:
    made = make_file("sdxl")
    network = make_union(made)
    net = replace(open_control_net(write(network.state_dict())), types=(kind,))
    assert caplog.messages == []
    assert net.kind == "union"
    model, picture, x = open_checkpoint(made.path).model, a_picture(), torch.randn(1, 4, 8, 8)
    one = condition(made, 1, controls=(Control(net, picture, 0.6),))
    asked = torch.zeros(1, 8)
    asked[0, kind] = 1
    said = {"control_type": asked, "control_type_idx": [kind]}

    def steer(scaled, time, tokens, more):
        down, middle = network(scaled, time, tokens, [planes(picture)], return_dict=False, **more, **said)
        down = [0.6 * part for part in down]
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": 0.6 * middle}

    close(predicted(model, [(one,)], x, memory)[0], expected(made, model, one, x, steer))


def test_a_union_network_that_is_told_no_type_still_sees_the_picture(make_file, write, memory) -> None:
    made = make_file("sdxl")
    net = open_control_net(write(make_union(made).state_dict()))
    model, x = open_checkpoint(made.path).model, torch.randn(1, 4, 8, 8)
    one = condition(made, 1)
    plain, first, second = (
        predicted(model, [(replace(one, controls=controls),)], x, memory)[0]
        for controls in ((), (Control(net, a_picture()),), (Control(net, 1 - a_picture()),))
    )
    assert not torch.allclose(plain, first, atol=1e-3)
    assert not torch.allclose(first, second, atol=1e-4)


def test_pictures_of_one_batch_do_not_change_each_other_in_a_union_network(make_file, write, memory) -> None:
    made = make_file("sdxl")
    net = replace(open_control_net(write(make_union(made).state_dict())), types=(3,))
    model, x, pictures = open_checkpoint(made.path).model, torch.randn(2, 4, 8, 8), a_picture(count=2)
    (both,) = predicted(model, [(condition(made, 1, controls=(Control(net, pictures),)),)], x, memory)
    for row in range(2):
        alone = condition(made, 1, controls=(Control(net, pictures[row : row + 1]),))
        close(both[row : row + 1], predicted(model, [(alone,)], x[row : row + 1], memory)[0])


ADAPTERS = [
    ("sd1", "full_adapter", (32, 64), 3, 2),
    ("sd1", "full_adapter", (32, 64), 1, 2),
    ("sd1 even", "light_adapter", (32,), 3, 4),
    ("sdxl", "full_adapter_xl", (32, 64, 128, 128), 3, 2),
]


@pytest.mark.parametrize("layout", ["the original one", "diffusers' one"])
@pytest.mark.parametrize(("name", "kind", "channels", "entering", "layers"), ADAPTERS)
def test_an_adapter_steers_as_diffusers_does(
    name, kind, channels, entering, layers, layout, make_file, write, memory, caplog
) -> None:
    made, network = make_file(name), make_adapter(kind, channels, entering, layers)
    state = network.state_dict()
    net = open_control_net(write(original_adapter(state, layers) if layout.startswith("the") else state))
    assert caplog.messages == []
    assert net.kind == "adapter"
    model, picture, x = open_checkpoint(made.path).model, a_picture(), torch.randn(1, 4, 8, 8)
    one = condition(made, 1, controls=(Control(net, picture, 0.8),))
    seen = planes(picture) if entering == 3 else planes(picture).mean(dim=1, keepdim=True)
    close(predicted(model, [(one,)], x, memory)[0], expected(made, model, one, x, by_adapter(network, seen, 0.8)))
