"""Autoencoding in tiles: seams vanish where the network is local, and nothing of a picture is left out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.coding import decoded, encoded
from nodes.diffusion import autoencoder
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import VAE, Latent
from nodes.latent import vae_decode, vae_decode_tiled, vae_encode, vae_encode_tiled
from nodes.loaders import Checkpoint


class Local:
    """Stands in for an autoencoder that looks at one cell only: an 8 x 8 block is its mean, four times over."""

    def decode(self, samples: Tensor, *, return_dict: bool) -> tuple[Tensor]:
        assert not return_dict
        self.largest = max(getattr(self, "largest", 0), *samples.shape[-2:])
        return (samples[:, :3].repeat_interleave(8, -1).repeat_interleave(8, -2),)

    def encode(self, pixels: Tensor) -> Any:
        self.largest = max(getattr(self, "largest", 0), *pixels.shape[-2:])
        mean = torch.nn.functional.avg_pool2d(pixels, 8)
        mean = torch.cat([mean, mean[:, :1]], dim=1)
        return type("Posterior", (), {"latent_dist": type("Normal", (), {"mean": mean})})


class LocalNetwork:
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        self.module = Local()


SIZES = [(8, 8), (16, 16), (17, 23), (9, 40), (1, 30)]


@pytest.mark.parametrize("cells", SIZES)
@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 16), (64, 64), (96, 32), (512, 64)])
def test_tiles_of_a_local_network_fit_together_without_seams(cells: tuple[int, int], tile: int, overlap: int) -> None:
    network: Any = LocalNetwork()
    vae = VAE(network, 4, 8)
    samples = torch.randn(2, 4, *cells, generator=torch.Generator().manual_seed(0))
    whole = autoencoder.decode(vae, samples)
    network.module.largest = 0
    tiled = autoencoder.decode_tiled(vae, samples, tile, overlap)
    assert torch.allclose(tiled, whole, atol=1e-6)
    assert network.module.largest <= tile // 8
    network.module.largest = 0
    latents = autoencoder.encode_tiled(vae, whole, tile, overlap)
    assert network.module.largest <= tile
    assert torch.allclose(latents, autoencoder.encode(vae, whole), atol=1e-5)


def test_the_nodes_tile_a_real_autoencoder(checkpoint: Checkpoint, memory: DeviceMemory) -> None:
    picture = torch.rand(1, 96, 160, 3, generator=torch.Generator().manual_seed(0))
    latent = vae_encode(pixels=picture, vae=checkpoint.VAE, memory=memory)
    tiled = vae_encode_tiled(pixels=picture, vae=checkpoint.VAE, tile_size=64, overlap=32, memory=memory)
    assert tiled.samples.shape == latent.samples.shape == (1, 4, 12, 20)
    for size, same in ((64, False), (512, True)):
        made = vae_decode_tiled(samples=latent, vae=checkpoint.VAE, tile_size=size, overlap=32, memory=memory)
        whole = vae_decode(samples=latent, vae=checkpoint.VAE, memory=memory)
        assert made.shape == whole.shape
        assert torch.equal(made, whole) is same


@pytest.mark.parametrize("what", ["decode", "encode"])
def test_when_memory_runs_out_tiles_are_taken_by_themselves(
    what: str, checkpoint: Checkpoint, memory: DeviceMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    ordinary: Callable[..., Tensor] = getattr(autoencoder, f"{what}_tiled")

    def full(*_: Any) -> Tensor:
        calls.append("whole")
        raise torch.OutOfMemoryError("out of memory")

    def tiled(*args: Any) -> Tensor:
        calls.append("tiles")
        return ordinary(*args)

    monkeypatch.setattr(autoencoder, what, full)
    monkeypatch.setattr(autoencoder, f"{what}_tiled", tiled)
    vae = replace(checkpoint.VAE)
    if what == "decode":
        assert decoded(vae, Latent(torch.zeros(1, 4, 8, 8)), memory).shape == (1, 64, 64, 3)
    else:
        assert encoded(vae, torch.zeros(1, 64, 64, 3), memory).shape == (1, 4, 8, 8)
    assert calls == ["whole", "tiles"]
