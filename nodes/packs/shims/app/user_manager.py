"""`app.user_manager`: where a user's files are. There is one user, "default"; the server knows no other either."""

from pathlib import Path
from typing import Any

from pack_surroundings import here

from executor.folders import PathError, confined

__all__ = ["UserManager"]


class UserManager:
    """Answers whose request it is, and where that user's files are."""

    def __init__(self) -> None:
        self.users = {"default": "default"}

    def get_request_user_id(self, request: Any) -> str:
        """The user who asks."""
        return "default"

    def get_request_user_filepath(
        self, request: Any, file: str | None, type: str = "userdata", create_dir: bool = True
    ) -> str | None:
        """The path of a user's file, or of the user's folder if no file is named; None for a file outside it."""
        if type != "userdata":
            raise KeyError(f"There is no folder '{type}' of a user; ask for userdata.")
        root: Path = here().folders.user / "default"
        try:
            path = root if file is None else confined(root, file)
        except PathError:
            return None
        if create_dir:
            (path if file is None else path.parent).mkdir(parents=True, exist_ok=True)
        return str(path)
