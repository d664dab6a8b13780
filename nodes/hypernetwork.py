"""The node that opens a hypernetwork. The model that comes in stays as it is."""

from dataclasses import replace
from typing import Annotated

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints.hypernetwork import open_hypernetwork
from nodes.diffusion.patches.hypernetwork import HypernetworkAttention, context_widths
from nodes.model_files import file_state, opening
from nodes.types import Model


def hypernetwork_state(*, hypernetwork_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("hypernetworks", hypernetwork_name))


@node("HypernetworkLoader", category="loaders", fingerprint=hypernetwork_state)
def hypernetwork_loader(
    *,
    model: Model,
    hypernetwork_name: Annotated[str, Widget("combo", choices=FolderChoices("hypernetworks"))],
    strength: Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.01)] = 1.0,
    folders: Injected[Folders],
) -> Model:
    """Let small networks of a file change what a model reads out of the text and the picture."""
    with opening("hypernetwork_name"):
        pairs = open_hypernetwork(folders.model("hypernetworks", hypernetwork_name))
    widths = context_widths(model.network.module)
    if not widths & pairs.keys():
        raise InputError(
            "hypernetwork_name",
            f"{hypernetwork_name} is for attention of the widths {', '.join(map(str, sorted(pairs)))}, and the model "
            f"({model.family}) has none of them. Choose one that was trained for {model.family}.",
        )
    if strength == 0:
        return model
    return replace(model, alterations=(*model.alterations, HypernetworkAttention(pairs, strength)))
