"""Pickles are opened as data: tensors come out of them, and no code of theirs runs."""

import pickle
import sys
from pathlib import Path

import pytest
import torch

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.pickled import read_pickle


class Trap:
    """What unpickling it would do."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple:
        return (exec, (f"open({str(self._mark)!r}, 'w').close()",))


WAYS = {
    "a zip archive": {},
    "a bare pickle, as torch wrote before 1.6": {"_use_new_zipfile_serialization": False},
}


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("outer", [None, "state_dict"])
def test_a_checkpoint_in_a_pickle_is_the_same_checkpoint(options, outer, random_tensors, tmp_path) -> None:
    path = tmp_path / "model.ckpt"
    content = {outer: random_tensors, "epoch": 3, "global_step": 470000} if outer else random_tensors
    torch.save(content, path, **options)
    opened = open_checkpoint(path)
    weights = opened.model.network.weights
    assert torch.equal(weights["conv_in.weight"], random_tensors["model.diffusion_model.input_blocks.0.0.weight"])


@pytest.mark.parametrize("place", ["alone", "beside the tensors", "raw"])
def test_a_pickle_that_needs_code_is_refused_in_one_sentence(place, random_tensors, tmp_path: Path) -> None:
    path, mark = tmp_path / "model.ckpt", tmp_path / "mark"
    trap = Trap(mark)
    if place == "raw":
        path.write_bytes(pickle.dumps(trap, protocol=2))
    else:
        torch.save(trap if place == "alone" else {"state_dict": random_tensors, "callbacks": trap}, path)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert not mark.exists()
    message = str(caught.value)
    assert message.startswith("model.ckpt is ")
    assert message.count("\n") == 0
    if place != "raw":
        assert "is a pickle that wants to run code, which is never done" in message


def test_a_truncated_archive_is_named(random_tensors, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(random_tensors, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match=r"model\.ckpt is damaged: it is no readable zip archive\."):
        open_checkpoint(path)


def test_tensors_of_the_first_embedding_trainers_are_found(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.ones(2, 3)}, "name": "x"}, path)
    assert {name: value.shape for name, value in read_pickle(path).items()} == {"*": (2, 3)}
    assert "pytorch_lightning" not in sys.modules
