"""HyperTile, token merging and scaled attention, against attention that is computed piece by piece."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Attending, Place
from nodes.diffusion.patches.tokens import Matching, Merged, Scaled, Tiled
from nodes.diffusion.patches.walk import attention, projected
from tests.nodes.diffusion.patches.small_unet import call_of, predict, small_unet

PLACE = Place("input", 1)


def attending(size: tuple[int, int], crossed: bool = False) -> Attending:
    layer = small_unet().down_blocks[0].attentions[0].transformer_blocks[0]
    x = torch.randn(2, size[0] * size[1], 32, generator=torch.Generator().manual_seed(1))
    context = torch.randn(2, 7, 64) if crossed else x
    return Attending(x, context, context, crossed, PLACE, size, layer.attn2 if crossed else layer.attn1, attention)


@pytest.mark.parametrize(("size", "tiles"), [((8, 16), (2, 4)), ((12, 8), (3, 2)), ((7, 8), (1, 2)), ((4, 4), (1, 1))])
def test_each_tile_attends_to_itself(size: tuple[int, int], tiles: tuple[int, int]) -> None:
    what = attending(size)
    made = Tiled(1, 1, 0, False).attend(what, call_of(torch.zeros(1, 4, *size)), projected)
    rows, columns = (side // count for side, count in zip(size, tiles, strict=True))
    expected = torch.empty(2, *size, 32)
    grid = what.x.unflatten(1, size)
    for top in range(0, size[0], rows):
        for left in range(0, size[1], columns):
            cut = grid[:, top : top + rows, left : left + columns].flatten(1, 2)
            alone = what.attention(cut)
            expected[:, top : top + rows, left : left + columns] = alone.unflatten(1, (rows, columns))
    assert torch.allclose(made, expected.flatten(1, 2), atol=1e-5)


def test_tiles_are_drawn_and_only_where_they_are_asked_for() -> None:
    what = attending((8, 8))
    latents = torch.zeros(1, 4, 8, 8)
    drawn = {
        float(Tiled(32, 3, 0, False).attend(what, call_of(latents, level=level), projected).sum())
        for level in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    }
    assert len(drawn) > 1, "levels differ"
    again = [Tiled(32, 3, 0, False).attend(what, call_of(latents, level=1.0), projected) for _ in range(2)]
    assert torch.equal(*again)
    deep = torch.zeros(1, 4, 16, 16)
    plain = projected(what)
    assert torch.equal(Tiled(32, 1, 0, False).attend(what, call_of(deep), projected), plain)
    assert not torch.allclose(Tiled(32, 1, 1, False).attend(what, call_of(deep), projected), plain, atol=1e-4)
    assert torch.equal(Tiled(32, 1, 1, True).attend(what, call_of(deep), projected), plain), "tiles grow with depth"
    text = attending((8, 8), crossed=True)
    assert torch.equal(Tiled(32, 1, 0, False).attend(text, call_of(latents), projected), projected(text))
    unet = small_unet()
    assert torch.equal(predict(unet, Tiled(2048, 1, 3, False)), predict(unet)), "one tile is the whole picture"


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_tokens_that_are_alike_are_merged_by_their_mean_and_parted_again(ratio: float) -> None:
    size = (4, 6)
    x = torch.randn(2, 24, 5, generator=torch.Generator().manual_seed(2))
    matching = Matching(x, size, ratio, torch.Generator().manual_seed(0))
    count = min(18, int(24 * ratio))
    merged = matching.merged(x)
    assert merged.shape == (2, 24 - count, 5)
    kept = matching._kept.tolist()
    assert len({(cell // 6 // 2, cell % 6 // 2) for cell in kept}) == len(kept) == 6, "one of each square"
    others = [cell for cell in range(24) if cell not in kept]
    for row in range(2):
        like = torch.nn.functional.cosine_similarity(x[row, others][:, None], x[row, kept][None], dim=-1)
        best, into = like.max(1)
        gone = sorted(range(18), key=lambda one: -best[one])[:count]
        expected = x[row].clone()
        for index, cell in enumerate(kept):
            group = [x[row, cell], *(x[row, others[one]] for one in gone if into[one] == index)]
            expected[cell] = torch.stack(group).mean(0)
        for one in gone:
            expected[others[one]] = expected[kept[into[one]]]
        assert torch.allclose(matching.parted(merged)[row], expected, atol=1e-5)


def test_merging_is_for_self_attention_of_the_largest_maps() -> None:
    what, text = attending((8, 8)), attending((8, 8), crossed=True)
    latents = torch.zeros(1, 4, 8, 8)
    seen: list[int] = []

    def count(what: Attending) -> Tensor:
        seen.append(what.x.shape[1])
        return projected(what)

    made = Merged(0.5).attend(what, call_of(latents), count)
    assert seen == [32]
    assert made.shape == what.x.shape
    assert not torch.allclose(made, projected(what), atol=1e-4)
    assert torch.equal(Merged(0.5).attend(text, call_of(latents), projected), projected(text))
    small = call_of(torch.zeros(1, 4, 16, 16))
    assert torch.equal(Merged(0.5).attend(what, small, projected), projected(what))
    unet = small_unet()
    assert torch.equal(predict(unet, Merged(0.0)), predict(unet))


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_scaled_attention_is_that_of_scaled_weights(name: str, crossed: bool) -> None:
    factors = {"q": 0.5, "k": 2.0, "v": 1.5, "out": 0.7}
    unet = small_unet(name)
    changed: Any = deepcopy(unet)
    for path, module in changed.named_modules():
        if path.endswith(".attn2" if crossed else ".attn1"):
            for part in "qkv":
                getattr(module, f"to_{part}").weight.mul_(factors[part])
            module.to_out[0].weight.mul_(factors["out"])
            module.to_out[0].bias.mul_(factors["out"])
    made = predict(unet, Scaled(crossed, **factors))
    assert torch.allclose(made, predict(changed), atol=1e-4)
    assert not torch.allclose(made, predict(unet), atol=1e-3)
