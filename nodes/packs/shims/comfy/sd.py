"""Checkpoints, text encoders and autoencoders as packs load and use them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

from torch import Tensor

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from comfy.text_patcher import TextPatcher
from comfy.vae import VAE
from comfy.worker_memory import memory
from nodes.diffusion.checkpoints.assemble import FP8
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.separate import open_dual_text, open_text, open_unet
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.text.chunks import PLACEHOLDER, Chunk
from nodes.diffusion.text.encoder import encode_all, split_texts
from nodes.diffusion.text.tokenizer import END
from nodes.diffusion.values import Model, TextEncoder
from nodes.diffusion.weights.lora import fit_lora
from nodes.diffusion.weights.lora_file import read_lora
from nodes.packs.bridge.missing import Unsupported, refuse

__all__ = [
    "CLIP", "VAE", "CLIPType", "TEModel", "load_checkpoint", "load_checkpoint_guess_config", "load_clip",
    "load_diffusion_model", "load_diffusion_model_state_dict", "load_lora_for_models", "load_text_encoder_state_dicts",
    "load_unet",
]  # fmt: skip


Tokens = dict[str, list[list[tuple[Any, ...]]]]


class CLIPType(Enum):
    """Which families' text encoders a file is for."""

    STABLE_DIFFUSION = 1
    STABLE_CASCADE = 2
    SD3 = 3
    STABLE_AUDIO = 4
    HUNYUAN_DIT = 5
    FLUX = 6
    MOCHI = 7
    LTXV = 8
    HUNYUAN_VIDEO = 9
    PIXART = 10
    COSMOS = 11
    LUMINA2 = 12
    WAN = 13
    HIDREAM = 14
    CHROMA = 15
    ACE = 16
    OMNIGEN2 = 17
    QWEN_IMAGE = 18
    HUNYUAN_IMAGE = 19


class TEModel(Enum):
    """Text models by what they are."""

    CLIP_L = 1
    CLIP_H = 2
    CLIP_G = 3
    T5_XXL = 4
    T5_XL = 5
    T5_BASE = 6
    LLAMA3_8 = 7


class ClipTokenizer:
    """Text to weighted tokens, under the name of each text model: l, h or g."""

    def __init__(self, value: TextEncoder) -> None:
        self._value = value
        self._tokenizer = value.tokenizer
        self.clip_l = self
        self.clip_name = value.models[0].role
        self.embedding_directory: Any = [str(folder) for folder in value.embeddings] or None
        self.max_length = 77
        self.pad_with_end = value.models[0].pad == END

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **_: Any) -> Tokens:
        """{"l": chunks of 77 (token, weight), with the number of the word if asked for}."""
        chunks = split_texts(self._value, {one.role: text for one in self._value.models})
        return {role: self._pairs(found, return_word_ids) for role, found in chunks.items()}

    def _pairs(self, chunks: Sequence[Chunk], return_word_ids: bool) -> list[list[tuple[Any, ...]]]:
        number = 0
        made: list[list[tuple[Any, ...]]] = []
        for chunk in chunks:
            vectors = dict(chunk.vectors)
            tokens = [vectors.get(place, token) for place, token in enumerate(chunk.tokens)]
            pairs: list[tuple[Any, ...]] = list(zip(tokens, chunk.weights, strict=True))
            if return_word_ids:
                begins, numbers = self._word_starts(chunk), []
                for position in range(len(pairs)):
                    number += position in begins
                    numbers.append(number if position in begins or self._inside(chunk, position) else 0)
                pairs = [(*pair, word) for pair, word in zip(pairs, numbers, strict=True)]
            made.append(pairs)
        return made

    def untokenize(self, token_weight_pair: Sequence[tuple[Any, ...]]) -> list[tuple[Any, str]]:
        """Each (token, weight, ...) with its text."""
        return [
            (one, "" if isinstance(one[0], Tensor) else self._tokenizer.id_to_token(int(one[0])) or "")
            for one in token_weight_pair
        ]

    def _word_starts(self, chunk: Chunk) -> set[int]:
        ends = [self._ends_word(token) for token in chunk.tokens]
        return {
            place for place in range(1, len(ends)) if self._inside(chunk, place) and (place == 1 or ends[place - 1])
        }

    def _inside(self, chunk: Chunk, place: int) -> bool:
        return 0 < place < chunk.tokens.index(END)

    def _ends_word(self, token: int) -> bool:
        return str(self._tokenizer.id_to_token(token)).endswith("</w>")


