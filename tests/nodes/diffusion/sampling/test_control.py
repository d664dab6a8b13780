"""Controls among conditions: which rows they steer, where, when and how strongly; and files that are none."""

from dataclasses import replace

import pytest
import torch

from nodes.diffusion.checkpoints.control import open_control_net, open_difference
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.patches.contract import Alteration
from nodes.diffusion.sampling.control import PIXELS, fitted, networks_of
from nodes.diffusion.sampling.guidance import CfgGuider, Predictions
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.regions import Box
from nodes.diffusion.sampling.sample import Settings, sample
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.diffusion.values import Area, Condition, Control, Latent
from tests.nodes.diffusion.families.test_control import a_picture, condition, original, predicted, write
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_controls import make_adapter, make_control, make_union

__all__ = ["write"]
X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def scene(make_file, write):
    """A model, a network that steers it, and two conditions."""
    made = make_file("sd1")
    net = open_control_net(write(make_control(made).state_dict()))
    return open_checkpoint(made.path).model, net, condition(made, 1), condition(made, 2)


def steered(one: Condition, *controls: Control) -> Condition:
    return replace(one, controls=(*one.controls, *controls))


def test_rows_without_a_control_are_as_if_there_were_none(scene, memory) -> None:
    model, net, one, other = scene
    control = Control(net, a_picture(count=2))
    together = predicted(model, [(steered(one, control),), (other,)], X, memory)
    close(together[0], predicted(model, [(steered(one, control),)], X, memory)[0])
    close(together[1], predicted(model, [(other,)], X, memory)[0])
    assert not torch.allclose(together[0], predicted(model, [(one,)], X, memory)[0], atol=1e-3)


def test_strength_0_is_bit_for_bit_as_if_there_were_none(scene, memory) -> None:
    model, net, one, other = scene
    none = predicted(model, [(one,), (other,)], X, memory)
    with_it = predicted(model, [(steered(one, Control(net, a_picture(), 0.0)),), (other,)], X, memory)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(none, with_it, strict=True))


def test_a_control_of_one_branch_changes_nothing_in_another(scene, memory) -> None:
    model, net, one, other = scene
    before = predicted(model, [(one,), (other,)], X, memory)
    predicted(model, [(steered(one, Control(net, a_picture())),), (other,)], X, memory)
    after = predicted(model, [(one,), (other,)], X, memory)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(before, after, strict=True))


def test_several_controls_add_up(scene, make_file, write, memory) -> None:
    model, net, one, _ = scene
    second = open_control_net(write(make_control(make_file("sd1"), seed=6).state_dict()))
    adapter = open_control_net(write(make_adapter("full_adapter", (32, 64)).state_dict(), "adapter.safetensors"))
    first, inverse = Control(net, a_picture(), 0.5), Control(net, 1 - a_picture(), 0.5)
    (twice,) = predicted(model, [(steered(one, first, first),)], X, memory)
    close(twice, predicted(model, [(steered(one, replace(first, strength=1.0)),)], X, memory)[0])
    (all_of_them,) = predicted(
        model, [(steered(one, first, inverse, Control(second, a_picture()), Control(adapter, a_picture())),)], X, memory
    )
    (without,) = predicted(model, [(steered(one, first, inverse, Control(second, a_picture())),)], X, memory)
    assert not torch.allclose(all_of_them, without, atol=1e-3)
    (quiet,) = predicted(
        model,
        [(steered(one, first, inverse, Control(second, a_picture()), Control(adapter, a_picture(), 1e-12)),)],
        X,
        memory,
    )
    close(quiet, without)


TIMES = [(0.0, 0.4, [True, False, False]), (0.3, 0.8, [False, True, False]), (0.6, 1.0, [False, False, True])]


@pytest.mark.parametrize(("start", "end", "counts"), TIMES)
def test_a_control_counts_during_its_part_of_the_sampling(start, end, counts, scene, memory) -> None:
    model, net, one, _ = scene
    with_it = steered(one, Control(net, a_picture(), 1.0, start, end))
    for share, count in zip((0.1, 0.5, 0.9), counts, strict=True):
        sigma = model.sampling.level_at(share)
        plain, mine = (predicted(model, [(each,)], X, memory, sigma)[0] for each in (one, with_it))
        assert torch.equal(plain, mine) != count


