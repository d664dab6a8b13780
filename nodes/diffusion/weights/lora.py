"""Puts the adapters of a LoRA file on a model and a text encoder, which stay as they are. Reads no file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from nodes.diffusion.checkpoints.detect import FAMILIES
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.load import warn_of
from nodes.diffusion.memory.network import Change, Network
from nodes.diffusion.values import Model, TextEncoder, TextRole
from nodes.diffusion.weights.adapters import Adapter, fits
from nodes.diffusion.weights.lora_file import LayerAdapter, Lora
from nodes.diffusion.weights.lora_names import FIRST_TEXT, SECOND_TEXT, UNET, text_layers, unet_layers

_SECOND_ROLE: TextRole = "g"
"""The text model that files call the second, whether there is a first one or not."""

_ENTRANCE = "conv_in"
"""Takes other channels in inpainting models, so an adapter for it may not fit a model of the same family."""


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """An adapter at a strength, as a `Change`."""

    adapter: Adapter
    strength: float

    def __call__(self, weight: Tensor) -> Tensor:
        """The weight with the adapter."""
        return self.adapter.add_to(weight, self.strength)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What of a LoRA belongs to a network."""

    adapters: Mapping[str, tuple[Adapter, ...]] = field(default_factory=dict[str, tuple[Adapter, ...]])
    """Name of a weight -> what changes it."""
    homeless: tuple[str, ...] = ()
    """Beginnings of the names that it has no layer for."""

    def changes(self, strength: float) -> dict[str, list[Change]]:
        """None at strength 0, so that the weights stay what they are to the last bit."""
        if strength == 0:
            return {}
        return {name: [Applied(one, strength) for one in adapters] for name, adapters in self.adapters.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What of a LoRA belongs to a model, and to each text model of an encoder."""

    unet: Fit
    texts: tuple[Fit, ...]

    def patch_model(self, model: Model, strength: float) -> Model:
        """The model with the LoRA; it shares all weights that it does not change."""
        return replace(model, network=model.network.changed(self.unet.changes(strength)))

    def patch_encoder(self, encoder: TextEncoder, strength: float) -> TextEncoder:
        """The text encoder with the LoRA."""
        models = tuple(
            replace(one, network=one.network.changed(fit.changes(strength)))
            for one, fit in zip(encoder.models, self.texts, strict=True)
        )
        return replace(encoder, models=models)


def fit_lora(lora: Lora, model: Model | None, encoder: TextEncoder | None) -> Fitted:
    """What of it belongs to the model, and to the text encoder. What finds no place is named in the log.

    Raises CheckpointError if nothing of it fits, or if it is for another family.
    """
    unet = Fit() if model is None else _fit(lora, UNET, model.network, unet_layers(model.network.weights), model)
    texts: tuple[Fit, ...] = ()
    if encoder is not None:
        texts = tuple(
            _fit(
                lora,
                SECOND_TEXT if one.role == _SECOND_ROLE else FIRST_TEXT,
                one.network,
                text_layers(one.network.weights),
                model,
            )
            for one in encoder.models
        )
    if not unet.adapters and not any(fit.adapters for fit in texts):
        raise CheckpointError(_nothing_fits(lora, model))
    absent = _without_network(lora, encoder)
    warn_of(lora.source, [*lora.strangers, *unet.homeless, *(name for fit in texts for name in fit.homeless), *absent])
    return Fitted(unet, texts)


def _fit(lora: Lora, kind: str, network: Network, layers: Mapping[str, str], model: Model | None) -> Fit:
    adapters: dict[str, tuple[Adapter, ...]] = {}
    homeless: list[str] = []
    for one in lora.layers:
        if one.place.network != kind:
            continue
        layer = layers.get(one.place.layer)
        for leaf, adapter in one.adapters.items():
            name = f"{layer}.{leaf}"
            if name not in network.weights:
                homeless.append(one.stem)
            elif not fits(adapter.shape, tuple(network.weights[name].shape)):
                if layer != _ENTRANCE:
                    raise CheckpointError(_other_family(lora, one, adapter, network.weights[name], model))
                homeless.append(one.stem)
            else:
                adapters[name] = (*adapters.get(name, ()), adapter)
    return Fit(adapters, tuple(dict.fromkeys(homeless)))


def _without_network(lora: Lora, encoder: TextEncoder | None) -> list[str]:
    """Adapters for a text model that the encoder does not have; one that is not there at all is not missed."""
    if encoder is None:
        return []
    there = {SECOND_TEXT if one.role == _SECOND_ROLE else FIRST_TEXT for one in encoder.models}
    return [one.stem for one in lora.layers if one.place.network != UNET and one.place.network not in there]


def _title(model: Model | None) -> str:
    found = [family.title for family in FAMILIES if model is not None and family.name == model.family]
    return found[0] if found else "the text encoder's family"


def _nothing_fits(lora: Lora, model: Model | None) -> str:
    names = [one.stem for one in lora.layers] or list(lora.strangers)
    held = f"its names are like '{names[0]}'" if names else "it holds no tensors"
    expected = "'lora_unet_...' or 'unet....'" if model is not None else "'lora_te_...' or 'text_encoder....'"
    return (
        f"{lora.source.title} has nothing for this {'model' if model is not None else 'text encoder'}: {held}, where "
        f"{expected} with the layers of {_title(model)} are expected. Choose a LoRA for {_title(model)}."
    )


def _other_family(lora: Lora, one: LayerAdapter, adapter: Adapter, weight: Tensor, model: Model | None) -> str:
    return (
        f"{lora.source.title} is for another family than {_title(model)}: {one.stem} changes a weight of "
        f"{list(adapter.shape)}, and here it is {list(weight.shape)}. Choose a LoRA for {_title(model)}."
    )
