"""Flags of ComfyUI that mean nothing here, so that its launchers and scripts start Heddle as they are.

They are parsed as there, handed to node packs that ask for them, and named in one line of the log. Flags that mean
something are not here but in `flags`.
"""

import argparse
from typing import Final

_SWITCHES: Final = (
    "cuda-malloc", "disable-cuda-malloc", "fp64-unet", "fp8_e8m0fnu-unet", "disable-ipex-optimize",
    "supports-fp8-compute", "use-split-cross-attention", "use-quad-cross-attention", "use-sage-attention",
    "use-flash-attention", "force-upcast-attention", "dont-upcast-attention", "disable-async-offload",
    "force-non-blocking", "mmap-torch-files", "disable-mmap", "disable-pinned-memory", "quick-test-for-ci",
    "multi-user", "enable-manager", "disable-manager-ui", "enable-manager-legacy-ui",
    "disable-assets-autoscan", "enable-assets", "offline",
)  # fmt: skip
_WITH_VALUE: Final = (
    "oneapi-device-selector", "default-hashing-function", "front-end-version", "comfy-api-base",
    "database-url", "preview-size",
)  # fmt: skip
_VALUE_IF_ANY: Final = ("directml", "async-offload")
_VALUES_IF_ANY: Final = ("fast",)
_TYPES: Final = {"preview-size": int}
_REMARKS: Final = {
    "multi-user": "there is one user",
    "offline": "nothing is ever fetched",
    "quick-test-for-ci": "use 'main.py packs' to see whether everything can be imported",
    "preview-size": "previews have a size of their own",
}


def add_foreign_flags(parser: argparse.ArgumentParser) -> None:
    """Accept them all. What is not given leaves no trace in the options."""
    for name in _SWITCHES:
        _add(parser, name, action="store_true")
    for name in _WITH_VALUE:
        _add(parser, name, type=_TYPES.get(name, str))
    for name in _VALUE_IF_ANY:
        _add(parser, name, nargs="?", const="")
    for name in _VALUES_IF_ANY:
        _add(parser, name, nargs="*")


def ignored(options: argparse.Namespace) -> str | None:
    """One line that names the flags that were given for nothing; None if there were none."""
    every = (*_SWITCHES, *_WITH_VALUE, *_VALUE_IF_ANY, *_VALUES_IF_ANY)
    given = [name for name in every if _attribute(name) in vars(options)]
    if not given:
        return None
    remarks = [f"--{name}: {_REMARKS[name]}" for name in given if name in _REMARKS]
    return "; ".join([f"these flags mean nothing here and change nothing: --{', --'.join(given)}", *remarks]) + "."


def _add(parser: argparse.ArgumentParser, name: str, **more: object) -> None:
    parser.add_argument(f"--{name}", default=argparse.SUPPRESS, help=argparse.SUPPRESS, **more)  # type: ignore[arg-type]


def _attribute(name: str) -> str:
    return name.replace("-", "_")