def test_a_control_for_everything_steers_what_has_none_in_the_same_place(scene, memory) -> None:
    model, net, one, other = scene
    control = Control(net, a_picture(), everywhere=True)
    (_, negative) = predicted(model, [(steered(one, control),), (other,)], X, memory)
    close(negative, predicted(model, [(steered(other, control),)], X, memory)[0])
    own = steered(other, Control(net, 1 - a_picture()))
    close(
        predicted(model, [(steered(one, control),), (own,)], X, memory)[1],
        predicted(model, [(own,)], X, memory)[0],
    )


def test_a_condition_with_an_area_sees_its_cut_of_the_picture(scene, memory) -> None:
    model, net, one, _ = scene
    x, picture = torch.randn(1, 4, 16, 16), a_picture(128, 128)
    area = replace(steered(one, Control(net, picture)), area=Area(8, 0, 8, 16))
    (mine,) = predicted(model, [(area,)], x, memory)
    alone = steered(one, Control(net, picture[:, :, 64:]))
    close(mine[..., 8:], predicted(model, [(alone,)], x[..., 8:], memory)[0])


FITTED = [
    ("one of the right size stays as it is", (64, 64), Box(0, 0, 8, 8), (64, 64)),
    ("one of other proportions is cut evenly", (64, 128), Box(0, 0, 8, 8), (64, 64)),
    ("a small one is enlarged", (16, 16), Box(0, 0, 8, 8), (64, 64)),
    ("an area gets its part", (128, 128), Box(2, 4, 4, 2), (32, 16)),
]


@pytest.mark.parametrize(("what", "size", "box", "expected"), FITTED)
def test_pictures_are_fitted_to_the_latent(what, size, box, expected) -> None:
    columns = torch.linspace(0, 1, size[1])[None, None, :, None].expand(1, size[0], -1, 3)
    made = fitted(columns, 8, 8, box)
    assert made.shape == (1, 3, *expected), what
    # The middle of the box keeps its place in the picture's middle part.
    middle = (box.left + box.width / 2) / 8
    span = min(1.0, size[0] / size[1])
    assert float(made.mean()) == pytest.approx(0.5 + span * (middle - 0.5), abs=0.02), what


def test_odd_latents_get_squares_for_adapters_that_look_at_16_pixels() -> None:
    assert fitted(a_picture(72, 88), 9, 11, Box(0, 0, 9, 11), 16).shape == (1, 3, 80, 96)
    assert PIXELS == 8


def test_the_network_that_says_one_thing_for_all_places_is_known_by_its_file(make_file, write, memory) -> None:
    made = make_file("sd1")
    state = make_control(made).state_dict()
    model = open_checkpoint(made.path).model
    net = open_control_net(write(state, "control_v11e_sd15_shuffle.safetensors"))
    plain = open_control_net(write(state, "control_v11p_sd15_canny.safetensors"))
    assert (net.pooled, plain.pooled) == (True, False)
    one = condition(made, 1)
    made_by = [predicted(model, [(steered(one, Control(each, a_picture())),)], X, memory)[0] for each in (net, plain)]
    assert not torch.allclose(*made_by, atol=1e-3)


def test_a_difference_is_put_on_top_of_the_model_that_it_is_of(make_file, write) -> None:
    made = make_file("sd1")
    network = make_control(made)
    for name, value in network.named_parameters():
        if name in made.unet.state_dict():
            value.add_(torch.randn_like(value) * 0.01)
    state, unet = network.state_dict(), made.unet.state_dict()
    change = {name: value - unet[name] if name in unet else value for name, value in state.items()}
    path = write(
        {**{f"control_model.{key}": one for key, one in original(change).items()}, "difference": torch.ones(0)}
    )
    with pytest.raises(CheckpointError, match=r"steering\.safetensors .* DiffControlNetLoader"):
        open_control_net(path)
    model = open_checkpoint(made.path).model
    net = open_difference(path, model)
    assert all(torch.allclose(value, state[name], atol=1e-6) for name, value in net.network.weights.items())
    with pytest.raises(CheckpointError, match=r"steering\.safetensors does not fit the model"):
        open_difference(path, open_checkpoint(make_file("sd1 even").path).model)


