"""What packs use of torch.compile. Models are not compiled here."""

from typing import Any

COMPILE_KEY = "torch.compile"


class CompileUnavailable(RuntimeError):
    """Models of Heddle cannot be compiled."""


def set_torch_compile_wrapper(model: Any, backend: str, **_: Any) -> None:
    """Raises CompileUnavailable."""
    raise CompileUnavailable("Heddle does not compile models with torch.compile; run the workflow without this node.")


__all__ = ["COMPILE_KEY", "CompileUnavailable", "set_torch_compile_wrapper"]
