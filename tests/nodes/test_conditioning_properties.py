"""Several properties at once are the same as one after the other."""

import pytest
import torch

from executor.schema import InputError
from nodes import conditioning_properties as nodes
from nodes.diffusion.values import Condition

ONE = (Condition(torch.ones(1, 77, 8), torch.ones(1, 8)),)
TWO = (Condition(torch.zeros(1, 77, 8), torch.zeros(1, 8)),)
MASK = torch.ones(16, 16)


def test_a_range_comes_with_what_lies_around_it() -> None:
    made = nodes.conditioning_timesteps_range(start_percent=0.25, end_percent=0.75)
    assert made == ((0.25, 0.75), (0.0, 0.25), (0.75, 1.0))


def test_the_properties_are_set_and_the_first_conditioning_stays() -> None:
    (made,) = nodes.conditioning_set_properties(
        cond_NEW=ONE, strength=0.5, set_cond_area="mask bounds", mask=MASK, timesteps=(0.2, 0.6)
    )
    assert made.mask is not None
    assert made.mask.shape == (1, 16, 16)
    assert (made.mask_strength, made.strength, made.within_mask_bounds) == (0.5, 1.0, True)
    assert (made.start, made.end) == (0.2, 0.6)
    assert ONE[0].mask is None
    (plain,) = nodes.conditioning_set_properties(cond_NEW=ONE, strength=0.5, set_cond_area="default")
    assert (plain.strength, plain.mask, plain.start, plain.end) == (0.5, None, 0.0, 1.0)


def test_they_are_set_for_pairs_and_combined_with_others() -> None:
    set_alone = nodes.conditioning_set_properties(cond_NEW=ONE, strength=0.5, set_cond_area="default")
    combined = nodes.conditioning_set_properties_and_combine(
        cond=TWO, cond_NEW=ONE, strength=0.5, set_cond_area="default"
    )
    assert combined[0] is TWO[0]
    assert combined[1].strength == set_alone[0].strength == 0.5
    pair = nodes.pair_conditioning_set_properties(
        positive_NEW=ONE, negative_NEW=TWO, strength=2.0, set_cond_area="default"
    )
    assert (pair.positive[0].strength, pair.negative[0].strength) == (2.0, 2.0)
    assert torch.equal(pair.negative[0].tokens, TWO[0].tokens)
    both = nodes.pair_conditioning_set_properties_and_combine(
        positive=ONE, negative=TWO, positive_NEW=TWO, negative_NEW=ONE, strength=2.0, set_cond_area="default"
    )
    assert [one.strength for one in (*both.positive, *both.negative)] == [1.0, 2.0, 1.0, 2.0]
    summed = nodes.pair_conditioning_combine(positive_A=ONE, negative_A=TWO, positive_B=TWO, negative_B=ONE)
    assert summed == (ONE + TWO, TWO + ONE)


def test_defaults_are_marked_and_combined() -> None:
    made = nodes.conditioning_set_default_combine(cond=ONE, cond_DEFAULT=TWO)
    assert made[0] is ONE[0]
    assert [one.default for one in made] == [False, True]
    assert not TWO[0].default
    pair = nodes.pair_conditioning_set_default_combine(
        positive=ONE, negative=TWO, positive_DEFAULT=TWO, negative_DEFAULT=ONE
    )
    assert [[one.default for one in both] for both in pair] == [[False, True]] * 2
    assert pair.negative[1].tokens is ONE[0].tokens


def test_hooks_are_refused_rather_than_ignored() -> None:
    with pytest.raises(InputError, match="Disconnect them") as error:
        nodes.conditioning_set_properties(cond_NEW=ONE, set_cond_area="default", hooks=object())
    assert error.value.input_name == "hooks"
