"""The content of files that prompts name, for fingerprints. Opens no format."""

import hashlib

from executor.folders import Folders, Place


def input_digest(name: str, folders: Folders, place: Place = "input") -> str:
    """SHA-256 of a file that a prompt names, in `place` unless the name says where.

    Raises ValueError with a sentence for the user.
    """
    path = folders.annotated(name, place)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"'{name}' is not in the {place} folder.") from error
