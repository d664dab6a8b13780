"""What a network is told of conditions besides their tokens, cut and batched as the latents are. Predicts nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.compose import matched
from nodes.diffusion.memory.network import Network
from nodes.diffusion.patches.contract import Call
from nodes.diffusion.patches.gligen import Grounds, check_grounding, gated
from nodes.diffusion.patches.walk import around_network, blocks_of, embedding_of, walk
from nodes.diffusion.sampling.control import Shown, check_controls, residuals
from nodes.diffusion.sampling.regions import Region
from nodes.diffusion.values import Condition, Conditioning, Model, Scene, Told


class Telling:
    """Asks a model once for each condition of a run, and again when the latents change their size."""

    def __init__(self, model: Model, groups: Sequence[Conditioning], latent: Tensor) -> None:
        """The first of several groups is what is wanted. Raises ValueError for a condition of another family."""
        self._model, self._latent = model, latent
        self._told: dict[tuple[int, int, torch.Size], Told] = {}
        self._shown, self._grounds = Shown(model), Grounds()
        for index, group in enumerate(groups):
            for condition in group:
                check_width(model, condition, "negative" if index else "positive")
                check_controls(model, condition)
                check_grounding(model, condition)
                self._of(index, condition, latent)

    def batch(self, regions: Sequence[tuple[int, Region]], x: Tensor, sigma: float) -> Told:
        """For the cuts of (N, channels, h, w) `x`, at a noise level, that the regions, each with its group's index,
        look at."""
        network = self._model.network
        told = [_cut(self._of(index, one.condition, x), one.box.cut, len(x), network) for index, one in regions]
        here = [region for _, region in regions]
        return replace(_together(told), controls=self._shown.of(here, x, sigma), grounds=self._grounds.of(here, x))

    def _of(self, index: int, condition: Condition, x: Tensor) -> Told:
        if self._model.tell is None:
            return Told()
        key = index, id(condition), x.shape[-2:]
        if key not in self._told:
            latent = self._latent
            if latent.shape[-2:] != x.shape[-2:]:
                latent = torch.nn.functional.interpolate(latent, size=x.shape[-2:], mode="bilinear")
            self._told[key] = self._model.tell(condition, Scene(latent, self._model.mask, index > 0))
        return self._told[key]


def check_width(model: Model, condition: Condition, which: str) -> None:
    """Raise ValueError if a condition was encoded for a model of another family."""
    width = condition.tokens.shape[-1]
    if model.text_width is not None and width != model.text_width:
        raise ValueError(
            f"The {which} conditioning was encoded with {width} numbers for each token and the model wants "
            f"{model.text_width}. Encode the text with the text encoder of the model's own family."
        )


def ask_network(
    module: Any, x: Tensor, timestep: Tensor, tokens: Tensor, told: Told | None = None, call: Call | None = None
) -> Tensor:
    """What a UNet2DConditionModel predicts for (B, channels, h, w) `x`, which is scaled already; with a call, as that
    call's alterations want it."""
    vectors = {} if told is None else dict(told.vectors)
    channels = None if told is None else told.channels
    if told is not None and told.grounds:
        call = gated(call, told.grounds, x, module.config.block_out_channels[0])
    said = residuals(told.controls, x, timestep, tokens, vectors) if told is not None and told.controls else None

    def network(x: Tensor) -> Tensor:
        x = x if channels is None else torch.cat([x, channels], dim=1)
        if call is None or not call.alterations:
            further = {} if said is None else said.arguments()
            return _forward(module, x, timestep, tokens, vectors, further)
        emb = embedding_of(module, x, timestep, tokens, vectors)
        return walk(blocks_of(module), x, emb, tokens, call if said is None else said.added_to(call, module))

    return network(x) if call is None else around_network(network, x, call)


def _forward(
    module: Any, x: Tensor, timestep: Tensor, tokens: Tensor, vectors: dict[str, Tensor], further: dict[str, Any]
) -> Tensor:
    added = dict(vectors)
    classes = added.pop("class_labels", None)
    if classes is not None:
        further["class_labels"] = classes
    if added:
        further["added_cond_kwargs"] = added
    answer: Tensor = module(x, timestep, encoder_hidden_states=tokens, return_dict=False, **further)[0]
    return answer


def _cut(told: Told, cut: Callable[[Tensor], Tensor], count: int, network: Network) -> Told:
    """What is told of a rectangle, for each of `count` latents, where and as the network computes."""

    def placed(tensor: Tensor, dtype: torch.dtype = network.dtype) -> Tensor:
        return matched(tensor.to(network.device, dtype), count)

    # Half types have too few digits for the sizes of pictures; the network widens them again, but too late.
    vectors = {
        name: placed(vector, torch.float32 if name == "time_ids" else network.dtype)
        for name, vector in told.vectors.items()
    }
    return Told(vectors, None if told.channels is None else placed(cut(told.channels)))


def _together(told: Sequence[Told]) -> Told:
    """In one batch. Conditions of one model are told the same kinds of things."""
    vectors = {name: torch.cat([one.vectors[name] for one in told]) for name in told[0].vectors}
    channels = [one.channels for one in told if one.channels is not None]
    return Told(vectors, torch.cat(channels) if channels else None)