class CLIP:
    """A text encoder as packs know it."""

    heddle_type = "CLIP"

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Text encoders that node packs put together themselves are")

    @classmethod
    def of(cls, value: TextEncoder) -> "CLIP":
        """For a text encoder of ours."""
        made: CLIP = object.__new__(cls)
        made._origin = value
        made.layer_idx = None if value.layer == -1 else value.layer
        made.patcher = TextPatcher(value)
        made._patched = None
        made.cond_stage_model = value.models[0].network.module
        made.tokenizer = ClipTokenizer(value)
        made.tokenizer_options = {}
        made.use_clip_schedule = False
        made.apply_hooks_to_conds = None
        return made

    _origin: TextEncoder
    _patched: tuple[TextEncoder, dict[str, Any], TextEncoder] | None
    """What the last changes of weights made of it, so that nothing is changed anew while they stay as they are."""
    layer_idx: int | None
    patcher: TextPatcher
    cond_stage_model: Any
    tokenizer: ClipTokenizer
    tokenizer_options: dict[str, Any]
    use_clip_schedule: bool
    apply_hooks_to_conds: Any

    def to_value(self) -> TextEncoder:
        """The text encoder of ours that this stands for."""
        layer = -1 if self.layer_idx is None else self.layer_idx
        if layer != self._origin.layer:
            self._origin = replace(self._origin, layer=layer)
        noted = {name: tuple(patches) for name, patches in self.patcher.patches.items()}
        if not noted:
            return self._origin
        if self._patched is None or self._patched[:2] != (self._origin, noted):
            self._patched = (self._origin, noted, self.patcher.patched(self._origin))
        return self._patched[2]

    def clone(self) -> "CLIP":
        """One of its own for the same network."""
        return CLIP.of(self.to_value())

    def clip_layer(self, layer_idx: int) -> None:
        """Stop at a layer: -1 is the last, -2 the one before."""
        self.layer_idx = layer_idx

    def set_tokenizer_option(self, option_name: str, value: Any) -> None:
        """Note an option."""
        self.tokenizer_options[option_name] = value

    def tokenize(self, text: str, return_word_ids: bool = False, **_: Any) -> Tokens:
        """Text to weighted tokens."""
        return self.tokenizer.tokenize_with_weights(text, return_word_ids)

    def encode_from_tokens(self, tokens: Tokens, return_pooled: Any = False, return_dict: bool = False) -> Any:
        """(1, tokens, width) for weighted tokens; with the pooled text if asked for, or all in a dict."""
        value = self.to_value()
        chunks = {one.role: [_chunk(pairs) for pairs in _of_role(tokens, one.role)] for one in value.models}
        with memory().resident(*value.networks):
            encoding = encode_all(value, chunks)
        if return_dict:
            return {"cond": encoding.tokens, "pooled_output": encoding.pooled}
        return (encoding.tokens, encoding.pooled) if return_pooled else encoding.tokens

    def encode_from_tokens_scheduled(
        self,
        tokens: Tokens,
        unprojected: bool = False,
        add_dict: Mapping[str, Any] | None = None,
        show_pbar: bool = True,
    ) -> list[list[Any]]:
        """A conditioning."""
        told = self.encode_from_tokens(tokens, return_dict=True)
        cond = told.pop("cond")
        return [[cond, {**told, **(add_dict or {})}]]

    def encode(self, text: str) -> Tensor:
        """(1, tokens, width) for a text."""
        return self.encode_from_tokens(self.tokenize(text))

    def add_patches(self, patches: Mapping[str, Any], *args: Any, **kwargs: Any) -> list[str]:
        """Change weights; the names that there are."""
        return self.patcher.add_patches(patches, *args, **kwargs)

    def get_key_patches(self) -> dict[str, list[Any]]:
        """Name of each weight -> the weight."""
        return self.patcher.get_key_patches()

    def get_sd(self) -> dict[str, Tensor]:
        """The weights by name."""
        return dict(self._origin.models[0].network.weights)

    def load_sd(self, sd: Any, full_model: bool = False) -> Any:
        """Other weights. Raises Unsupported."""
        raise refuse("Weights that a node pack loads into a text encoder are")

    def load_model(self) -> TextPatcher:
        """Make the network resident."""
        comfy.model_management.load_model_gpu(self.patcher)
        return self.patcher


def load_checkpoint_guess_config(
    ckpt_path: str | Path,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    model_options: Any = None,
    te_model_options: Any = None,
) -> tuple[Any, Any, Any, None]:
    """(model, text encoder, autoencoder, None) of a checkpoint file. Raises CheckpointError."""
    opened = open_checkpoint(Path(ckpt_path), _folders(embedding_directory))
    return (
        ModelPatcher.of(opened.model) if output_model else None,
        CLIP.of(opened.text_encoder) if output_clip else None,
        VAE.of(opened.vae) if output_vae else None,
        None,
    )


