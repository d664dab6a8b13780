"""Random LoRA files of every published kind for a module, with what the papers' formulas make of each weight.

Names and formulas are written here by themselves, so that the library is not tested against its own tables.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

RANK, ALPHA = 2, 3.0

Tensors = dict[str, Tensor]
Naming = Callable[[str], str]
"""Layer's name in diffusers or transformers -> the beginning of its names in a file."""


@dataclass
class Kind:
    """One way to change a weight."""

    name: str
    parts: Callable[[Tensor], Tensors]
    """A weight -> the parts of its adapter, by the ends of their names."""
    changed: Callable[[Tensor, Tensors, float], Tensor]
    """A weight with its parts at a strength."""
    convolutions: bool = True


def random(*shape: int) -> Tensor:
    return torch.randn(shape) * 0.3


def kernel(weight: Tensor) -> tuple[int, ...]:
    return tuple(weight.shape[2:])


def ones(weight: Tensor) -> tuple[int, ...]:
    return (1,) * (weight.ndim - 2)


def low_rank(weight: Tensor) -> Tensors:
    out, into = weight.shape[:2]
    return {
        ".lora_up.weight": random(out, RANK, *ones(weight)),
        ".lora_down.weight": random(RANK, into, *kernel(weight)),
        ".alpha": torch.tensor(ALPHA),
    }


def low_rank_delta(weight: Tensor, parts: Tensors) -> Tensor:
    """By what the two layers, one after the other, do to unit inputs."""
    up = parts[".lora_up.weight"].reshape(-1, RANK)
    down = parts[".lora_down.weight"]
    delta = torch.zeros_like(weight)
    for row in range(RANK):
        delta += up[:, row].reshape(-1, 1, *ones(weight)) * down[row][None]
    return delta * ALPHA / RANK


