"""Opens a checkpoint: header, family, networks, memory-mapped weights. Copies no tensor and computes nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from torch import Tensor, nn

from nodes.diffusion.checkpoints.detect import canonical_names, detect_family
from nodes.diffusion.checkpoints.header import CheckpointError, Header, read_header
from nodes.diffusion.checkpoints.names import text_names, unet_names, vae_names
from nodes.diffusion.families import sd1
from nodes.diffusion.memory.network import Network

_PREFIXES = (sd1.UNET_PREFIX, sd1.VAE_PREFIX, sd1.TEXT_PREFIX)
_SHOWN = 3
"""How many tensor names an error lists before it only counts."""


@dataclass(frozen=True, slots=True)
class Networks:
    """What a checkpoint holds; none of it resident yet."""

    family: str
    unet: Network
    vae: Network
    text_model: Network


def load_networks(path: Path) -> Networks:
    """The networks of an original SD 1.x single file of any width. Raises CheckpointError naming the file and what is
    wrong with it: not a safetensors file, truncated, of an unknown family, or with tensors missing or misshapen."""
    header = read_header(path)
    names = canonical_names(header.shapes)
    shapes = {original: header.shapes[name] for original, name in names.items()}
    try:
        family = detect_family({**header.shapes, **shapes})
        unet, vae, text = sd1.unet_config(shapes), sd1.vae_config(shapes), sd1.text_config(shapes)
    except ValueError as error:
        raise CheckpointError(f"{path.name} cannot be loaded: {error}.") from error
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{path.name} is incomplete: it lacks the tensor {error}.") from error

    # Imported here because it takes seconds, and a run that reuses its memos never opens a checkpoint.
    from nodes.diffusion.checkpoints import networks

    modules = networks.make_unet(unet), networks.make_vae(vae), networks.make_text_model(text)
    for module, prefix, names_of in zip(modules, _PREFIXES, (unet_names, vae_names, text_names), strict=True):
        _check_complete(path, prefix, module.state_dict(), names_of, shapes)
    tensors = _open(header, names)
    weights = (
        networks.unet_weights(tensors, unet),
        networks.vae_weights(tensors, vae),
        networks.text_weights(tensors),
    )
    return Networks(
        family,
        Network("unet", modules[0], _only(weights[0], modules[0])),
        Network("vae", modules[1], _only(weights[1], modules[1])),
        Network("text", modules[2], _only(weights[2], modules[2])),
    )


def _only(weights: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """The weights that the network has parameters for; files also carry position ids and training leftovers."""
    return {name: weights[name] for name in module.state_dict()}


def _open(header: Header, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Memory-mapped tensors under their original names."""
    with safe_open(header.path, framework="pt", device="cpu") as file:
        return {original: file.get_tensor(name) for original, name in names.items()}


def _check_complete(
    path: Path,
    prefix: str,
    parameters: Mapping[str, Tensor],
    names_of: Callable[[Iterable[str]], dict[str, str]],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Raise CheckpointError if a parameter has no tensor, or one with another number of elements."""
    expected = {prefix + name: parameters[ours] for ours, name in names_of(parameters).items()}
    missing = sorted(name for name in expected if name not in shapes)
    if missing:
        raise CheckpointError(f"{path.name} is incomplete: {_listed(missing)} missing.")
    # 1x1 convolutions and linear layers stand for each other, so only the sides other than 1 must agree.
    wrong = [name for name, want in expected.items() if _sides(shapes[name]) != _sides(tuple(want.shape))]
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{path.name} does not fit its family: {name} is {list(shapes[name])} where "
            f"{list(expected[name].shape)} is expected ({len(wrong)} such tensors)."
        )


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    if len(names) > _SHOWN:
        return f"{shown} and {len(names) - _SHOWN} more tensors are"
    return f"{shown} {'are' if len(names) > 1 else 'is'}"
