"""Wrappers round steps of a sampling run, and callbacks at its events, by type and key. Knows no model."""

from collections.abc import Callable, Sequence
from typing import Any

Registry = dict[str, dict[str | None, list[Any]]]


class CallbacksMP:
    """Events of a model patcher."""

    ON_CLONE = "on_clone"
    ON_LOAD = "on_load_after"
    ON_DETACH = "on_detach_after"
    ON_CLEANUP = "on_cleanup"
    ON_PRE_RUN = "on_pre_run"
    ON_PREPARE_STATE = "on_prepare_state"
    ON_APPLY_HOOKS = "on_apply_hooks"
    ON_REGISTER_ALL_HOOK_PATCHES = "on_register_all_hook_patches"
    ON_INJECT_MODEL = "on_inject_model"
    ON_EJECT_MODEL = "on_eject_model"


class WrappersMP:
    """Steps of a sampling run that can be wrapped."""

    OUTER_SAMPLE = "outer_sample"
    PREPARE_SAMPLING = "prepare_sampling"
    SAMPLER_SAMPLE = "sampler_sample"
    PREDICT_NOISE = "predict_noise"
    CALC_COND_BATCH = "calc_cond_batch"
    APPLY_MODEL = "apply_model"
    DIFFUSION_MODEL = "diffusion_model"


def add_wrapper(
    wrapper_type: str, wrapper: Callable[..., Any], transformer_options: dict[str, Any], is_model_options: bool = False
) -> None:
    """Add a wrapper without a key to options."""
    add_wrapper_with_key(wrapper_type, None, wrapper, transformer_options, is_model_options)


def add_wrapper_with_key(
    wrapper_type: str,
    key: str | None,
    wrapper: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a wrapper to options."""
    _add("wrappers", wrapper_type, key, wrapper, transformer_options, is_model_options)


def get_wrappers_with_key(
    wrapper_type: str, key: str | None, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """The wrappers of a type under one key."""
    return list(_registry("wrappers", transformer_options, is_model_options).get(wrapper_type, {}).get(key, []))


def get_all_wrappers(
    wrapper_type: str, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """All wrappers of a type, in the order in which they were added."""
    return flattened(_registry("wrappers", transformer_options, is_model_options), wrapper_type)


def add_callback(
    call_type: str, callback: Callable[..., Any], transformer_options: dict[str, Any], is_model_options: bool = False
) -> None:
    """Add a callback without a key to options."""
    add_callback_with_key(call_type, None, callback, transformer_options, is_model_options)


def add_callback_with_key(
    call_type: str,
    key: str | None,
    callback: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a callback to options."""
    _add("callbacks", call_type, key, callback, transformer_options, is_model_options)


def get_callbacks_with_key(
    call_type: str, key: str | None, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """The callbacks of a type under one key."""
    return list(_registry("callbacks", transformer_options, is_model_options).get(call_type, {}).get(key, []))


def get_all_callbacks(call_type: str, transformer_options: dict[str, Any], is_model_options: bool = False) -> list[Any]:
    """All callbacks of a type, in the order in which they were added."""
    return flattened(_registry("callbacks", transformer_options, is_model_options), call_type)


def flattened(registry: Registry, kind: str) -> list[Any]:
    """The entries of a type under all keys."""
    return [one for listed in registry.get(kind, {}).values() for one in listed]


def copied(registry: Registry) -> Registry:
    """A registry that can be added to without changing the first."""
    return {kind: {key: list(listed) for key, listed in keyed.items()} for kind, keyed in registry.items()}


def merged(first: Registry, second: Registry) -> Registry:
    """What is in either; where both have the same entry under one key, once."""
    result = copied(first)
    for kind, keyed in second.items():
        for key, listed in keyed.items():
            there = result.setdefault(kind, {}).setdefault(key, [])
            there.extend(one for one in listed if one not in there)
    return result


class WrapperExecutor:
    """A function inside wrappers: each gets the executor of what is further in, and the arguments."""

    def __init__(
        self, original: Callable[..., Any], class_obj: Any, wrappers: Sequence[Callable[..., Any]], idx: int
    ) -> None:
        self.original = original
        self.class_obj = class_obj
        self.wrappers = list(wrappers)
        self.idx = idx
        self.is_last = idx == len(self.wrappers)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Go on inside, from a wrapper."""
        inner = WrapperExecutor(self.original, self.class_obj, self.wrappers, self.idx + 1)
        return inner.execute(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Call the outermost wrapper that is left, or the function itself."""
        if self.is_last:
            return self.original(*args, **kwargs)
        return self.wrappers[self.idx](self, *args, **kwargs)

    @classmethod
    def new_executor(
        cls, original: Callable[..., Any], wrappers: Sequence[Callable[..., Any]], idx: int = 0
    ) -> "WrapperExecutor":
        """Round a function."""
        return cls(original, None, wrappers, idx)

    @classmethod
    def new_class_executor(
        cls, original: Callable[..., Any], class_obj: Any, wrappers: Sequence[Callable[..., Any]], idx: int = 0
    ) -> "WrapperExecutor":
        """Round a method of `class_obj`, which wrappers can then see."""
        return cls(original, class_obj, wrappers, idx)


class PatcherInjection:
    """What to do to a model before a run, and how to undo it."""

    def __init__(self, inject: Callable[[Any], None], eject: Callable[[Any], None]) -> None:
        self.inject = inject
        self.eject = eject


def _registry(name: str, options: dict[str, Any], is_model_options: bool) -> Registry:
    if is_model_options:
        options = options.get("transformer_options", {})
    found: Registry = options.get(name, {})
    return found


def _add(name: str, kind: str, key: str | None, entry: Any, options: dict[str, Any], is_model_options: bool) -> None:
    if is_model_options:
        options = options.setdefault("transformer_options", {})
    options.setdefault(name, {}).setdefault(kind, {}).setdefault(key, []).append(entry)
