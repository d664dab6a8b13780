"""Where files live: named folders with one or more roots, and the one place that confines a path to them.

Both the server (uploads, views, listings) and the nodes (loaders, savers) go through it. It opens no file's content.
"""

import os
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
MODEL_SUFFIXES = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".gguf"})

PIPELINE = "model_index.json"
"""The file that makes a folder one of a diffusers pipeline."""

AUTOENCODERS = "autoencoders"
SMALL_AUTOENCODERS = ("taesd", "taesdxl")
"""Autoencoders that are named by their family, since each is two files; for latents of SD 1 and 2, and of SDXL."""

Place = Literal["input", "output", "temp"]
"""The three folders for pictures, as `type` names them on the wire."""


class PathError(ValueError):
    """A path is outside its folder, malformed, or names no file. The text is for the user."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One named folder of model files."""

    roots: tuple[Path, ...]
    """The first wins where names collide."""
    suffixes: Collection[str] = MODEL_SUFFIXES
    """Of the files that it offers, in lower case; none at all offers every file."""


@dataclass(frozen=True, slots=True)
class Folders:
    """All roots of one installation; made in `main.py`, picklable, injected into nodes as `Folders`."""

    input: Path
    output: Path
    temp: Path
    user: Path
    models: MutableMapping[str, tuple[Path, ...]]
    """Folder key ("checkpoints", "loras", ...) -> its roots; the first wins where names collide."""
    suffixes: MutableMapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    """Folder key -> `ModelFolder.suffixes`, where they are not the usual ones."""
    base: Path = Path()
    """The folder of the installation, which packs ask for."""

    def place(self, place: str) -> Path:
        """The root of "input", "output" or "temp". Raises PathError for any other word."""
        if place not in ("input", "output", "temp"):
            raise PathError(f"'{place}' is no picture folder; use input, output or temp.")
        root: Path = getattr(self, place)
        return root

    def resolve(self, place: str, name: str, subfolder: str = "") -> Path:
        """The path `subfolder/name` inside a picture folder, whether it exists or not. Raises PathError outside it."""
        return confined(self.place(place), f"{subfolder}/{name}" if subfolder else name)

    def annotated(self, name: str, default: Place = "input") -> Path:
        """The path of "cat.png", "cat.png [output]" and the like. Raises PathError outside the folder."""
        for place in ("input", "output", "temp"):
            if name.endswith(f" [{place}]"):
                return self.resolve(place, name.removesuffix(f" [{place}]"))
        return self.resolve(default, name)

    def model(self, folder: str, name: str) -> Path:
        """The existing file `name` under a model folder. Raises PathError naming the folder if there is none."""
        roots = self.models.get(folder, ())
        for root in roots:
            path = linked(root, name)
            if path.is_file():
                return path
        places = ", ".join(str(root) for root in roots) or "no folder"
        raise PathError(f"'{name}' is not in {folder} ({places}).")

    def halves(self, name: str) -> tuple[Path | None, Path | None]:
        """Encoder and decoder of a small autoencoder, those that are there."""
        paths: list[Path | None] = []
        for half in ("encoder", "decoder"):
            stem = f"{name}_{half}."
            found = next((one for one in self.list("vae_approx") if one.startswith(stem)), None)
            paths.append(None if found is None else self.model("vae_approx", found))
        return paths[0], paths[1]

    def adopt(self, found: Mapping[str, ModelFolder]) -> None:
        """Know these model folders from now on, in place of those of the same keys."""
        for key, folder in found.items():
            self.models[key] = folder.roots
            self.suffixes[key] = folder.suffixes

    def list(self, folder: str) -> list[str]:
        """Names that a combo offers: relative, with forward slashes, sorted. Pictures for "input", for "diffusers" the
        folders that diffusers saved a pipeline to, for AUTOENCODERS besides the files of "vae" the small ones that have
        both their halves in "vae_approx", else model files."""
        if folder == AUTOENCODERS:
            return self.list("vae") + [name for name in SMALL_AUTOENCODERS if all(self.halves(name))]
        if folder == "input":
            return sorted(_files(self.input, IMAGE_SUFFIXES, deep=False), key=str.lower)
        if folder == "diffusers":
            marked = (name for root in self.models.get(folder, ()) for name in _files(root, (".json",), deep=True))
            return sorted(
                {str(PurePosixPath(one).parent) for one in marked if one.endswith(f"/{PIPELINE}")}, key=str.lower
            )
        suffixes = self.suffixes.get(folder, MODEL_SUFFIXES)
        found = (name for root in self.models.get(folder, ()) for name in _files(root, suffixes, deep=True))
        return sorted(set(found), key=str.lower)


def confined(root: Path, name: str) -> Path:
    """`root/name` after resolving links and dots; PathError if that leaves `root`, or if `name` cannot be a path."""
    _check_name(name)
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise PathError(f"'{name}' cannot be followed: {error}.") from None
    if not path.is_relative_to(root.resolve()):
        raise PathError(f"'{name}' leads outside its folder.")
    return path


def linked(root: Path, name: str) -> Path:
    """`root/name`, whose links may lead anywhere: people keep models on other disks, and no request can make a link.

    PathError if the name by itself leaves `root`, or cannot be a path."""
    _check_name(name)
    if ".." in PurePosixPath(name).parts:
        raise PathError(f"'{name}' leads outside its folder.")
    return root / name


def _check_name(name: str) -> None:
    """Raises PathError for what cannot be the relative path of a file."""
    try:
        parts = name.encode().split(b"/")
    except UnicodeEncodeError:
        raise PathError("A file name with broken characters was given.") from None
    if not name or "\0" in name or len(name) > 1024 or max(map(len, parts)) > 255:
        raise PathError("An empty, overlong or binary file name was given.")
    if PurePosixPath(name).is_absolute() or "\\" in name or b":" in parts[0]:
        raise PathError(f"'{name}' is not a relative path with forward slashes.")


def _files(root: Path, suffixes: Collection[str], *, deep: bool) -> Iterator[str]:
    """Relative paths of the files in a folder, and (`deep`) of those in its folders, linked ones as well."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        if not deep:
            folders.clear()
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and (not suffixes or path.suffix.lower() in suffixes) and path.is_file():
                yield path.relative_to(root).as_posix()
