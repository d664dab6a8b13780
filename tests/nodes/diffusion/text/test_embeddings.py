"""`embedding:name` stands for the vectors of a file, for each text model its own."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from nodes.diffusion.checkpoints.networks import make_text_model
from nodes.diffusion.memory.network import Network
from nodes.diffusion.text.chunks import PLACEHOLDER, embedding_names, make_chunks
from nodes.diffusion.text.embeddings import find_embedding, find_vectors
from nodes.diffusion.text.encoder import encode_text
from nodes.diffusion.text.tokenizer import END, START, load_tokenizer
from nodes.diffusion.values import TextEncoder, TextModel

WIDTHS = {"l": 64, "g": 128}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer()


def network(width: int) -> Network:
    torch.manual_seed(width)
    sizes = {"hidden_size": width, "intermediate_size": width, "num_hidden_layers": 2, "num_attention_heads": 1}
    module = make_text_model(sizes | {"vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": 49407})
    made = Network("text", module, {name: torch.randn(one.shape) / 9 for name, one in module.state_dict().items()})
    made.load(torch.device("cpu"), torch.float32)
    return made


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return {role: network(width) for role, width in WIDTHS.items()}


def encoder(networks: dict[str, Network], tokenizer: Tokenizer, folder: Path, roles: str) -> TextEncoder:
    models = tuple(TextModel(role, networks[role], pad=END if role == "l" else 0) for role in roles)
    return TextEncoder(models, tokenizer, -1, (folder,))


VECTORS = {"l": torch.randn(2, 64), "g": torch.randn(2, 128)}


def write(folder: Path, kind: str) -> str:
    """A file with two vectors; the text that asks for it."""
    if kind == "safetensors of one text model":
        save_file({"emb_params": VECTORS["l"]}, folder / "mine.safetensors")
    elif kind == "safetensors of two text models":
        save_file({"clip_l": VECTORS["l"], "clip_g": VECTORS["g"]}, folder / "mine.safetensors")
    elif kind == "pickle of the first trainers":
        content = {"string_to_token": {"*": 265}, "string_to_param": {"*": VECTORS["l"]}, "name": "mine", "step": 9}
        torch.save(content, folder / "mine.pt")
    else:
        torch.save({"<mine>": VECTORS["l"]}, folder / "mine.bin")
    return "embedding:mine"


KINDS = [
    ("safetensors of one text model", "l"),
    ("safetensors of two text models", "lg"),
    ("pickle of the first trainers", "l"),
    ("pickle by word", "l"),
]


@pytest.mark.parametrize(("kind", "roles"), KINDS)
def test_vectors_encode_as_tokens_whose_embedding_they_are(kind, roles, networks, tokenizer, tmp_path) -> None:
    """The same numbers as when two tokens of the vocabulary had these embeddings."""
    asked = write(tmp_path, kind)
    made = encoder(networks, tokenizer, tmp_path, roles)
    mine = encode_text(made, f"a ({asked}:1.3), cat")
    first, second = tokenizer.encode("dog", add_special_tokens=False).ids + tokenizer.encode("sun").ids
    for role in roles:
        weight = networks[role].module.get_submodule("embeddings.token_embedding").weight
        weight[first], weight[second] = VECTORS[role]
    theirs = encode_text(made, "a (dog sun:1.3), cat")
    torch.testing.assert_close(mine.tokens, theirs.tokens)
    torch.testing.assert_close(mine.pooled, theirs.pooled)
    assert not torch.equal(mine.tokens, encode_text(made, "a , cat").tokens)
    after = networks[roles[0]].module.get_submodule("embeddings.token_embedding")
    assert not after._forward_hooks, "nothing of it stays in the network"


def test_a_comma_behind_a_name_is_a_token_of_its_own(tokenizer: Tokenizer) -> None:
    (chunk,) = make_chunks(
        tokenizer, "embedding:x, cat", vectors=lambda name: torch.ones(1, 4) if name == "x" else None
    )
    assert chunk.tokens[:5] == (START, PLACEHOLDER, 267, 2368, END)
    assert [place for place, _ in chunk.vectors] == [1]


def test_vectors_keep_together_at_the_end_of_a_chunk(tokenizer: Tokenizer) -> None:
    first, second = make_chunks(tokenizer, "cat " * 73 + "embedding:x", vectors=lambda _: torch.ones(3, 4))
    assert (len(first.vectors), [place for place, _ in second.vectors]) == (0, [1, 2, 3])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone", "there is no such file in the folder embeddings"),
        ("../outside", "there is no such file in the folder embeddings"),
        ("wide", r"it has no vectors of 64 numbers, which this text model takes \(emb_params \[1, 128\]\)"),
        ("broken", "broken.safetensors is"),
    ],
)
def test_an_embedding_that_cannot_be_used_is_left_out_and_named(
    name, why, networks, tokenizer, tmp_path, caplog
) -> None:
    folder = tmp_path / "embeddings"
    folder.mkdir()
    save_file({"emb_params": torch.ones(1, 64)}, tmp_path / "outside.safetensors")
    save_file({"emb_params": torch.ones(1, 128)}, folder / "wide.safetensors")
    (folder / "broken.safetensors").write_bytes(b"nothing")
    made = encoder(networks, tokenizer, folder, "l")
    assert torch.equal(encode_text(made, f"a embedding:{name} cat").tokens, encode_text(made, "a cat").tokens)
    assert any(f"embedding:{name} is left out of the text" in line for line in caplog.messages)
    assert caplog.records[0].getMessage().count("\n") == 0
    import re

    assert re.search(why, caplog.messages[0])


def test_a_name_may_have_folders_and_lack_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    path = tmp_path / "styles" / "v1.5.pt"
    torch.save({"emb": torch.ones(64)}, path)
    for name in ("styles/v1.5", "styles/v1.5.pt"):
        assert find_embedding((tmp_path,), name) == path
    vectors = find_vectors((tmp_path,), "styles/v1.5", "l", 64)
    assert vectors is not None
    assert vectors.shape == (1, 64)


def test_the_embeddings_that_a_text_asks_for_are_known_without_opening_any() -> None:
    assert embedding_names("a (embedding:one:1.2) [embedding:two, x]") == ["one"]
    assert embedding_names("embedding:two, (cat embedding:three.pt:0.5)") == ["two,", "three.pt"]
