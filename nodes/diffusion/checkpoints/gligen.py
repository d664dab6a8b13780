"""Files of GLIGEN -> `Gligen` values: gates for a UNet's transformers, and what makes tokens of named boxes.

Li et al. 2023, "GLIGEN: Open-Set Grounded Text-to-Image Generation". Files hold the gates alone, or a whole UNet.
"""

import re
from pathlib import Path

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.source import Part, Source, open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.families.ldm import UNET_PREFIX, wide_heads
from nodes.diffusion.families.sd1 import UNET_HEADS
from nodes.diffusion.values import Gligen

_PREFIXES = ("", UNET_PREFIX, "model.", "unet.")
_POSITION = "position_net."
_POSITION_WIDTH = 64
"""Of what says where a box is: sines and cosines of eight frequencies for each of four sides."""
_FUSER = re.compile(r"(input_blocks|middle_block|output_blocks)\.(?:(\d+)\.)?1\.transformer_blocks\.(\d+)\.fuser\.(.+)")
_SD1_TEXT = 768


def open_gligen(path: Path) -> Gligen:
    """A file with GLIGEN's layers for named boxes. Raises CheckpointError with a sentence for the user."""
    # Imported here because it takes seconds; see `load_unet`.
    from nodes.diffusion.checkpoints import networks

    source = open_source(path)
    with explained(source):
        part = _part(source)
        shapes = part.shapes
        entering = shapes[f"{_POSITION}linears.0.weight"][1] - _POSITION_WIDTH
        made = shapes[f"{_POSITION}linears.4.weight"][0]
        gates = {_key(name): shapes[name] for name in shapes if name.endswith(".fuser.linear.weight")}
        heads = wide_heads if made > _SD1_TEXT else lambda _: UNET_HEADS
        module = networks.make_gligen(
            entering, made, {key: (shape[0], heads(shape[0])) for key, shape in gates.items()}
        )
        names = {_inner(name): name for name in shapes if _FUSER.fullmatch(name) or name.startswith(_POSITION)}
        takes = {name: Take(names.get(name, name)) for name in module.state_dict()}
        network = assemble("unet", module, part, takes)
    warn_of(source, [name for name in untaken(part, takes) if _is_ours(name)])
    return Gligen(network, source.title, entering, {key: shape[0] for key, shape in gates.items()})


def _is_ours(name: str) -> bool:
    """A whole UNet may stand around the gates."""
    return ".fuser." in name or _POSITION in name


def _part(source: Source) -> Part:
    for prefix in _PREFIXES:
        part = part_under(source, prefix)
        if f"{_POSITION}linears.0.weight" not in part.names:
            continue
        if not any(name.startswith("down_blocks.") for name in part.names):
            return part
        blocks = [name for name in part.names if re.match(r"(down|up)_blocks\.|mid_block\.", name)]
        gates = {ours: part.names[name] for name, ours in unet_names(blocks).items() if ".fuser." in ours}
        return Part(
            source, prefix, gates | {name: one for name, one in part.names.items() if name.startswith(_POSITION)}
        )
    raise ValueError(f"it holds {describe(source.shapes)}, which is no GLIGEN model for text boxes")


def _key(name: str) -> str:
    """Of the transformer that a gate belongs to, as `GligenGate` looks for it."""
    match = _FUSER.fullmatch(name)
    if match is None:
        raise KeyError(f"'{name}' has no place in a UNet.")
    block, number, depth, _ = match.groups()
    return f"{block.partition('_')[0]}_{number or 0}_{depth}"


def _inner(name: str) -> str:
    """The module's parameter for a tensor."""
    match = _FUSER.fullmatch(name)
    return name if match is None else f"fusers.{_key(name)}.{match[4]}"