def test_a_file_that_is_no_control_network_says_what_it_holds(make_file, write) -> None:
    with pytest.raises(CheckpointError, match=r"sd1\.safetensors .* no ControlNet and no T2I adapter"):
        open_control_net(make_file("sd1").path)
    state = make_control(make_file("sd1")).state_dict()
    with pytest.raises(CheckpointError, match=r"Control-LoRA"):
        open_control_net(write({**state, "lora_controlnet": torch.zeros(1)}))
    del state["controlnet_mid_block.weight"]
    with pytest.raises(CheckpointError, match=r"incomplete: middle_block_out\.0\.weight is missing"):
        open_control_net(write(state))


@pytest.mark.parametrize("kind", ["control", "adapter", "union"])
def test_a_network_for_another_family_is_named(kind, scene, make_file, write, memory) -> None:
    model, _, one, _ = scene
    sdxl = make_file("sdxl")
    network = {
        "control": lambda: make_control(sdxl),
        "union": lambda: make_union(sdxl),
        "adapter": lambda: make_adapter("full_adapter_xl", (32, 64, 128, 128)),
    }[kind]()
    net = open_control_net(write(network.state_dict(), "for_sdxl.safetensors"))
    with pytest.raises(ValueError, match=r"for_sdxl\.safetensors was made for another UNet .* ControlNetLoader"):
        predicted(model, [(steered(one, Control(net, a_picture())),)], X, memory)


def test_control_networks_are_resident_beside_the_unet_also_where_there_is_hardly_room(make_file, write) -> None:
    made = make_file("sdxl")
    model = open_checkpoint(made.path).model
    net = replace(open_control_net(write(make_union(made).state_dict())), types=(1,))
    one = steered(condition(made, 1), Control(net, a_picture()))
    plenty, little = (DeviceMemory(torch.device("cpu"), budget) for budget in (1 << 30, 1 << 16))
    (expected,) = predicted(model, [(one,)], X, plenty)
    plenty.free()
    (mine,) = predicted(model, [(one,)], X, little)
    assert not net.network.whole
    close(mine, expected)
    little.free()


def test_a_whole_run_with_guidance_and_a_network_for_the_positive_only(scene, memory) -> None:
    model, net, one, other = scene
    settings = Settings(choose_sampler("euler"), torch.tensor([10.0, 3.0, 0.0]), Noise(4))
    latent = Latent(torch.zeros(1, 4, 8, 8))
    control = Control(net, a_picture())
    with memory.resident(model.network, *networks_of([(steered(one, control),)])):
        results = [
            sample(CfgGuider(model, wanted, (other,), 3.0), latent, settings, lambda *_: None).latent.samples
            for wanted in ((one,), (steered(one, control),))
        ]
    assert not torch.allclose(*results, atol=1e-3)


def test_nothing_is_asked_of_networks_when_there_are_no_controls(scene, memory) -> None:
    model, _, one, other = scene
    seen = []
    with torch.inference_mode(), memory.resident(model.network):
        handle = model.network.module.register_forward_pre_hook(lambda _, __, more: seen.append(more), with_kwargs=True)
        Predictions(model, [(one,), (other,)], X)(X, 2.0, (0, 1))
        handle.remove()
    assert [sorted(more) for more in seen] == [["encoder_hidden_states", "return_dict"]]


class Nothing(Alteration):
    """Makes the network be walked, and changes nothing."""


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_altered_networks_are_steered_in_the_same_way(name, make_file, write, memory) -> None:
    made = make_file(name)
    adapter = ("full_adapter", (32, 64)) if name == "sd1" else ("full_adapter_xl", (32, 64, 128, 128))
    nets = [
        open_control_net(write(network.state_dict(), f"{kind}.safetensors"))
        for kind, network in (("control", make_control(made)), ("adapter", make_adapter(*adapter)))
    ]
    model = open_checkpoint(made.path).model
    one = steered(condition(made, 1), *(Control(net, a_picture()) for net in nets))
    (plain,) = predicted(model, [(one,)], X, memory)
    (walked,) = predicted(replace(model, alterations=(Nothing(),)), [(one,)], X, memory)
    close(walked, plain, 1e-5)