def load_checkpoint(
    config_path: Any = None,
    ckpt_path: str | Path | None = None,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: Any = None,
    state_dict: Any = None,
    config: Any = None,
) -> tuple[Any, Any, Any]:
    """(model, text encoder, autoencoder) of a checkpoint file. Raises CheckpointError."""
    if ckpt_path is None or state_dict is not None:
        raise refuse("Checkpoints that node packs hold in memory are")
    return load_checkpoint_guess_config(ckpt_path, output_vae, output_clip, False, embedding_directory)[:3]


def load_lora_for_models(
    model: Any, clip: Any, lora: Any, strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """The model and text encoder with a LoRA. Raises CheckpointError if nothing of it fits."""
    value = None if model is None else model.to_value()
    encoder = None if clip is None else clip.to_value()
    if not (strength_model and value is not None) and not (strength_clip and encoder is not None):
        return (None if model is None else model.clone(), None if clip is None else clip.clone())
    if value is not None and not isinstance(value, Model):
        raise refuse("LoRA files for a module that a node pack made are")
    fitted = fit_lora(read_lora(held(Path("The LoRA"), lora)), value, encoder)
    return (
        None if value is None else ModelPatcher.of(fitted.patch_model(value, strength_model)),
        None if encoder is None else CLIP.of(fitted.patch_encoder(encoder, strength_clip)),
    )


def load_clip(
    ckpt_paths: Sequence[str],
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    model_options: Any = None,
) -> CLIP:
    """The text encoder of one file, or of SDXL's two. Raises CheckpointError, and Unsupported for other families."""
    paths = [Path(path) for path in ckpt_paths]
    if clip_type is not CLIPType.STABLE_DIFFUSION or len(paths) > 2:
        raise refuse(f"Text encoders of {clip_type.name} ({', '.join(path.name for path in paths)}) are")
    folders = _folders(embedding_directory)
    return CLIP.of(open_text(paths[0], folders) if len(paths) == 1 else open_dual_text(paths, folders))


def load_text_encoder_state_dicts(*_: Any, **__: Any) -> CLIP:
    """A text encoder in memory. Raises Unsupported."""
    raise refuse("Text encoders that node packs hold in memory are")


def load_diffusion_model(unet_path: str | Path, model_options: Any = None) -> ModelPatcher:
    """A denoising network in a file of its own; a `dtype` of eight bits is what it is stored in. Raises
    CheckpointError."""
    dtype = (model_options or {}).get("dtype")
    return ModelPatcher.of(open_unet(Path(unet_path), dtype if dtype in FP8 else None))


def load_diffusion_model_state_dict(sd: Any, *_: Any, **__: Any) -> ModelPatcher:
    """A denoising network in memory. Raises Unsupported."""
    raise refuse("Diffusion models that node packs hold in memory are")


def load_unet(unet_path: str | Path, dtype: Any = None) -> ModelPatcher:
    """The older name of `load_diffusion_model`."""
    return load_diffusion_model(unet_path, {"dtype": dtype})


def load_unet_state_dict(sd: Any, dtype: Any = None) -> ModelPatcher:
    """The older name of `load_diffusion_model_state_dict`."""
    return load_diffusion_model_state_dict(sd)


def load_model_weights(model: Any, sd: Any) -> Any:
    """Other weights for a model. Raises Unsupported."""
    raise refuse("Weights that a node pack loads into a model are")


def save_checkpoint(output_path: Any, *_: Any, **__: Any) -> None:
    """Write a checkpoint. Raises Unsupported."""
    raise refuse("Checkpoints that node packs write are")


def _folders(embedding_directory: Any) -> tuple[Path, ...]:
    given = [embedding_directory] if isinstance(embedding_directory, str | Path) else embedding_directory or ()
    return tuple(Path(one) for one in given)


def _of_role(tokens: Tokens, role: str) -> list[list[tuple[Any, ...]]]:
    """The chunks of one text model. Raises Unsupported for tokens of another family."""
    if role not in tokens:
        raise Unsupported(f"The tokens are for {', '.join(tokens)}, and this text encoder takes {role}.")
    return tokens[role]


def _chunk(pairs: Sequence[tuple[Any, ...]]) -> Chunk:
    vectors = tuple((place, pair[0]) for place, pair in enumerate(pairs) if isinstance(pair[0], Tensor))
    tokens = tuple(PLACEHOLDER if isinstance(pair[0], Tensor) else int(pair[0]) for pair in pairs)
    return Chunk(tokens, tuple(float(pair[1]) for pair in pairs), vectors)
