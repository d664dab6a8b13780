"""Nodes that give a word of a text the face of pictures (PhotoMaker for SDXL)."""

from typing import Annotated

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.coding import naming
from nodes.declare import node
from nodes.diffusion.checkpoints.photomaker import open_photomaker
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.photomaker import encoded, with_faces
from nodes.diffusion.values import Condition
from nodes.model_files import embedding_state, file_state, opening
from nodes.types import Clip, Conditioning, Image, PhotoMaker, Text

MakerName = Annotated[str, Widget("combo", choices=FolderChoices("photomaker"))]


def maker_state(*, photomaker_model_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("photomaker", photomaker_model_name))


@node("PhotoMakerLoader", category="_for_testing/photomaker", fingerprint=maker_state, experimental=True)
def photomaker_loader(*, photomaker_model_name: MakerName, folders: Injected[Folders]) -> PhotoMaker:
    """Open what gives words faces. The LoRA of the same file belongs on the model: load it with LoraLoader."""
    with opening("photomaker_model_name"):
        return open_photomaker(folders.model("photomaker", photomaker_model_name))


@node(
    "PhotoMakerEncode",
    category="_for_testing/photomaker",
    lane="device",
    fingerprint=embedding_state,
    experimental=True,
)
def photomaker_encode(
    *,
    photomaker: PhotoMaker,
    image: Image,
    clip: Clip,
    text: Text = "photograph of photomaker",
    memory: Injected[DeviceMemory],
) -> Conditioning:
    """Encode a text whose word before `photomaker` gets the face that the pictures show."""
    if 0 in image.shape:
        raise InputError("image", "There is no picture of a face. Connect at least one.")
    with memory.resident(*clip.networks), naming("text"):
        said, places = encoded(clip, text, len(image))
    tokens = said.tokens
    if places:
        with memory.resident(photomaker.network), naming("clip"):
            tokens = with_faces(photomaker, said, places, image)
    return (Condition(tokens, said.pooled),)
