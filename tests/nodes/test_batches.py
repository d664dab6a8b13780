"""Batches of any number of pictures, masks and latents."""

import torch

from nodes.batches import batch_images, batch_latents, batch_masks
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
