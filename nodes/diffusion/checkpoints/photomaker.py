"""Files of PhotoMaker -> `PhotoMaker` values. The LoRA that such a file also holds is for LoraLoader."""

from pathlib import Path

import torch

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.source import open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.families.vision import vision_config
from nodes.diffusion.photomaker import FaceEncoder, projected_widths
from nodes.diffusion.values import PhotoMaker

_ENTRANCE = "visual_projection_2.weight"
_SECOND = "qformer_perceiver."


def open_photomaker(path: Path) -> PhotoMaker:
    """A file with PhotoMaker's face encoder. Raises CheckpointError with a sentence for the user."""
    # Imported here because it takes seconds; see `load_unet`.
    from nodes.diffusion.checkpoints import networks

    source = open_source(path)
    with explained(source):
        prefix = next((one for one in ("id_encoder.", "") if one + _ENTRANCE in source.shapes), None)
        if prefix is None:
            raise ValueError(f"it holds {describe(source.shapes)}, which is no PhotoMaker")
        part = part_under(source, prefix)
        if any(name.startswith(_SECOND) for name in part.names):
            raise ValueError("it is PhotoMaker V2, which needs a face recognition model that is not part of Heddle")
        config = vision_config(part.shapes, "clip")
        widths = projected_widths(part.shapes)
        vision = networks.make_vision_model(config)
        with torch.device("meta"):
            module = FaceEncoder(vision, widths).eval().requires_grad_(False)
        takes = {name: Take(name) for name in module.state_dict()}
        network = assemble("text", module, part, takes)
    warn_of(source, untaken(part, takes))
    return PhotoMaker(network, source.title, config["image_size"], sum(widths))
