"""`folder_paths`: where files live, as packs ask for it. Every answer comes from the worker's `Folders`.

No function here gives a path outside the folder that was asked for; the picture folders cannot be moved by a pack,
because the server shows files of the same ones.
"""

import mimetypes
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NoReturn

from pack_surroundings import here

from executor.folders import ModelFolder, PathError, confined
from nodes.output_files import fill_prefix, highest_number
from nodes.packs.model_folders import ALIASES

folder_names_and_paths = here().model_folders
"""Folder key -> (paths, suffixes). What packs change here is what every loader offers."""
supported_pt_extensions: set[str] = here().model_folders.usual_suffixes
"""Of all folders without suffixes of their own."""
filename_list_cache: dict[str, tuple[ModelFolder, dict[str, float], list[str]]] = {}
"""Folder key -> the folder when it was read, when each folder inside had changed, and the files. Packs clear it."""
extension_mimetypes_cache = {"webp": "image/webp", "fbx": "model/fbx", "glb": "model/gltf-binary"}
"""Suffix without its dot -> media type, for suffixes that the system may not know."""

# Packs take the installation's folder from the place of this module.
__file__ = os.path.join(str(here().folders.base), "folder_paths.py")


class CacheHelper:
    """A context in which ComfyUI reads each folder once. Nothing is kept here: `filename_list_cache` is enough."""

    def __init__(self) -> None:
        self.cache: dict[str, Any] = {}
        self.active = False

    def __enter__(self) -> "CacheHelper":
        self.active = True
        return self

    def __exit__(self, *_: object) -> None:
        self.active = False

    def clear(self) -> None:
        """Forget; there is nothing to forget."""
        self.cache.clear()


cache_helper = CacheHelper()


def __getattr__(name: str) -> Any:
    """The folders as module attributes, as they are now."""
    folders = here().folders
    match name:
        case "base_path":
            return str(folders.base)
        case "models_dir":
            return str(folders.base / "models")
        case "input_directory" | "output_directory" | "temp_directory" | "user_directory":
            return str(getattr(folders, name.removesuffix("_directory")))
    raise AttributeError(f"module 'folder_paths' has no attribute '{name}'")


def get_input_directory() -> str:
    """Where pictures to load are."""
    return str(here().folders.input)


def get_output_directory() -> str:
    """Where results are kept."""
    return str(here().folders.output)


def get_temp_directory() -> str:
    """Where results are that only need to be shown."""
    return str(here().folders.temp)


def get_user_directory() -> str:
    """Where settings, saved workflows and the like are."""
    return str(here().folders.user)


def get_system_user_directory(name: str = "system") -> str:
    """A folder for files that no route serves."""
    return str(confined(here().folders.user, f"__{name}"))


def get_public_user_directory(user_id: str) -> str | None:
    """The folder of a user; None for one of the system."""
    return None if user_id.startswith("__") else str(confined(here().folders.user, user_id))


def set_input_directory(input_dir: str) -> None:
    """Raises RuntimeError; see `set_output_directory`."""
    _refuse_to_move("input", input_dir)


def set_output_directory(output_dir: str) -> None:
    """Raises RuntimeError: the server would go on to show files of the other folder."""
    _refuse_to_move("output", output_dir)


def set_temp_directory(temp_dir: str) -> None:
    """Raises RuntimeError; see `set_output_directory`."""
    _refuse_to_move("temp", temp_dir)


def set_user_directory(user_dir: str) -> None:
    """Raises RuntimeError; see `set_output_directory`."""
    _refuse_to_move("user", user_dir)


def get_directory_by_type(type_name: str) -> str | None:
    """The folder that is called "input", "output" or "temp" on the wire; None for other words."""
    try:
        return str(here().folders.place(type_name))
    except PathError:
        return None


