"""What files say of themselves: written by Pillow and safetensors, read back whole or refused in one sentence."""

import io
import json
import re
import struct
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from executor.file_metadata import MetadataError, read_metadata
from executor.headless import WorkflowFileError, read_graph
from executor.terminal import describe_file

PROMPT = {"1": {"class_type": "Toy", "inputs": {"seed": 7, "text": "grüne Wiese", "model": ["2", 0]}}}
WORKFLOW = {"nodes": [], "links": [], "version": 0.4}
TEXTS = {"prompt": json.dumps(PROMPT), "workflow": json.dumps(WORKFLOW)}


def png(animated: bool = False) -> bytes:
    chunks, buffer = PngInfo(), io.BytesIO()
    for name, text in TEXTS.items():
        if animated:
            chunks.add(b"comf", name.encode() + b"\0" + text.encode(), after_idat=True)
        else:
            chunks.add_text(name, text, zip=name == "prompt")
    further = [Image.new("RGB", (4, 2), "red")] if animated else []
    Image.new("RGB", (4, 2)).save(buffer, "PNG", pnginfo=chunks, save_all=animated, append_images=further)
    return buffer.getvalue()


def webp() -> bytes:
    picture, buffer = Image.new("RGB", (4, 2)), io.BytesIO()
    exif = picture.getexif()
    exif[0x0110], exif[0x010F] = f"prompt:{TEXTS['prompt']}", f"workflow:{TEXTS['workflow']}"
    exif[0x0131] = "a program: version 1"
    picture.save(buffer, "WEBP", exif=exif)
    return buffer.getvalue()


def tensors(metadata: dict[str, str]) -> bytes:
    nothing = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({"__metadata__": metadata, "a": nothing}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", png(), "PNG picture, 4x2"),
        ("a.png", png(animated=True), "PNG picture, 4x2, 2 frames"),
        ("a.webp", webp(), "WEBP picture, 4x2"),
        ("a.latent", tensors(TEXTS), "safetensors file, 1 tensors"),
        ("without-a-suffix", tensors(TEXTS), "safetensors file, 1 tensors"),
    ],
)
def test_a_file_tells_how_it_was_made_and_can_be_run(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = read_metadata(path)
    assert found.kind == kind
    assert {text: json.loads(found.texts[text]) for text in TEXTS} == {"prompt": PROMPT, "workflow": WORKFLOW}
    assert read_graph(path, {}).workflow == WORKFLOW
    assert describe_file(found).splitlines() == [
        kind,
        "",
        "prompt:",
        '  1 Toy: seed=7, text="grüne Wiese"',
        "",
        "workflow: an editor document with 0 nodes",
    ]


def test_other_texts_are_shown_as_they_are(tmp_path: Path) -> None:
    chunks = PngInfo()
    chunks.add_text("parameters", "a cat\nNegative prompt: dog\nSteps: 20")
    chunks.add_text("Software", "some program")
    path = tmp_path / "a.png"
    Image.new("L", (1, 1)).save(path, pnginfo=chunks)
    shown = describe_file(read_metadata(path))
    assert shown.startswith("PNG picture, 1x1\n\nparameters:\na cat\nNegative prompt: dog\nSteps: 20\n\nSoftware: some")
    Image.new("L", (1, 1)).save(path)
    assert describe_file(read_metadata(path)) == "PNG picture, 1x1\n\nIt carries no texts."
    with pytest.raises(WorkflowFileError, match="is a PNG picture, 1x1 that carries no workflow"):
        read_graph(path, {})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.png", b"", "is neither a readable picture nor a safetensors file."),
        ("a.png", png()[:40], "is neither a readable picture nor a safetensors file."),
        ("a.txt", b"hello", "is neither a readable picture nor a safetensors file."),
        ("a.safetensors", b"\xff" * 20, "is no whole safetensors file; copy or download it again."),
        ("a.safetensors", tensors(TEXTS)[:30], "is no whole safetensors file; copy or download it again."),
        ("a.latent", struct.pack("<Q", 100) + b"[" * 100, "is no whole safetensors file; copy or download it again."),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MetadataError, match=re.escape(f"{path} {said}")):
        read_metadata(path)
    with pytest.raises(MetadataError, match="cannot be read: No such file"):
        read_metadata(tmp_path / "missing.png")
