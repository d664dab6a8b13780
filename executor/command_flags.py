"""The flags of the commands that are no server: run, convert, nodes, packs. Makes parsers; nothing runs."""

import argparse
from pathlib import Path

from executor.flags import shared_parser


def run_parser() -> argparse.ArgumentParser:
    """Of `main.py run`."""
    parser = argparse.ArgumentParser(prog="main.py run", description="Run a saved graph.", parents=[shared_parser()])
    _add_graph(parser)
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")
    parser.add_argument("--quiet", action="store_true", help="draw no progress bar")
    parser.add_argument(
        "--server", metavar="URL", help="have this server run it, and fetch what it saves into the output folder"
    )
    return parser


def convert_parser() -> argparse.ArgumentParser:
    """Of `main.py convert`."""
    parser = argparse.ArgumentParser(
        prog="main.py convert",
        description="Print the prompt (API format) of a saved graph as JSON.",
        parents=[shared_parser()],
    )
    _add_graph(parser)
    parser.add_argument(
        "--definitions", type=Path, metavar="FILE", help="convert for the server whose /object_info this file holds"
    )
    return parser


def info_parser() -> argparse.ArgumentParser:
    """Of `main.py info`."""
    parser = argparse.ArgumentParser(
        prog="main.py info",
        description="Tell how a picture, an animation, a latent or a checkpoint was made: the texts inside the file.",
    )
    parser.add_argument("file", type=Path, help="the file")
    parser.add_argument("--json", action="store_true", help="print all texts as one JSON object")
    return parser


def nodes_parser() -> argparse.ArgumentParser:
    """Of `main.py nodes`."""
    parser = argparse.ArgumentParser(prog="main.py nodes", description="List node types.", parents=[shared_parser()])
    parser.add_argument("name", nargs="?", help="describe this one")
    return parser


def packs_parser() -> argparse.ArgumentParser:
    """Of `main.py packs`."""
    return argparse.ArgumentParser(
        prog="main.py packs",
        description="List node packs: how many node types each has, how long it took to load, and what is wrong.",
        parents=[shared_parser("+")],
    )


def _add_graph(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "workflow", type=Path, help="a workflow (JSON, editor or API format) or a picture that carries one"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="change a value, for example 3.seed=7"
    )