get_directory = get_directory_by_type


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """ "cat.png [output]" as its name and folder; the folder is None where none is named."""
    for place in ("output", "input", "temp"):
        if name.endswith(f"[{place}]"):
            return name.removesuffix(f"[{place}]").removesuffix(" "), str(here().folders.place(place))
    return name, None


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """The path of "cat.png" or "cat.png [output]", whether it exists or not. Raises ValueError outside its folder."""
    file, root = annotated_filepath(name)
    return str(confined(Path(root or default_dir or get_input_directory()), file))


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is such a file in its folder."""
    try:
        return os.path.exists(get_annotated_filepath(name))
    except PathError:
        return False


def get_input_subfolders() -> list[str]:
    """Every folder below the input folder, relative to it."""
    root = here().folders.input
    found = (os.path.relpath(place, root) for place, _, _ in os.walk(root))
    return sorted(name.replace(os.sep, "/") for name in found if name != ".")


def map_legacy(folder_name: str) -> str:
    """The folder key that an older one stands for; others stay."""
    return ALIASES.get(folder_name, folder_name)


def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
    """Search a further folder under a key, which may be new: before the others if `is_default`."""
    folder_names_and_paths.add_path(folder_name, str(full_folder_path), first=is_default)


def get_folder_paths(folder_name: str) -> list[str]:
    """The folders that a key stands for. Raises KeyError for an unknown key."""
    return list(folder_names_and_paths[map_legacy(folder_name)][0])


def get_filename_list(folder_name: str) -> list[str]:
    """The files of a folder key, relative to its folders, sorted. Raises KeyError for an unknown key."""
    key = map_legacy(folder_name)
    if key not in folder_names_and_paths:
        raise KeyError(folder_name)
    # Every class of a pack asks for lists in its INPUT_TYPES, and reading a large folder takes long.
    folder = folder_names_and_paths.folder(key)
    kept = filename_list_cache.get(key)
    if kept is None or kept[0] != folder or any(_changed_at(path) != moment for path, moment in kept[1].items()):
        moments = {str(root): _changed_at(str(root)) for root in folder.roots}
        for root in folder.roots:
            moments |= recursive_search(str(root))[1]
        kept = filename_list_cache[key] = (folder, moments, here().folders.list(key))
    return list(kept[2])


def get_full_path(folder_name: str, filename: str) -> str | None:
    """The path of a file under a folder key; None if there is none, or no such key."""
    key = map_legacy(folder_name)
    if key not in folder_names_and_paths:
        return None
    inside = os.path.relpath(os.path.join("/", filename), "/")  # dots cannot climb above the root
    for root in folder_names_and_paths.folder(key).roots:
        if (path := root / inside).is_file():
            return str(path)
    return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """The path of a file under a folder key. Raises FileNotFoundError."""
    path = get_full_path(folder_name, filename)
    if path is None:
        raise FileNotFoundError(f"Model in folder '{folder_name}' with filename '{filename}' not found.")
    return path


def recursive_search(
    directory: str, excluded_dir_names: Collection[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """Every file below a folder, relative to it, and each folder's time of change."""
    if not os.path.isdir(directory):
        return [], {}
    files: list[str] = []
    folders = {directory: os.path.getmtime(directory)}
    for place, names, found in os.walk(directory, followlinks=True):
        names[:] = [name for name in names if name not in (excluded_dir_names or ())]
        folders |= {path: os.path.getmtime(path) for name in names if os.path.isdir(path := os.path.join(place, name))}
        files += [os.path.relpath(os.path.join(place, name), directory) for name in found]
    return files, folders


def filter_files_extensions(files: Iterable[str], extensions: Collection[str]) -> list[str]:
    """Those with one of the suffixes, or all if there are none, sorted."""
    return sorted(name for name in files if not extensions or os.path.splitext(name)[-1].lower() in extensions)


def filter_files_content_types(files: Iterable[str], content_types: Collection[str]) -> list[str]:
    """Those whose name says "image", "video", "audio" or "model", as they come."""
    return [name for name in files if _content_type(name) in content_types]


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """(folder, file name stem, next number, subfolder, prefix) for a series of files; the folder exists afterwards.

    The prefix may name a subfolder and hold %width%, %height% and parts of the time. Raises ValueError if it leads out
    of `output_dir`.
    """
    filled = fill_prefix(filename_prefix, image_width, image_height)
    subfolder, stem = os.path.split(os.path.normpath(filled))
    root = Path(output_dir)
    folder = confined(root, subfolder) if subfolder else root.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder), stem, highest_number(folder, stem) + 1, subfolder, filled


def _changed_at(folder: str) -> float:
    """When names were last added to or taken from a folder; -1 if there is no folder."""
    try:
        return os.path.getmtime(folder)
    except OSError:
        return -1.0


def _content_type(name: str) -> str:
    suffix = os.path.splitext(name)[-1].lower().removeprefix(".")
    media_type = extension_mimetypes_cache.get(suffix) or mimetypes.guess_type(name, strict=False)[0] or ""
    return media_type.partition("/")[0]


def _refuse_to_move(place: str, folder: str) -> NoReturn:
    raise RuntimeError(f"A node pack cannot move the {place} folder: start Heddle with --{place}-directory {folder}")
