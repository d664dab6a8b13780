"""The library names that node packs import, over `nodes.diffusion`. Knows nothing that is not there.

Importing it loads nothing. Packs also take its modules as attributes, as if everything had been imported before them.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """The module of that name, imported now."""
    whole = f"{__name__}.{name}"
    try:
        return importlib.import_module(whole)
    except ModuleNotFoundError as error:
        if error.name != whole:
            raise
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'") from None
