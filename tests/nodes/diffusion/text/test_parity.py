"""Tokens, weights and encodings agree with those recorded for the field's workflows."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from nodes.diffusion.checkpoints.networks import make_text_model
from nodes.diffusion.memory.network import Network
from nodes.diffusion.text.chunks import make_chunks
from nodes.diffusion.text.clip import encode, encode_chunks
from nodes.diffusion.text.tokenizer import END, VOCABULARY_SHA256, load_tokenizer, vocabulary_path

DATA = Path(__file__).parents[2] / "data" / "parity"
RECORDED: dict[str, Any] = json.loads((DATA / "clip.json").read_text())
OUTPUTS = load_file(DATA / "clip_outputs.safetensors")
PROMPTS = list(enumerate(RECORDED["prompts"]))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer()


@pytest.fixture(scope="module")
def network() -> Network:
    """The small recorded text model; its token embedding is a formula."""
    config = {name: value for name, value in RECORDED["config"].items() if name != "num_positions"}
    weights = load_file(DATA / "clip_tiny.safetensors")
    row = torch.arange(49408, dtype=torch.float64)[:, None]
    column = torch.arange(config["hidden_size"], dtype=torch.float64)
    tokens = (0.5 * torch.sin(0.37 * row + 1.3 * column + 0.011 * row * column)).float()
    weights = {name.removeprefix("text_model."): value for name, value in weights.items()}
    module = make_text_model(config, config["projection_dim"])
    network = Network("text", module, weights | {"embeddings.token_embedding.weight": tokens})
    network.load(torch.device("cpu"), torch.float32)
    return network


def test_the_packaged_vocabulary_is_the_standard_one_and_imports_nothing() -> None:
    assert hashlib.sha256(vocabulary_path().read_bytes()).hexdigest() == VOCABULARY_SHA256
    assert "refiners" not in sys.modules


@pytest.mark.parametrize(("layout", "pad"), [("sd1_l", 49407), ("sdxl_g", 0)])
@pytest.mark.parametrize(("index", "prompt"), PROMPTS)
def test_tokens_and_weights_are_the_recorded_ones(
    tokenizer: Tokenizer, index: int, prompt: dict[str, Any], layout: str, pad: int
) -> None:
    chunks = make_chunks(tokenizer, prompt["prompt"], pad)
    assert [list(chunk.tokens) for chunk in chunks] == [[token for token, _ in chunk] for chunk in prompt[layout]]
    mine = [weight for chunk in chunks for weight in chunk.weights]
    assert mine == pytest.approx([weight for chunk in prompt[layout] for _, weight in chunk]), f"prompt {index}"


VARIANTS = [
    ("sd1", -1, END, True),
    ("sd1_clip_skip2", -2, END, True),
    ("sdxl_l", -2, END, False),
    ("sdxl_g", -2, 0, False),
]


@pytest.mark.parametrize(("variant", "layer", "pad", "normed"), VARIANTS)
@pytest.mark.parametrize(("index", "prompt"), PROMPTS)
def test_encodings_are_the_recorded_ones(
    tokenizer: Tokenizer,
    network: Network,
    index: int,
    prompt: dict[str, Any],
    variant: str,
    layer: int,
    pad: int,
    normed: bool,
) -> None:
    chunks, (empty,) = make_chunks(tokenizer, prompt["prompt"], pad), make_chunks(tokenizer, "", pad)
    encoding = encode_chunks(network, chunks, empty, layer, normed=normed)
    check_close(encoding.pooled, OUTPUTS[f"{index}/{variant}/pooled"], 1e-5)
    recorded = OUTPUTS.get(f"{index}/{variant}/cond")
    if recorded is not None:
        check_close(encoding.tokens, recorded.float(), 5e-4)  # recorded in half precision


def check_close(mine: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    assert mine.shape == theirs.shape
    assert float((mine - theirs).abs().max() / theirs.abs().max()) < tolerance


def test_a_layer_before_the_first_is_the_first(tokenizer: Tokenizer, network: Network) -> None:
    first = encode(network, tokenizer, "a cat", -(RECORDED["config"]["num_hidden_layers"] + 1))
    assert torch.equal(encode(network, tokenizer, "a cat", -24).tokens, first.tokens)
