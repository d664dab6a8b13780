"""Saves sound as WAV, the one format that needs no audio library. It carries no workflow."""

import io
import wave
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from comfy_api.latest._io.choices import FolderType
from comfy_api.latest._ui.saved import SavedResult, series


class AudioUnavailable(RuntimeError):
    """What was asked for needs an audio library, which Heddle does not have."""


def save_sound(audio: Mapping[str, Any], filename_prefix: str, folder: FolderType, format: str) -> list[SavedResult]:
    """Save each of a batch. Raises AudioUnavailable for any format but `wav`."""
    if format != "wav":
        raise AudioUnavailable(f"Heddle cannot write {format} files; save the sound with format='wav' instead.")
    files = series(filename_prefix, folder)
    saved = []
    for index, waveform in enumerate(audio["waveform"]):
        entry = files.save(".wav", _wav(waveform, int(audio["sample_rate"])), batch_num=index)
        saved.append(SavedResult(**entry))
    return saved


def _wav(waveform: Tensor, sample_rate: int) -> bytes:
    """(channels, samples) as a file of 16 bits a sample."""
    samples = (waveform.detach().float().clamp(-1, 1) * 32767).round().short().cpu()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.T.contiguous().numpy().astype("<i2").tobytes())
    return buffer.getvalue()
