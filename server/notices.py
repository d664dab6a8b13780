"""What the user should know of this installation although nobody asked: damage that was found, folders that are full.

Told by `/health` and in the log. It knows no socket and no file.
"""

import logging

log = logging.getLogger(__name__)


class Notices:
    """Sentences by what they are about; a newer one about the same takes the place of the older."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    @property
    def sentences(self) -> list[str]:
        """What holds now."""
        return list(self._said.values())

    def say(self, about: str, sentence: str) -> None:
        """From now on this holds."""
        if self._said.get(about) != sentence:
            log.warning("%s", sentence)
        self._said[about] = sentence

    def settle(self, about: str) -> None:
        """It no longer holds."""
        self._said.pop(about, None)
