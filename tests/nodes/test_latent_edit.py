"""Latents are cut, turned, mixed and batched; what is not named stays."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.diffusion.sampling.noise import Noise, initial_noise
from nodes.diffusion.values import Latent
from nodes.latent import OLD_SCALE, latent_digest, load_latent, save_latent
from nodes.latent_edit import (
    latent_add,
    latent_batch,
    latent_blend,
    latent_composite,
    latent_composite_masked,
    latent_crop,
    latent_flip,
    latent_from_batch,
    latent_interpolate,
    latent_multiply,
    latent_rotate,
    latent_subtract,
    repeat_latent_batch,
)


def numbered(count: int = 3, **rest: Any) -> Latent:
    """Latents of 4 x 8 x 8 that hold their number in the batch."""
    return Latent(torch.arange(count).float().reshape(-1, 1, 1, 1).expand(-1, 4, 8, 8).clone(), **rest)


def full(value: float, count: int = 1, rows: int = 8, columns: int = 8) -> Latent:
    return Latent(torch.full((count, 4, rows, columns), value))


def numbers(latent: Latent) -> list[float]:
    return latent.samples[:, 0, 0, 0].tolist()


def test_latents_taken_from_a_batch_keep_their_noise_and_masks() -> None:
    masks = torch.arange(3).float().reshape(3, 1, 1).expand(3, 8, 8)
    taken = latent_from_batch(samples=numbered(noise_mask=masks), batch_index=1, length=5)
    assert numbers(taken) == [1, 2]
    assert taken.noise_mask is not None
    assert taken.noise_mask[:, 0, 0].tolist() == [1, 2]
    whole = initial_noise(numbered().samples, 7)
    assert torch.equal(Noise(7).of(taken), whole[1:])
    again = latent_from_batch(samples=taken, batch_index=1, length=1)
    assert torch.equal(Noise(7).of(again), whole[2:])
    assert numbers(latent_from_batch(samples=numbered(), batch_index=63, length=1)) == [2]


def test_repetitions_of_taken_latents_get_noise_of_their_own() -> None:
    assert repeat_latent_batch(samples=numbered(2), amount=2).batch_index is None
    repeated = repeat_latent_batch(samples=numbered(2, batch_index=(4, 6)), amount=2)
    assert numbers(repeated) == [0, 1, 0, 1]
    assert repeated.batch_index == (4, 6, 7, 9)


def test_batches_are_put_together_in_the_size_of_the_first() -> None:
    both = latent_batch(samples1=numbered(2), samples2=full(5.0, rows=16, columns=16))
    assert both.samples.shape == (3, 4, 8, 8)
    assert numbers(both) == [0, 1, 5]
    assert both.batch_index == (0, 1, 0)


def test_turning_and_mirroring_move_cells() -> None:
    samples = torch.arange(6).float().reshape(1, 1, 2, 3)
    latent = Latent(samples)
    turned = {
        "none": [[0, 1, 2], [3, 4, 5]],
        "90 degrees": [[3, 0], [4, 1], [5, 2]],
        "180 degrees": [[5, 4, 3], [2, 1, 0]],
        "270 degrees": [[2, 5], [1, 4], [0, 3]],
    }
    for rotation, expected in turned.items():
        assert latent_rotate(samples=latent, rotation=rotation).samples[0, 0].tolist() == expected
    assert latent_flip(samples=latent, flip_method="x-axis: vertically").samples[0, 0].tolist() == [
        [3, 4, 5],
        [0, 1, 2],
    ]
    assert latent_flip(samples=latent, flip_method="y-axis: horizontally").samples[0, 0].tolist() == [
        [2, 1, 0],
        [5, 4, 3],
    ]


def test_a_crop_begins_where_eight_cells_are_left() -> None:
    latent = Latent(torch.arange(16 * 16).float().reshape(1, 1, 16, 16))
    cut = latent_crop(samples=latent, width=64, height=80, x=32, y=24)
    assert torch.equal(cut.samples, latent.samples[..., 3:13, 4:12])
    late = latent_crop(samples=latent, width=64, height=64, x=4096, y=4096)
    assert torch.equal(late.samples, latent.samples[..., 8:, 8:])


def test_a_pasted_latent_is_cut_at_the_border() -> None:
    made = latent_composite(samples_to=full(0.0), samples_from=full(1.0), x=48, y=0, feather=0)
    assert made.samples[0, 0].sum(0).tolist() == [0] * 6 + [8] * 2
    outside = latent_composite(samples_to=full(0.0), samples_from=full(1.0), x=64, y=0, feather=16)
    assert not outside.samples.any()


def test_a_pasted_latent_fades_where_it_does_not_touch_the_border() -> None:
    patch = full(1.0, rows=8, columns=4)
    made = latent_composite(samples_to=full(0.0), samples_from=patch, x=16, y=0, feather=16)
    assert made.samples[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1, 0.5, 0, 0]
    assert torch.equal(made.samples[0, 0], made.samples[0, 0, :1].expand(8, 8))


def test_a_latent_is_pasted_under_a_mask_and_resized_on_demand() -> None:
    mask = torch.tensor([[[0.0, 1.0], [0.25, 0.0]]])
    patch = full(4.0, rows=2, columns=2)
    made = latent_composite_masked(destination=full(0.0), source=patch, x=8, y=16, mask=mask)
    assert made.samples[0, 0, 2:4, 1:3].tolist() == [[0, 4], [1, 0]]
    assert float(made.samples[0, 0].sum()) == 5
    whole = latent_composite_masked(destination=full(0.0), source=patch, x=0, y=0, resize_source=True)
    assert torch.equal(whole.samples, full(4.0).samples)


def test_arithmetic_fits_the_second_latent_to_the_first() -> None:
    one, other = numbered(3), full(2.0, rows=16, columns=16)
    assert numbers(latent_add(samples1=one, samples2=other)) == [2, 3, 4]
    assert numbers(latent_subtract(samples1=one, samples2=other)) == [-2, -1, 0]
    assert numbers(latent_multiply(samples=one, multiplier=-1.5)) == [0, -1.5, -3]
    assert numbers(latent_blend(samples1=full(1.0), samples2=full(5.0, rows=4, columns=4), blend_factor=0.75)) == [2]


def test_interpolation_turns_directions_and_lengths_apart() -> None:
    along, across = torch.zeros(1, 2, 1, 1), torch.zeros(1, 2, 1, 1)
    along[0, 0], across[0, 1] = 2.0, 4.0
    half = latent_interpolate(samples1=Latent(along), samples2=Latent(across), ratio=0.5).samples.flatten().tolist()
    assert half == pytest.approx([3 / 2**0.5, 3 / 2**0.5])
    zero = latent_interpolate(samples1=full(0.0), samples2=full(0.0), ratio=0.5).samples
    assert torch.equal(zero, full(0.0).samples)


def test_a_saved_latent_is_loaded_again(folders: Folders) -> None:
    latent = Latent(torch.randn(1, 4, 8, 8))
    save_latent(samples=latent, filename_prefix="x", folders=folders, run=RunInfo({}, {}, "1"))
    (folders.output / "x_00001_.latent").rename(folders.input / "x.latent")
    assert torch.equal(load_latent(latent="x.latent", folders=folders).samples, latent.samples)
    digest = latent_digest(latent="x.latent", folders=folders)
    save_file({"latent_tensor": latent.samples * OLD_SCALE}, folders.input / "x.latent")
    assert torch.allclose(load_latent(latent="x.latent", folders=folders).samples, latent.samples)
    assert latent_digest(latent="x.latent", folders=folders) != digest


def test_what_is_no_latent_is_refused_by_name(folders: Folders) -> None:
    (folders.input / "text.latent").write_text("no")
    save_file({"other": torch.zeros(1)}, folders.input / "other.latent")
    for name in ("text.latent", "other.latent"):
        with pytest.raises(InputError, match=f"'{name}' is no saved latent"):
            load_latent(latent=name, folders=folders)
    with pytest.raises(InputError, match=r"'gone\.latent' is not in the input folder"):
        load_latent(latent="gone.latent", folders=folders)
