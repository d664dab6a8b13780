"""Small autoencoders: their published files compute what diffusers' network of the same weights does."""

import logging
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import Tensor

from executor.folders import Folders
from executor.schema import InputError
from nodes.coding import decoded, encoded
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.small_vae import open_small_vae, small_vae_when_there
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Latent
from nodes.loaders_separate import vae_loader, vae_state

SCALES = {"taesd": 0.18215, "taesdxl": 0.13025}


def small(width: int = 8) -> AutoencoderTiny:
    torch.manual_seed(5)
    blocks = (width,) * 4
    return AutoencoderTiny(encoder_block_out_channels=blocks, decoder_block_out_channels=blocks).eval()


def write(folder: Path, name: str, model: AutoencoderTiny, ending: str = ".safetensors") -> None:
    """The two files as they are published: each a row of layers, where the decoder's begins with a clamp."""
    for half, begin in (("encoder", 0), ("decoder", 1)):
        rows: dict[str, Tensor] = {}
        for key, value in getattr(model, half).layers.state_dict().items():
            layer, _, rest = key.partition(".")
            rows[f"{int(layer) + begin}.{rest}"] = value
        path = folder / f"{name}_{half}{ending}"
        save_file(rows, path) if ending == ".safetensors" else torch.save(rows, path)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("vae", "vae_approx"):
        (tmp_path / name).mkdir()
    models = {"vae": (tmp_path / "vae",), "vae_approx": (tmp_path / "vae_approx",)}
    return Folders(tmp_path, tmp_path, tmp_path, tmp_path, models)


@pytest.mark.parametrize(("name", "ending"), [("taesd", ".safetensors"), ("taesdxl", ".pth")])
def test_a_small_autoencoder_computes_as_diffusers_does(name: str, ending: str, folders: Folders) -> None:
    model, memory = small(), DeviceMemory(torch.device("cpu"), 1 << 30)
    write(folders.models["vae_approx"][0], name, model, ending)
    vae = vae_loader(vae_name=name, folders=folders)
    assert (vae.channels, vae.factor, vae.space) == (4, 8, "sd" if name == "taesd" else "sdxl")
    latent = torch.randn(2, 4, 4, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = (model.decode(latent * SCALES[name]).sample / 2 + 0.5).clamp(0, 1).movedim(1, -1)
        picture = torch.rand(1, 32, 48, 3)
        coded = model.encode(picture.movedim(-1, 1) * 2 - 1).latents / SCALES[name]
    assert torch.allclose(decoded(vae, Latent(latent), memory), expected, atol=1e-5)
    assert torch.allclose(encoded(vae, picture, memory), coded, atol=1e-4)


def test_it_is_offered_where_both_halves_are_there(folders: Folders) -> None:
    approximations = folders.models["vae_approx"][0]
    (folders.models["vae"][0] / "own.safetensors").write_bytes(b"")
    write(approximations, "taesdxl", small())
    assert folders.list("autoencoders") == ["own.safetensors", "taesdxl"]
    assert folders.list("vae") == ["own.safetensors"]
    (approximations / "taesd_decoder.pth").write_bytes(b"")
    assert "taesd" not in folders.list("autoencoders")
    with pytest.raises(InputError, match="taesd_decoder, and the folder vae_approx lacks one") as error:
        vae_loader(vae_name="taesd", folders=folders)
    assert error.value.input_name == "vae_name"
    before = vae_state(vae_name="taesdxl", folders=folders)
    (approximations / "taesdxl_encoder.safetensors").write_bytes(b"another")
    assert vae_state(vae_name="taesdxl", folders=folders) != before


def test_a_file_that_is_no_decoder_is_named(tmp_path: Path) -> None:
    save_file({"0.weight": torch.zeros(4, 4)}, tmp_path / "taesd_decoder.safetensors")
    with pytest.raises(CheckpointError, match=r"taesd_decoder.safetensors.*holds no decoder of a small autoencoder"):
        open_small_vae(tmp_path / "taesd_decoder.safetensors", None, "sd")


def test_a_decoder_alone_is_enough_for_previews_and_found_when_it_comes(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    give = small_vae_when_there(folders.halves, "sd")
    assert give is not None
    assert give() is None
    approximations = folders.models["vae_approx"][0]
    write(approximations, "taesd", small())
    (approximations / "taesd_encoder.safetensors").unlink()
    found = give()
    assert found is not None
    assert give() is found, "it is opened once"
    latent = Latent(torch.zeros(1, 4, 2, 2))
    assert decoded(found, latent, DeviceMemory(torch.device("cpu"), 1 << 30)).shape == (1, 16, 16, 3)
    (approximations / "taesd_decoder.safetensors").write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert give() is None
    assert "Previews do without taesd_decoder.safetensors" in caplog.text
    assert small_vae_when_there(folders.halves, None) is None
