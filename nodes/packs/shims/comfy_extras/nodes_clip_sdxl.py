"""Nodes that encode text together with sizes, as SDXL was trained on."""

from typing import Any

from comfy_extras.built_in import node_class


class CLIPTextEncodeSDXL:
    """Encodes two texts for the two text models of SDXL. A text encoder with one model takes the second text."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "advanced/conditioning"

    def encode(
        self,
        clip: Any,
        width: int,
        height: int,
        crop_w: int,
        crop_h: int,
        target_width: int,
        target_height: int,
        text_g: str,
        text_l: str,
    ) -> tuple[Any]:
        """A conditioning that carries the sizes."""
        tokens = clip.tokenize(text_g)
        tokens["l"] = clip.tokenize(text_l)["l"]
        if "g" in tokens and len(tokens["l"]) != len(tokens["g"]):
            empty = clip.tokenize("")
            for name, other in (("l", "g"), ("g", "l")):
                while len(tokens[name]) < len(tokens[other]):
                    tokens[name] += empty[name]
        sizes = {
            "width": width, "height": height, "crop_w": crop_w, "crop_h": crop_h, "target_width": target_width,
            "target_height": target_height,
        }  # fmt: skip
        return (clip.encode_from_tokens_scheduled(tokens, add_dict=sizes),)

    @classmethod
    def execute(cls, **given: Any) -> tuple[Any]:
        """The same, as newer packs call it."""
        return cls().encode(**given)


def __getattr__(name: str) -> Any:
    """The other nodes."""
    return node_class(__name__, name)
