"""`ImageSaveHelper` and `AudioSaveHelper`: what packs call to save, and to show what was saved."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from comfy_api.latest._io.choices import FolderType
from comfy_api.latest._ui.pictures import save_animation, save_pictures
from comfy_api.latest._ui.saved import SavedResult
from comfy_api.latest._ui.shown import SavedAudios, SavedImages
from comfy_api.latest._ui.sound import save_sound


class ImageSaveHelper:
    """Pictures are (N, H, W, 1, 3 or 4) in 0 to 1; `cls` is the node's class, which knows the workflow."""

    @staticmethod
    def save_images(
        images: Tensor,
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        compress_level: int = 4,
    ) -> list[SavedResult]:
        """Save each as a PNG file. Raises executor.folders.PathError for a prefix that leads outside the folder."""
        return save_pictures(images, filename_prefix, folder_type, cls, compress_level)

    @staticmethod
    def get_save_images_ui(images: Tensor, filename_prefix: str, cls: Any, compress_level: int = 4) -> SavedImages:
        """Save each to the output folder, and show them."""
        helper = ImageSaveHelper
        return SavedImages(helper.save_images(images, filename_prefix, FolderType.output, cls, compress_level))

    @staticmethod
    def save_animated_png(
        images: Tensor,
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        fps: float,
        compress_level: int = 4,
    ) -> SavedResult:
        """Save all as one APNG file."""
        return save_animation(
            images, (filename_prefix, folder_type, ".png"), (fps, cls), lambda one: one.png(compress_level)
        )

    @staticmethod
    def get_save_animated_png_ui(
        images: Tensor, filename_prefix: str, cls: Any, fps: float, compress_level: int = 4
    ) -> SavedImages:
        """Save all as one APNG file in the output folder, and show it."""
        saved = ImageSaveHelper.save_animated_png(images, filename_prefix, FolderType.output, cls, fps, compress_level)
        return SavedImages([saved], is_animated=len(images) > 1)

    @staticmethod
    def save_animated_webp(
        images: Tensor,
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        fps: float,
        lossless: bool,
        quality: int,
        method: int | str,
    ) -> SavedResult:
        """Save all as one WEBP file."""
        return save_animation(
            images,
            (filename_prefix, folder_type, ".webp"),
            (fps, cls),
            lambda one: one.webp(lossless=lossless, quality=quality, method=method),
        )

    @staticmethod
    def get_save_animated_webp_ui(
        images: Tensor,
        filename_prefix: str,
        cls: Any,
        fps: float,
        lossless: bool,
        quality: int,
        method: int | str,
    ) -> SavedImages:
        """Save all as one WEBP file in the output folder, and show it."""
        saved = ImageSaveHelper.save_animated_webp(
            images, filename_prefix, FolderType.output, cls, fps, lossless, quality, method
        )
        return SavedImages([saved], is_animated=len(images) > 1)


class AudioSaveHelper:
    """Sound is {"waveform": (N, channels, samples) in -1 to 1, "sample_rate": samples a second}."""

    @staticmethod
    def save_audio(
        audio: Mapping[str, Any],
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        format: str = "flac",
        quality: str = "128k",
    ) -> list[SavedResult]:
        """Save each of a batch. Raises AudioUnavailable for any format but `wav`."""
        return save_sound(audio, filename_prefix, folder_type, format)

    @staticmethod
    def get_save_audio_ui(
        audio: Mapping[str, Any], filename_prefix: str, cls: Any, format: str = "flac", quality: str = "128k"
    ) -> SavedAudios:
        """Save each to the output folder, and offer them."""
        saved = AudioSaveHelper.save_audio(audio, filename_prefix, FolderType.output, cls, format, quality)
        return SavedAudios(saved)
