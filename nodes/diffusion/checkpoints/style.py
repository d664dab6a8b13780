"""Files of style models -> `StyleModel` values."""

from pathlib import Path

import torch

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.source import open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.style import EMBEDDING, PROJECTION, StyleAdapter, style_arguments
from nodes.diffusion.values import StyleModel


def open_style_model(path: Path) -> StyleModel:
    """A file with T2I-Adapter's style adapter. Raises CheckpointError with a sentence for the user."""
    source = open_source(path)
    with explained(source):
        if "redux_up.weight" in source.shapes:
            raise ValueError("it is a style model for Flux, a family that is not supported yet")
        if EMBEDDING not in source.shapes or PROJECTION not in source.shapes:
            raise ValueError(f"it holds {describe(source.shapes)}, which is no style model that is known")
        part = part_under(source, "")
        with torch.device("meta"):
            module = StyleAdapter(**style_arguments(part.shapes)).eval().requires_grad_(False)
        takes = {name: Take(name) for name in module.state_dict()}
        network = assemble("text", module, part, takes)
    warn_of(source, untaken(part, takes))
    return StyleModel(network, source.title, part.shapes[PROJECTION][1])