def tucker(core: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(rank, rank, h, w), (out, rank), (rank, in): convolutions one after the other, as sums over both ranks."""
    mixed = torch.tensordot(first, core, dims=([1], [0]))  # (out, rank, h, w)
    return torch.tensordot(mixed, second, dims=([1], [0])).movedim(-1, 1)


def with_core(weight: Tensor) -> Tensors:
    if weight.ndim == 2 or kernel(weight) == (1, 1):
        return low_rank(weight)
    out, into = weight.shape[:2]
    return {
        ".lora_up.weight": random(out, RANK, 1, 1),
        ".lora_down.weight": random(RANK, into, 1, 1),
        ".lora_mid.weight": random(RANK, RANK, *kernel(weight)),
        ".alpha": torch.tensor(ALPHA),
    }


def with_core_delta(weight: Tensor, parts: Tensors) -> Tensor:
    if ".lora_mid.weight" not in parts:
        return low_rank_delta(weight, parts)
    up, down = parts[".lora_up.weight"][:, :, 0, 0], parts[".lora_down.weight"][:, :, 0, 0]
    return tucker(parts[".lora_mid.weight"], up, down) * ALPHA / RANK


def hadamard(weight: Tensor) -> Tensors:
    out, into = weight.shape[0], weight[0].numel()
    return {
        ".hada_w1_a": random(out, RANK),
        ".hada_w1_b": random(RANK, into),
        ".hada_w2_a": random(out, RANK),
        ".hada_w2_b": random(RANK, into),
        ".alpha": torch.tensor(ALPHA),
    }


def hadamard_delta(weight: Tensor, parts: Tensors) -> Tensor:
    first = parts[".hada_w1_a"] @ parts[".hada_w1_b"]
    second = parts[".hada_w2_a"] @ parts[".hada_w2_b"]
    return (first * second).reshape(weight.shape) * ALPHA / RANK


def hadamard_with_core(weight: Tensor) -> Tensors:
    if weight.ndim == 2:
        return hadamard(weight)
    out, into = weight.shape[:2]
    made = {".alpha": torch.tensor(ALPHA)}
    for number in "12":
        made[f".hada_t{number}"] = random(RANK, RANK, *kernel(weight))
        made[f".hada_w{number}_a"] = random(RANK, out)
        made[f".hada_w{number}_b"] = random(RANK, into)
    return made


def hadamard_with_core_delta(weight: Tensor, parts: Tensors) -> Tensor:
    if ".hada_t1" not in parts:
        return hadamard_delta(weight, parts)
    first, second = (
        tucker(parts[f".hada_t{number}"], parts[f".hada_w{number}_a"].T, parts[f".hada_w{number}_b"]) for number in "12"
    )
    return first * second * ALPHA / RANK


def kronecker(weight: Tensor) -> Tensors:
    """Both factors whole, which knows no alpha."""
    out, into = weight.shape[:2]
    return {
        ".lokr_w1": random(2, 2 if into % 2 == 0 else 1),
        ".lokr_w2": random(out // 2, into // (2 if into % 2 == 0 else 1), *kernel(weight)),
        ".alpha": torch.tensor(ALPHA),
    }


def kronecker_low_rank(weight: Tensor) -> Tensors:
    out, into = weight.shape[:2]
    made = {".lokr_w1": random(2, 2), ".alpha": torch.tensor(ALPHA)}
    if kernel(weight) in ((), (1, 1)):
        return made | {".lokr_w2_a": random(out // 2, RANK), ".lokr_w2_b": random(RANK, into // 2)}
    return made | {
        ".lokr_t2": random(RANK, RANK, *kernel(weight)),
        ".lokr_w2_a": random(RANK, out // 2),
        ".lokr_w2_b": random(RANK, into // 2),
    }


def kronecker_delta(weight: Tensor, parts: Tensors) -> Tensor:
    """Block by block: the blocks of the product are the cells of the first factor times the second."""
    first = parts[".lokr_w1"]
    scale = ALPHA / RANK
    if ".lokr_w2" in parts:
        second, scale = parts[".lokr_w2"], 1.0
    elif ".lokr_t2" in parts:
        second = tucker(parts[".lokr_t2"], parts[".lokr_w2_a"].T, parts[".lokr_w2_b"])
    else:
        second = parts[".lokr_w2_a"] @ parts[".lokr_w2_b"]
    rows = [torch.cat([cell * second for cell in row], dim=1) for row in first]
    return torch.cat(rows, dim=0).reshape(weight.shape) * scale


def by_output(weight: Tensor) -> Tensors:
    return low_rank(weight) | {".dora_scale": 1 + random(weight.shape[0], 1, *ones(weight)).abs()}


def by_input(weight: Tensor) -> Tensors:
    return low_rank(weight) | {".dora_scale": 1 + random(1, weight.shape[1], *ones(weight)).abs()}


def decomposed(weight: Tensor, parts: Tensors, strength: float) -> Tensor:
    whole = weight + low_rank_delta(weight, parts)
    magnitude = parts[".dora_scale"]
    if magnitude.shape[0] == 1:
        norms = whole.movedim(1, 0).flatten(1).square().sum(dim=1).sqrt()
        target = whole / norms.reshape(1, -1, *ones(weight)) * magnitude
    else:
        norms = whole.flatten(1).square().sum(dim=1).sqrt()
        target = whole / norms.reshape(-1, 1, *ones(weight)) * magnitude
    return weight + strength * (target - weight)


def added(delta: Callable[[Tensor, Tensors], Tensor]) -> Callable[[Tensor, Tensors, float], Tensor]:
    return lambda weight, parts, strength: weight + strength * delta(weight, parts)


KINDS = [
    Kind("LoRA", low_rank, added(low_rank_delta)),
    Kind("LoCon with a Tucker core", with_core, added(with_core_delta)),
    Kind("LoHa", hadamard, added(hadamard_delta)),
    Kind("LoHa with Tucker cores", hadamard_with_core, added(hadamard_with_core_delta)),
    Kind("LoKr", kronecker, added(kronecker_delta)),
    Kind("LoKr of low rank", kronecker_low_rank, added(kronecker_delta)),
    Kind("DoRA by output", by_output, decomposed),
    Kind("DoRA by input", by_input, decomposed),
    Kind("whole difference", lambda weight: {".diff": random(*weight.shape)}, added(lambda _, parts: parts[".diff"])),
]


def layers(module: nn.Module, *, convolutions: bool = True) -> dict[str, nn.Module]:
    """Linear layers and convolutions whose sides the kinds above can divide."""
    wanted = (nn.Linear, nn.Conv2d) if convolutions else (nn.Linear,)
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, wanted) and all(side % 2 == 0 for side in layer.weight.shape[:2])
    }


def make(module: nn.Module, naming: Naming, kind: Kind) -> tuple[Tensors, Callable[[float], Tensors]]:
    """A file's tensors for a module, and the module's weights with them at a strength."""
    file: Tensors = {}
    parts: dict[str, Tensors] = {}
    weights = {name: value.detach() for name, value in module.state_dict().items()}
    for name in layers(module, convolutions=kind.convolutions):
        parts[name] = kind.parts(weights[f"{name}.weight"])
        file |= {naming(name) + end: value.clone() for end, value in parts[name].items()}

    def expected(strength: float) -> Tensors:
        return weights | {
            f"{name}.weight": kind.changed(weights[f"{name}.weight"], one, strength) for name, one in parts.items()
        }

    return file, expected


def kohya(prefix: str) -> Naming:
    return lambda name: prefix + name.replace(".", "_")


def kohya_text(prefix: str) -> Naming:
    """transformers 5 has dropped `text_model.` from the names of the models; files have it."""

    def naming(name: str) -> str:
        plain = name.removeprefix("text_model.")
        inner = plain if plain == "text_projection" else f"text_model.{plain}"
        return prefix + inner.replace(".", "_")

    return naming


def original_unet(layers_per_block: int) -> Naming:
    """Kohya's names for SDXL, which are those of the original layout."""
    resnet = {
        "conv1": "in_layers_2", "conv2": "out_layers_3", "time_emb_proj": "emb_layers_1",
        "conv_shortcut": "skip_connection",
    }  # fmt: skip
    ends = {
        "time_embedding.linear_1": "time_embed_0",
        "time_embedding.linear_2": "time_embed_2",
        "add_embedding.linear_1": "label_emb_0_0",
        "add_embedding.linear_2": "label_emb_0_2",
        "conv_in": "input_blocks_0_0",
        "conv_out": "out_2",
    }

    def naming(name: str) -> str:
        if name in ends:
            return f"lora_unet_{ends[name]}"
        if match := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
            place, rest = ("1", match[3]) if match[1] == "attentions" else (str(2 * int(match[2])), resnet[match[3]])
            return f"lora_unet_middle_block_{place}_{rest}".replace(".", "_")
        match = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
        assert match
        way, block, part, index, rest = match.groups()
        if way == "down":
            row = 1 + int(block) * (layers_per_block + 1) + (layers_per_block if part == "downsamplers" else int(index))
            stem = f"input_blocks_{row}"
        else:
            row = int(block) * (layers_per_block + 1) + (layers_per_block if part == "upsamplers" else int(index))
            stem = f"output_blocks_{row}"
        if part == "downsamplers":
            return f"lora_unet_{stem}_0_op"
        if part == "upsamplers":
            return f"lora_unet_{stem}_2_conv" if way == "up" and block in ("0", "1") else f"lora_unet_{stem}_1_conv"
        if part == "resnets":
            return f"lora_unet_{stem}_0_{resnet[rest]}"
        return f"lora_unet_{stem}_1_{rest}".replace(".", "_")

    return naming


PEFT_ENDS = {".lora_up.weight": ".lora_B.weight", ".lora_down.weight": ".lora_A.weight"}


def as_peft(file: Tensors) -> Tensors:
    """The same adapters under PEFT's names; alpha is the configuration's, so here it is multiplied in."""
    made: Tensors = {}
    for name, value in file.items():
        for old, new in PEFT_ENDS.items():
            if name.endswith(old):
                made[name.removesuffix(old) + new] = value * (ALPHA / RANK if old == ".lora_up.weight" else 1)
    return made
