"""Batches of any number of pictures, masks and latents."""

from typing import Any

import pytest
import torch

from nodes.batches import batch_images, batch_latents, batch_masks, rebatch_latents
from nodes.diffusion.values import Latent


def test_pictures_get_the_size_of_the_first_and_are_cut_evenly() -> None:
    first, wide = torch.zeros(1, 4, 4, 3), torch.arange(8.0)[None, None, :, None].expand(2, 4, 8, 3)
    together = batch_images(images={"image0": first, "image1": wide, "image2": first + 1})
    assert together.shape == (4, 4, 4, 3)
    assert together[1, 0, :, 0].tolist() == [2, 3, 4, 5]
    assert together[3].eq(1).all()
    assert batch_images(images={"image0": first}) is first


def test_masks_get_the_size_of_the_first_and_are_cut_evenly() -> None:
    first, wide = torch.zeros(4, 4), torch.arange(8.0)[None, None].expand(2, 4, 8)
    together = batch_masks(masks={"mask0": first, "mask1": wide, "mask2": torch.ones(1, 4, 4)})
    assert together.shape == (4, 4, 4)
    assert together[1, 0].tolist() == [2, 3, 4, 5]
    assert together[3].eq(1).all()


def test_latents_get_the_size_of_the_first() -> None:
    first, large = Latent(torch.zeros(1, 4, 8, 8)), Latent(torch.ones(2, 4, 16, 16))
    together = batch_latents(latents={"latent0": first, "latent1": large})
    assert together.samples.shape == (3, 4, 8, 8)
    assert together.samples[1:].eq(1).all()


def counted(first: int, count: int, side: int = 8, **rest: Any) -> Latent:
    """Latents that hold their number."""
    return Latent(torch.arange(first, first + count).float().reshape(-1, 1, 1, 1).expand(-1, 4, side, side), **rest)


@pytest.mark.parametrize(
    ("given", "size", "numbers", "indices"),
    [
        ([counted(0, 5)], 2, [[0, 1], [2, 3], [4]], [(0, 1), (2, 3), (4,)]),
        ([counted(0, 2), counted(2, 3)], 4, [[0, 1, 2, 3], [4]], [(0, 1, 2, 3), (4,)]),
        ([counted(0, 2), counted(2, 1)], 4096, [[0, 1, 2]], [(0, 1, 2)]),
        ([counted(0, 1), counted(1, 1, side=16), counted(2, 1)], 2, [[0], [1], [2]], [(0,), (1,), (2,)]),
        ([counted(0, 2, batch_index=(7, 3)), counted(2, 1)], 2, [[0, 1], [2]], [(7, 3), (2,)]),
    ],
)
def test_a_list_of_latents_is_cut_into_batches_of_one_size(
    given: list[Latent], size: int, numbers: list[list[int]], indices: list[tuple[int, ...]]
) -> None:
    made = rebatch_latents(latents=given, batch_size=size)
    assert [one.samples[:, 0, 0, 0].tolist() for one in made] == numbers
    assert [one.batch_index for one in made] == indices


def test_noise_masks_go_with_their_latents() -> None:
    masked = counted(0, 2, noise_mask=torch.zeros(1, 64, 64))
    first, second = rebatch_latents(latents=[counted(0, 1), masked], batch_size=2)
    assert first.noise_mask is not None
    assert second.noise_mask is not None
    assert first.noise_mask.mean(dim=(1, 2)).tolist() == [1, 0], "where there was none, everything may change"
    assert second.noise_mask.shape == (1, 64, 64)
    assert rebatch_latents(latents=[counted(0, 2)], batch_size=1)[0].noise_mask is None
