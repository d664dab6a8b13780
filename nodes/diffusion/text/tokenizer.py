"""The CLIP byte-pair tokenizer, made from the vocabulary file that the `refiners` package carries.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision". Neither `refiners` nor
transformers is imported, and nothing is downloaded.
"""

import gzip
import importlib.util
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

START = 49406
END = 49407
VOCABULARY_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
"""Digest of the gzipped merge list; the same file in every CLIP distribution."""

_MERGES = 48894
_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class VocabularyMissing(RuntimeError):
    """The package that carries the CLIP vocabulary is not installed, or no longer carries it."""


def vocabulary_path() -> Path:
    """Where the installed `refiners` keeps the merge list. Raises VocabularyMissing."""
    spec = importlib.util.find_spec("refiners")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / "foundationals" / "clip" / "bpe_simple_vocab_16e6.txt.gz"
        if path.is_file():
            return path
    raise VocabularyMissing("The CLIP vocabulary is missing. Install it with: pip install 'refiners>=0.4,<0.5'")


def load_tokenizer(path: Path | None = None) -> Tokenizer:
    """Tokenizer for the 49,408 CLIP tokens from a gzipped merge list; adds no start or end token."""
    with gzip.open(path or vocabulary_path(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    # The first line is a comment, and the list goes on beyond what CLIP was trained with.
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : _MERGES + 1])]
    symbols = _byte_symbols()
    words = [*symbols, *(f"{symbol}</w>" for symbol in symbols), *("".join(pair) for pair in merges)]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = Tokenizer(
        BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token="<|endoftext|>",
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in ("<|startoftext|>", "<|endoftext|>")])
    return tokenizer


def _byte_symbols() -> list[str]:
    """A printable character for each of the 256 bytes, in GPT-2's order: printable bytes first, as themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]
