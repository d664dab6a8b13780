"""Previews show what the autoencoder would decode, and take no more than their share of the time."""

import io
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.preview import LARGEST, SMALL, Previews, encode_jpeg, fit_colours
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.values import VAE, Model

TRUE = torch.tensor([[0.1, 0.0, 0.05], [0.0, 0.1, 0.0], [0.05, 0.0, 0.1], [0.02, -0.03, 0.04]])
OFFSET = torch.tensor([0.5, 0.4, 0.6])
SCALE = 0.5


class LinearDecoder(torch.nn.Module):
    """Decodes each latent cell to a square of one colour, linear in the cell; `size` parameters that do nothing."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.ballast = torch.nn.Parameter(torch.zeros(size), requires_grad=False)
        self.decoded: list[tuple[int, ...]] = []

    def decode(self, samples: Tensor, return_dict: bool) -> tuple[Tensor]:
        assert not return_dict
        self.decoded.append(tuple(samples.shape[-2:]))
        colours = (samples.movedim(1, -1) @ TRUE + OFFSET).movedim(-1, 1)
        return (torch.nn.functional.interpolate(colours, scale_factor=8) * 2 - 1,)


def make(size: int) -> tuple[Model, LinearDecoder]:
    decoder = LinearDecoder(size)
    vae = VAE(Network("vae", decoder, dict(decoder.state_dict())), channels=4, factor=8)
    unet = Network("unet", torch.nn.Identity(), {})
    return Model(unet, make_discrete("eps", 0.00085, 0.012), SCALE, vae), decoder


@pytest.fixture
def resident() -> DeviceMemory:
    return DeviceMemory(torch.device("cpu"), 1 << 30)


def test_a_linear_autoencoder_is_fitted_exactly(resident: DeviceMemory) -> None:
    model, _ = make(10)
    with resident.resident(model.vae.network):
        colours = fit_colours(model.vae, 1.0)
    assert torch.allclose(colours.weights, TRUE, atol=2e-3)
    assert torch.allclose(colours.offset, OFFSET, atol=2e-3)


@pytest.mark.parametrize(("size", "decoded"), [(10, [(8, 16)] * 2), (SMALL + 1, [(24, 24)])])
def test_a_small_autoencoder_decodes_and_a_large_one_is_fitted_once(
    size: int, decoded: list[tuple[int, int]], resident: DeviceMemory
) -> None:
    model, decoder = make(size)
    cell = torch.tensor([1.0, -1.0, 2.0, 0.5])
    for _ in range(2):
        look = Previews(model, resident).of(cell[None, :, None, None].expand(2, 4, 8, 16) * SCALE)
        assert look is not None
        with Image.open(io.BytesIO(look())) as opened:
            assert opened.size == (128, 64)
            assert opened.getpixel((60, 30)) == pytest.approx(((cell @ TRUE + OFFSET) * 255).tolist(), abs=4)
    assert decoder.decoded == decoded


@pytest.mark.parametrize(
    ("own", "method", "decoded", "by_small"),
    [
        (SMALL + 1, "taesd", [], [(8, 16)]),
        (SMALL + 1, "auto", [(24, 24)], []),
        (SMALL + 1, "latent2rgb", [(24, 24)], []),
        (10, "latent2rgb", [(24, 24)], []),
        (10, "auto", [(8, 16)], []),
        (None, "auto", [], [(8, 16)]),
        (None, "latent2rgb", [], [(24, 24)]),
        (10, "none", None, []),
    ],
)
def test_the_method_says_who_decodes(
    own: int | None,
    method: str,
    decoded: list[tuple[int, int]] | None,
    by_small: list[tuple[int, int]],
    resident: DeviceMemory,
) -> None:
    model, decoder = make(own or 10)
    small, small_decoder = make(10)
    model = replace(model, vae=model.vae if own else None, small_vae=lambda: small.vae)
    cell = torch.tensor([1.0, -1.0, 2.0, 0.5])
    look = Previews(model, resident, method).of(cell[None, :, None, None].expand(2, 4, 8, 16) * SCALE)
    if decoded is None:
        assert look is None
        return
    assert look is not None
    with Image.open(io.BytesIO(look())) as opened:
        assert opened.size == (128, 64)
        assert opened.getpixel((60, 30)) == pytest.approx(((cell @ TRUE + OFFSET) * 255).tolist(), abs=4)
    assert (decoder.decoded, small_decoder.decoded) == (decoded, by_small)


def test_a_model_without_any_autoencoder_has_no_previews(resident: DeviceMemory) -> None:
    model = replace(make(10)[0], vae=None, small_vae=lambda: None)
    assert Previews(model, resident, "taesd").of(torch.zeros(1, 4, 8, 8)) is None


def test_a_large_latent_is_shrunk_before_it_is_decoded(resident: DeviceMemory) -> None:
    model, decoder = make(10)
    look = Previews(model, resident).of(torch.zeros(1, 4, 64, 128))
    assert look is not None
    with Image.open(io.BytesIO(look())) as opened:
        assert opened.size == (LARGEST, LARGEST // 2)
    assert decoder.decoded == [(16, 32)]


def test_previews_wait_until_sampling_has_earned_their_time(resident: DeviceMemory) -> None:
    seconds = iter([0.0, 1.0, 2.0, 3.0, 4.5])  # made; a preview from 1 to 2; asked at 3 and 4.5
    previews = Previews(make(10)[0], resident, clock=lambda: next(seconds))
    latent = torch.zeros(1, 4, 8, 8)
    first = previews.of(latent)
    assert first is not None
    first()
    assert previews.of(latent) is None, "one second of previews in three"
    assert previews.of(latent) is not None, "one second of previews in four and a half"


def test_a_preview_is_no_larger_than_it_needs_to_be() -> None:
    with Image.open(io.BytesIO(encode_jpeg(torch.full((4, 4, 3), 0.5), 2048, 4096))) as opened:
        assert opened.size == (256, 512)
