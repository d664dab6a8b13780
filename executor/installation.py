"""Where one installation keeps its files: the base folder, the folders beside it, `extra_model_paths.yaml`.

Makes a `Folders` out of what the command line says. Creates the picture folders; opens no model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from executor.folders import Folders, PathError

MODEL_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "configs": ("configs",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("diffusion_models", "unet"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "upscale_models": ("upscale_models",),
    "latent_upscale_models": ("latent_upscale_models",),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "classifiers": ("classifiers",),
    "ipadapter": ("ipadapter",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
}
"""Folder key -> folder names under `models/`, the first of which is where new files belong."""

_ALIASES = {"clip": "text_encoders", "unet": "diffusion_models", "t2i_adapter": "controlnet"}


def make_folders(
    base: Path,
    *,
    input_folder: Path | None = None,
    output_folder: Path | None = None,
    temp_folder: Path | None = None,
    user_folder: Path | None = None,
    extra_model_paths: Sequence[Path] = (),
) -> Folders:
    """The folders of the installation at `base`, made where missing. Raises PathError for an unusable extra file."""
    models = {key: tuple(base / "models" / name for name in names) for key, names in MODEL_FOLDERS.items()}
    models["custom_nodes"] = (base / "custom_nodes",)
    for path in extra_model_paths:
        for key, roots, first in _extra_roots(path):
            known = models.get(key, ())
            models[key] = (*roots, *known) if first else (*known, *roots)
    folders = Folders(
        input=(input_folder or base / "input").absolute(),
        output=(output_folder or base / "output").absolute(),
        temp=(temp_folder or base / "temp").absolute(),
        user=(user_folder or base / "user").absolute(),
        models=models,
        suffixes={"configs": (".yaml",)},
        base=base.absolute(),
    )
    for folder in (folders.input, folders.output, folders.temp, folders.user):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PathError(f"The folder {folder} cannot be made: {error.strerror}. Choose another one.") from error
    return folders


def _extra_roots(path: Path) -> list[tuple[str, tuple[Path, ...], bool]]:
    """(folder key, roots, whether they come first) of each entry of an extra_model_paths file."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PathError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PathError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    found = []
    for name, section in (content or {}).items() if isinstance(content or {}, dict) else [(path.name, content)]:
        if section is None:
            continue
        if not isinstance(section, dict):
            raise PathError(f"{path}: section '{name}' must map folder keys to paths.")
        root = path.parent / Path(str(section.get("base_path", "."))).expanduser()
        first = bool(section.get("is_default", False))
        for key, value in section.items():
            if key not in ("base_path", "is_default"):
                lines = [line.strip() for line in str(value).splitlines() if line.strip()]
                roots = tuple((root / Path(line).expanduser()).absolute() for line in lines)
                found.append((_ALIASES.get(str(key), str(key)), roots, first))
    return found
