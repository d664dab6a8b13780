"""The fitted colours predict what the autoencoder decodes."""

import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from nodes.diffusion.memory.network import Network
from nodes.diffusion.preview import LARGEST, fit_colours, preview_jpeg
from nodes.diffusion.values import VAE, ColourMap

TRUE = torch.tensor([[0.1, 0.0, 0.05], [0.0, 0.1, 0.0], [0.05, 0.0, 0.1], [0.02, -0.03, 0.04]])
OFFSET = torch.tensor([0.5, 0.4, 0.6])


class LinearDecoder(torch.nn.Module):
    """Decodes each latent cell to a square of one colour, linear in the cell."""

    def decode(self, samples: Tensor, return_dict: bool) -> tuple[Tensor]:
        assert not return_dict
        colours = (samples.movedim(1, -1) @ TRUE + OFFSET).movedim(-1, 1)
        return (torch.nn.functional.interpolate(colours, scale_factor=8) * 2 - 1,)


def test_a_linear_autoencoder_is_fitted_exactly() -> None:
    network = Network("vae", LinearDecoder(), {})
    network.load(torch.device("cpu"), torch.float32)
    colours = fit_colours(VAE(network, 4, 8), 1.0)
    assert torch.allclose(colours.weights, TRUE, atol=2e-3)
    assert torch.allclose(colours.offset, OFFSET, atol=2e-3)


def test_a_large_preview_is_bounded() -> None:
    jpeg = preview_jpeg(ColourMap(TRUE, OFFSET), torch.zeros(2, 4, 64, 128), 8)
    with Image.open(io.BytesIO(jpeg)) as opened:
        assert opened.size == (LARGEST, LARGEST // 2)
        assert opened.getpixel((5, 5)) == pytest.approx((128, 102, 153), abs=2)
