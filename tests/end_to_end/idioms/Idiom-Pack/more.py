# ruff: noqa
"""A class that takes whole lists and shows them."""


class ShowText:
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "go"
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {"forceInput": True})}}

    def go(self, text):
        return {"ui": {"text": text}}


NODE_CLASS_MAPPINGS = {"IdiomShowText": ShowText}
