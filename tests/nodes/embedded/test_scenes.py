"""Scenes, captions, the renderer and the judge agree with one another."""

import random

import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.embedded.judge import judge, look
from nodes.embedded.render import SIZE, render
from nodes.embedded.scenes import COLOURS, SHAPES, SKIES, Item, Scene, caption, random_scene


@given(st.integers(0, 2**32))
def test_a_caption_names_every_colour_the_sky_and_a_word_for_each_shape(seed: int) -> None:
    rng = random.Random(seed)
    scene = random_scene(rng)
    text = caption(scene, rng)
    assert all(item.colour in text for item in scene.items)
    assert all(any(word in text for word in SHAPES[item.shape]) for item in scene.items)
    assert any(words in text for words in SKIES[scene.sky])


@given(st.integers(0, 2**32), st.booleans())
def test_training_and_evaluation_never_draw_the_same_scene(seed: int, held_out: bool) -> None:
    assert random_scene(random.Random(seed), held_out=held_out).held_out == held_out


def test_captions_vary_in_wording() -> None:
    rng = random.Random(0)
    scene = Scene("night", (Item("red", "cube", "small"), Item("blue", "sphere", "large")))
    assert len({caption(scene, rng) for _ in range(200)}) > 100


def test_the_same_seed_draws_the_same_pictures() -> None:
    scenes = [random_scene(random.Random(seed)) for seed in range(6)]
    first, second = (render(scenes, random.Random(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (6, 3, SIZE, SIZE)
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_the_judge_reads_what_the_renderer_drew() -> None:
    rng = random.Random(7)
    scenes = [random_scene(rng) for _ in range(150)]
    scenes = [scene for scene in scenes if len({item.colour for item in scene.items}) == len(scene.items)]
    verdicts = [judge(picture, scene) for picture, scene in zip(render(scenes, rng), scenes, strict=True)]
    assert all(verdict.sky for verdict in verdicts)
    colours = [right for verdict in verdicts for right in verdict.colours]
    assert sum(colours) / len(colours) > 0.98
    orders = [verdict.order for verdict in verdicts if verdict.order is not None]
    assert sum(orders) / len(orders) > 0.97


def test_the_judge_refuses_a_wrong_picture() -> None:
    asked = Scene("day", (Item("red", "cube", "large"), Item("blue", "sphere", "large")))
    swapped = Scene("night", (Item("blue", "cube", "large"), Item("green", "sphere", "large")))
    verdict = judge(render([swapped], random.Random(1))[0], asked)
    assert (verdict.sky, verdict.colours, verdict.order) == (False, (False, True), False)


def test_an_empty_backdrop_shows_no_object() -> None:
    for sky in SKIES:
        picture = render([Scene(sky, ())], random.Random(2))[0]
        assert look(picture).regions == ()


def test_every_colour_is_told_apart_under_every_sky() -> None:
    for sky in SKIES:
        for colour in COLOURS:
            picture = render([Scene(sky, (Item(colour, "sphere", "large"),))], random.Random(4))[0]
            assert look(picture).regions[0].colour == colour, (sky, colour)
