"""Files of IP-Adapters -> `IpAdapter` values."""

import re
from pathlib import Path

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.source import open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.families.ip_adapter import LAYERS, PICTURE, ProjectionKind, projection_config, projection_name
from nodes.diffusion.values import IpAdapter

_KEY = re.compile(rf"{re.escape(LAYERS)}(\d+)\.to_k_ip\.weight")
_HALVES = {"attn.to_k.": 0, "attn.to_v.": 1}


def open_ip_adapter(path: Path) -> IpAdapter:
    """A file with an IP-Adapter: plain, full or plus. Raises CheckpointError with a sentence for the user."""
    # Imported here because it takes seconds; see `load_unet`.
    from nodes.diffusion.checkpoints import networks

    source = open_source(path)
    with explained(source):
        shapes = source.shapes
        numbers = sorted(int(match[1]) for name in shapes if (match := _KEY.fullmatch(name)))
        if not numbers or not any(name.startswith(PICTURE) for name in shapes):
            raise ValueError(f"it holds {describe(shapes)}, which is no IP-Adapter")
        kind, config = projection_config(shapes)
        layers = [shapes[f"{LAYERS}{number}.to_k_ip.weight"] for number in numbers]
        module = networks.make_ip_adapter(kind, config, layers)
        takes = {name: _take(name, kind, numbers) for name in module.state_dict()}
        part = part_under(source, "")
        network = assemble("unet", module, part, takes)
    warn_of(source, untaken(part, takes))
    return IpAdapter(network, source.title, kind, tuple(shape[0] for shape in layers), layers[0][1])


def _take(name: str, kind: ProjectionKind, numbers: list[int]) -> Take:
    if match := re.fullmatch(r"to_(k|v)\.(\d+)\.weight", name):
        return Take(f"{LAYERS}{numbers[int(match[2])]}.to_{match[1]}_ip.weight")
    inner = name.removeprefix("projection.")
    published = PICTURE + projection_name(inner, kind)
    half = next((half for part, half in _HALVES.items() if part in inner), None)
    return Take(published) if half is None else Take(published, third=half, parts=2)
