"""The notation for weights: what each prompt means, and what holds for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nodes.diffusion.text.chunks import LENGTH, make_chunks
from nodes.diffusion.text.tokenizer import END, START, load_tokenizer
from nodes.diffusion.text.weighting import parse_weights

CASES = [
    ("", []),
    ("a cat", [("a cat", 1.0)]),
    ("a (red) cat", [("a ", 1.0), ("red", 1.1), (" cat", 1.0)]),
    ("a (red:1.3) cat", [("a ", 1.0), ("red", 1.3), (" cat", 1.0)]),
    ("((deep))", [("deep", 1.1 * 1.1)]),
    ("(a (b:1.5) c:0.8)", [("a ", 0.8), ("b", 1.5), (" c", 0.8)]),
    ("(a (b))", [("a ", 1.1), ("b", 1.1 * 1.1)]),
    (r"\(not weighted\)", [("(not weighted)", 1.0)]),
    (r"(a \(b\):2)", [("a (b)", 2.0)]),
    ("[square]", [("[square]", 1.0)]),
    ("open (paren", [("open (paren", 1.0)]),
    ("closed) (again:2)", [("closed) ", 1.0), ("again", 2.0)]),
    ("(time 12:30 :0.5)", [("time 12:30 ", 0.5)]),
    ("(ratio a:b)", [("ratio a:b", 1.1)]),
    ("(:1.2)", [(":1.2", 1.1)]),
    ("(a:inf)(b:-0.5)", [("a:inf", 1.1), ("b", -0.5)]),
    ("()", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_prompt_means_these_runs(text: str, expected: list[tuple[str, float]]) -> None:
    runs = parse_weights(text)
    assert [run.text for run in runs] == [text for text, _ in expected]
    assert [run.weight for run in runs] == pytest.approx([weight for _, weight in expected])


@given(st.text(alphabet=st.sampled_from("ab :1.2()\\[]"), max_size=60))
def test_any_text_parses_and_weights_stay_finite(text: str) -> None:
    for run in parse_weights(text):
        assert run.text
        assert abs(run.weight) < 1e60


@given(st.text(alphabet=st.characters(exclude_characters="()\\"), max_size=80))
def test_text_without_parentheses_is_one_run(text: str) -> None:
    assert "".join(run.text for run in parse_weights(text)) == text


def test_deep_nesting_needs_no_recursion() -> None:
    depth = 5000
    (run,) = parse_weights("(" * depth + "x:1" + ")" * depth)
    assert run.text == "x"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer()


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("word " * 75, [75]),
        ("word " * 76, [75, 1]),
        ("word " * 74 + "floccinau", [74, 4]),
        ("x" * 400, None),
    ],
)
def test_chunks_keep_short_words_whole(tokenizer: Tokenizer, text: str, lengths: list[int] | None) -> None:
    chunks = make_chunks(tokenizer, text)
    found = [chunk.tokens.index(END) - 1 for chunk in chunks]
    assert all(len(chunk.tokens) == len(chunk.weights) == LENGTH and chunk.tokens[0] == START for chunk in chunks)
    if lengths is None:
        assert found[:-1] == [75] * (len(found) - 1), "a long word fills each chunk to the end"
    else:
        assert found == lengths


@given(text=st.text(max_size=300))
def test_no_token_is_lost_to_chunks(tokenizer: Tokenizer, text: str) -> None:
    plain = text.replace("(", "").replace(")", "").replace("\\", "")
    chunks = make_chunks(tokenizer, plain)
    kept = [token for chunk in chunks for token in chunk.tokens[1:] if token != END]
    assert kept == [token for token in tokenizer.encode(plain, add_special_tokens=False).ids if token != END]
