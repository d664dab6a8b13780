"""The names under which packs call built-in nodes as classes: the method, its order of positional arguments, and lists.

Facts of ComfyUI's public interface, for the classes that packs import from `nodes`. Other classes are called by
`execute` with their inputs in order, as ComfyUI's newer nodes are.
"""

from collections.abc import Mapping

METHODS: Mapping[str, str] = {
    "CheckpointLoader": "load_checkpoint",
    "CheckpointLoaderSimple": "load_checkpoint",
    "CLIPLoader": "load_clip",
    "CLIPSetLastLayer": "set_last_layer",
    "CLIPTextEncode": "encode",
    "CLIPVisionEncode": "encode",
    "CLIPVisionLoader": "load_clip",
    "ConditioningAverage": "addWeighted",
    "ConditioningCombine": "combine",
    "ConditioningConcat": "concat",
    "ConditioningSetArea": "append",
    "ConditioningSetAreaPercentage": "append",
    "ConditioningSetAreaStrength": "append",
    "ConditioningSetMask": "append",
    "ConditioningSetTimestepRange": "set_range",
    "ConditioningZeroOut": "zero_out",
    "ControlNetApply": "apply_controlnet",
    "ControlNetApplyAdvanced": "apply_controlnet",
    "ControlNetLoader": "load_controlnet",
    "DiffControlNetLoader": "load_controlnet",
    "DiffusersLoader": "load_checkpoint",
    "DualCLIPLoader": "load_clip",
    "EmptyImage": "generate",
    "EmptyLatentImage": "generate",
    "GLIGENLoader": "load_gligen",
    "GLIGENTextBoxApply": "append",
    "ImageBatch": "batch",
    "ImageInvert": "invert",
    "ImagePadForOutpaint": "expand_image",
    "ImageScale": "upscale",
    "ImageScaleBy": "upscale",
    "InpaintModelConditioning": "encode",
    "KSampler": "sample",
    "KSamplerAdvanced": "sample",
    "LatentBlend": "blend",
    "LatentComposite": "composite",
    "LatentCrop": "crop",
    "LatentFlip": "flip",
    "LatentFromBatch": "frombatch",
    "LatentRotate": "rotate",
    "LatentUpscale": "upscale",
    "LatentUpscaleBy": "upscale",
    "LoadImage": "load_image",
    "LoadImageMask": "load_image",
    "LoadImageOutput": "load_image",
    "LoadLatent": "load",
    "LoraLoader": "load_lora",
    "LoraLoaderModelOnly": "load_lora_model_only",
    "PreviewImage": "save_images",
    "RepeatLatentBatch": "repeat",
    "SaveImage": "save_images",
    "SaveLatent": "save",
    "SetLatentNoiseMask": "set_mask",
    "StyleModelApply": "apply_stylemodel",
    "StyleModelLoader": "load_style_model",
    "unCLIPCheckpointLoader": "load_checkpoint",
    "unCLIPConditioning": "apply_adm",
    "UNETLoader": "load_unet",
    "VAEDecode": "decode",
    "VAEDecodeTiled": "decode",
    "VAEEncode": "encode",
    "VAEEncodeForInpaint": "encode",
    "VAEEncodeTiled": "encode",
    "VAELoader": "load_vae",
}
"""Class type -> method."""

ORDERS: Mapping[str, tuple[str, ...]] = {
    "CLIPTextEncode": ("clip", "text"),
    "ConditioningSetMask": ("conditioning", "mask", "set_cond_area", "strength"),
    "InpaintModelConditioning": ("positive", "negative", "pixels", "vae", "mask", "noise_mask"),
    "VAEDecode": ("vae", "samples"),
    "VAEDecodeTiled": ("vae", "samples", "tile_size", "overlap", "temporal_size", "temporal_overlap"),
    "VAEEncode": ("vae", "pixels"),
    "VAEEncodeForInpaint": ("vae", "pixels", "mask", "grow_mask_by"),
    "VAEEncodeTiled": ("vae", "pixels", "tile_size", "overlap", "temporal_size", "temporal_overlap"),
}
"""Class type -> the method's arguments, where their order is not that of the inputs."""

CHOICES: Mapping[str, Mapping[str, str]] = {
    "ImageScale": {"upscale_methods": "upscale_method", "crop_methods": "crop"},
    "ImageScaleBy": {"upscale_methods": "upscale_method"},
    "LatentUpscale": {"upscale_methods": "upscale_method", "crop_methods": "crop"},
    "LatentUpscaleBy": {"upscale_methods": "upscale_method"},
}
"""Class type -> the attributes that hold the choices of an input, which packs put into inputs of their own."""
