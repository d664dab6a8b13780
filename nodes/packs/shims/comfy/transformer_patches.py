"""The patches of attention and blocks that a model patcher can be told of. `UNetModel` computes with them."""

from typing import Any

from nodes.packs.bridge.missing import refuse

_KNOWN = {
    "patches": {
        "attn1_patch", "attn2_patch", "attn1_output_patch", "attn2_output_patch", "middle_patch", "emb_patch",
        "input_block_patch", "input_block_patch_after_skip", "middle_block_patch", "output_block_patch",
    },
    "patches_replace": {"attn1", "attn2"},
}  # fmt: skip


class TransformerPatches:
    """The part of a model patcher that fills `transformer_options`."""

    model_options: dict[str, Any]

    def set_model_patch(self, patch: Any, name: str) -> None:
        """Add a patch under a name."""
        appended(self._options().setdefault("patches", {}), name, patch)

    def set_model_patch_replace(
        self, patch: Any, name: str, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """Replace a part of one block."""
        replace_block(self._options(), patch, name, block_name, number, transformer_index)

    def set_model_attn1_patch(self, patch: Any) -> None:
        """Change what self-attention gets."""
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Any) -> None:
        """Change what cross-attention gets."""
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """Replace self-attention in one block."""
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """Replace cross-attention in one block."""
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def set_model_attn1_output_patch(self, patch: Any) -> None:
        """Change what self-attention gives."""
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Any) -> None:
        """Change what cross-attention gives."""
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_input_block_patch(self, patch: Any) -> None:
        """Change what an input block gives."""
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Any) -> None:
        """Change what an input block gives, after its skip connection is taken."""
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_output_block_patch(self, patch: Any) -> None:
        """Change what an output block gets."""
        self.set_model_patch(patch, "output_block_patch")

    def set_model_emb_patch(self, patch: Any) -> None:
        """Change the embedding of the timestep."""
        self.set_model_patch(patch, "emb_patch")

    def set_model_forward_timestep_embed_patch(self, patch: Any) -> None:
        """Handle layers that the network does not know."""
        self.set_model_patch(patch, "forward_timestep_embed_patch")

    def set_model_double_block_patch(self, patch: Any) -> None:
        """Change what a double block gives."""
        self.set_model_patch(patch, "double_block")

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.model_options.setdefault("transformer_options", {})
        return options


def appended(hold: dict[str, Any], name: str, entry: Any) -> None:
    """A list with one more entry in the place of the old one, which others may hold."""
    hold[name] = [*hold.get(name, []), entry]


def replace_block(
    options: dict[str, Any], patch: Any, name: str, block_name: str, number: int, transformer_index: int | None
) -> None:
    """Let a patch stand for one part (`name`) of a block, or of one transformer in it."""
    place = (block_name, number) if transformer_index is None else (block_name, number, transformer_index)
    options.setdefault("patches_replace", {}).setdefault(name, {})[place] = patch


def refuse_unknown(options: dict[str, Any]) -> None:
    """Raise Unsupported for patches that sampling would ignore."""
    for name, known in _KNOWN.items():
        found = sorted(key for key, given in options.get(name, {}).items() if given and key not in known)
        if found:
            raise refuse(f"Patches by node packs of these parts of a network ({', '.join(found)}) are")
