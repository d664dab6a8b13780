"""What packs hang on a model patcher: wrappers, callbacks, injections, further models, things of their own."""

from collections.abc import Callable, Iterable
from typing import Any

import comfy.patcher_extension as extension


class PatcherAttachments:
    """The part of a model patcher that keeps them."""

    wrappers: extension.Registry
    callbacks: extension.Registry
    attachments: dict[str, Any]
    injections: dict[str, list[Any]]
    additional_models: dict[str, list[Any]]

    def add_callback(self, call_type: str, callback: Callable[..., Any]) -> None:
        """Hear of an event."""
        self.add_callback_with_key(call_type, None, callback)

    def add_callback_with_key(self, call_type: str, key: str | None, callback: Callable[..., Any]) -> None:
        """Hear of an event, under a key by which it can be removed."""
        self.callbacks.setdefault(call_type, {}).setdefault(key, []).append(callback)

    def remove_callbacks_with_key(self, call_type: str, key: str) -> None:
        """Hear of it no more."""
        self.callbacks.get(call_type, {}).pop(key, None)

    def get_callbacks(self, call_type: str, key: str | None) -> list[Any]:
        """The callbacks under a key."""
        return list(self.callbacks.get(call_type, {}).get(key, []))

    def get_all_callbacks(self, call_type: str) -> list[Any]:
        """All callbacks of an event."""
        return extension.flattened(self.callbacks, call_type)

    def add_wrapper(self, wrapper_type: str, wrapper: Callable[..., Any]) -> None:
        """Wrap a step of sampling."""
        self.add_wrapper_with_key(wrapper_type, None, wrapper)

    def add_wrapper_with_key(self, wrapper_type: str, key: str | None, wrapper: Callable[..., Any]) -> None:
        """Wrap a step of sampling, under a key by which it can be removed."""
        self.wrappers.setdefault(wrapper_type, {}).setdefault(key, []).append(wrapper)

    def remove_wrappers_with_key(self, wrapper_type: str, key: str) -> None:
        """Wrap it no more."""
        self.wrappers.get(wrapper_type, {}).pop(key, None)

    def get_wrappers(self, wrapper_type: str, key: str | None) -> list[Any]:
        """The wrappers under a key."""
        return list(self.wrappers.get(wrapper_type, {}).get(key, []))

    def get_all_wrappers(self, wrapper_type: str) -> list[Any]:
        """All wrappers of a step."""
        return extension.flattened(self.wrappers, wrapper_type)

    def set_attachments(self, key: str, attachment: Any) -> None:
        """Keep something with the model."""
        self.attachments[key] = attachment

    def get_attachment(self, key: str) -> Any:
        """What is kept under a key, or None."""
        return self.attachments.get(key)

    def remove_attachments(self, key: str) -> None:
        """Keep it no more."""
        self.attachments.pop(key, None)

    def set_injections(self, key: str, injections: Iterable[Any]) -> None:
        """What to do to the model before each run, and to undo after it."""
        self.injections[key] = list(injections)

    def get_injections(self, key: str) -> list[Any] | None:
        """The injections under a key."""
        return self.injections.get(key)

    def remove_injections(self, key: str) -> None:
        """Inject them no more."""
        self.injections.pop(key, None)

    def inject_model(self) -> None:
        """Do to the model what the injections do."""
        for injection in (one for listed in self.injections.values() for one in listed):
            injection.inject(self)
        for callback in self.get_all_callbacks(extension.CallbacksMP.ON_INJECT_MODEL):
            callback(self)

    def eject_model(self) -> None:
        """Undo it."""
        for injection in (one for listed in self.injections.values() for one in listed):
            injection.eject(self)
        for callback in self.get_all_callbacks(extension.CallbacksMP.ON_EJECT_MODEL):
            callback(self)

    def set_additional_models(self, key: str, models: Iterable[Any]) -> None:
        """Further models that a run needs."""
        self.additional_models[key] = list(models)

    def get_additional_models(self) -> list[Any]:
        """All further models that a run needs."""
        return [one for models in self.additional_models.values() for one in models]

    def get_additional_models_with_key(self, key: str) -> list[Any]:
        """Those under a key."""
        return list(self.additional_models.get(key, []))

    def remove_additional_models(self, key: str) -> None:
        """Need them no more."""
        self.additional_models.pop(key, None)
