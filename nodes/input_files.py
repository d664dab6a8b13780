"""The content of files that prompts name, for fingerprints. Opens no format."""

import hashlib

from executor.folders import Folders


def input_digest(name: str, folders: Folders) -> str:
    """SHA-256 of a file that a prompt names. Raises ValueError with a sentence for the user."""
    path = folders.annotated(name)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"'{name}' is not in the input folder.") from error
