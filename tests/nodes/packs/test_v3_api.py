"""The rest of `comfy_api`: progress, videos, versions, flags, and the names that packs import."""

import io
import re

import pytest
from PIL import Image

from tests.nodes.packs.v3_nodes import shims


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with shims(tmp_path_factory.mktemp("base")) as run:
        yield run


def test_progress_reaches_the_call_that_it_is_made_in(found):
    told = found(
        """
        ComfyAPISync().execution.set_progress(1, 4)
        ComfyAPISync().execution.set_progress(2.0, 4.0, node_id="7")
        ComfyAPISync().execution.set_progress(0.5, 1.0)
        ComfyAPISync().execution.set_progress(0.5, 0)
        asyncio.run(ComfyAPI().execution.set_progress(value=4, max_value=4))
        found["told"] = steps.told
        found["other"] = attempt(ComfyAPISync().execution.set_progress, 1, 4, node_id="8")
        executing.set(None)
        found["outside"] = attempt(ComfyAPISync().execution.set_progress, 1, 4)
        """
    )
    assert told["told"] == [(1, 4, None), (2, 4, None), (500, 1000, None), (0, 0, None), (4, 4, None)]
    assert told["other"] == "ValueError: Node 7 reports the progress of node 8; leave node_id out."
    assert told["outside"].startswith("RuntimeError: set_progress can be called while a node runs only")


def test_previews_are_small_unless_they_need_not_be(found):
    told = found(
        """
        from PIL import Image
        execution = ComfyAPISync().execution
        execution.set_progress(1, 4, preview_image=Image.new("RGBA", (1024, 512), "red"))
        execution.set_progress(2, 4, preview_image=torch.ones(2, 600, 300, 3))
        execution.set_progress(3, 4, preview_image=torch.zeros(600, 300, 1), ignore_size_limit=True)
        found["previews"] = [preview for _, _, preview in steps.told]
        """
    )["previews"]
    sizes = [Image.open(io.BytesIO(preview.image)).size for preview in told]
    assert sizes == [(512, 256), (256, 512), (300, 600)]
    assert {preview.media_type for preview in told} == {"image/jpeg"}


def test_videos_are_taken_apart_and_copied_but_neither_decoded_nor_written(found, tmp_path):
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    source.write_bytes(b"film")
    seen = found(
        f"""
        from fractions import Fraction
        parts = Types.VideoComponents(images=torch.zeros(6, 2, 4, 3), frame_rate=Fraction(3))
        video = InputImpl.VideoFromComponents(parts)
        found["facts"] = [
            isinstance(video, Input.Video), video.get_dimensions(), video.get_frame_count(), video.get_duration(),
            video.get_components() is parts,
        ]
        found["written"] = attempt(video.save_to, "x.mp4")
        file = InputImpl.VideoFromFile({str(source)!r})
        found["read"] = attempt(file.get_components)
        file.save_to({str(target)!r})
        found["converted"] = attempt(file.save_to, "x.mp4", codec=Types.VideoCodec.H264)
        """
    )
    assert seen["facts"] == [True, (4, 2), 6, 2.0, True]
    assert target.read_bytes() == b"film"
    for question, start in (("written", "cannot write"), ("read", "cannot read"), ("converted", "cannot convert")):
        assert seen[question].startswith(f"VideoUnavailable: Heddle {start} video files (")


def test_every_version_of_the_interface_has_the_same_surface(found):
    seen = found(
        """
        import importlib
        for name in ("latest", "v0_0_2", "v0_0_1"):
            module = importlib.import_module(f"comfy_api.{name}")
            assert module.io is module.IO is io
            assert module.ui is module.UI is ui
            assert module.ComfyExtension is ComfyExtension
            found[name] = [
                module.ComfyAPI.VERSION, module.ComfyAPISync.VERSION, hasattr(module.ComfyAPI(), "execution"),
                hasattr(module.Types, "VideoContainer"), hasattr(module.Input, "Audio"),
            ]
        from comfy_api.version_list import supported_versions
        found["versions"] = [version.VERSION for version in supported_versions]
        """
    )
    assert seen.pop("versions") == ["0.0.1", "0.0.2", "latest"]
    assert {name: facts[:2] for name, facts in seen.items()} == {
        "latest": ["latest", "latest"],
        "v0_0_2": ["0.0.2", "0.0.2"],
        "v0_0_1": ["0.0.1", "0.0.1"],
    }
    assert all(all(facts[2:]) for facts in seen.values())


def test_the_names_of_the_first_interface_are_there(found):
    seen = found(
        """
        from comfy_api.feature_flags import get_connection_feature, get_server_features, supports_feature
        from comfy_api.input import AudioInput, ImageInput, LatentInput, MaskInput, VideoInput
        from comfy_api.input_impl import VideoFromComponents, VideoFromFile
        from comfy_api.torch_helpers import set_torch_compile_wrapper
        from comfy_api.util import VideoCodec, VideoComponents, VideoContainer

        known = {"me": {"feature_flags": {"supports_preview_metadata": True, "size": 3}}}
        found["flags"] = [
            supports_feature(known, "me", "supports_preview_metadata"), supports_feature(known, "me", "size"),
            supports_feature(known, "you", "size"), get_connection_feature(known, "me", "size"),
            get_connection_feature(known, "me", "none", default=5), get_server_features()["supports_preview_metadata"],
        ]
        found["same"] = [
            VideoInput is Input.Video, ImageInput is torch.Tensor, VideoFromFile is InputImpl.VideoFromFile
        ]
        found["choices"] = [VideoCodec.as_input(), VideoContainer.as_input(), VideoContainer.get_extension("auto")]
        found["compile"] = attempt(set_torch_compile_wrapper, model=None, backend="inductor")
        """
    )
    assert seen["flags"] == [True, False, False, 3, 5, True]
    assert seen["same"] == [True, True, True]
    assert seen["choices"] == [["auto", "h264"], ["auto", "mp4"], "mp4"]
    assert seen["compile"].startswith("CompileUnavailable: Heddle does not compile models")


TYPES = re.findall(
    r"\w+",
    """
    Boolean Int Float String Combo MultiCombo Color Image Mask Latent Conditioning Sampler Sigmas Noise Guider
    Clip ControlNet Vae Model ClipVision ClipVisionOutput StyleModel Gligen UpscaleModel LatentUpscaleModel Audio
    Video SVG LoraModel LossMap Voxel Mesh Hooks HookKeyframes TimestepsRange LatentOperation FlowControl
    Accumulation AnyType MultiType MatchType Autogrow DynamicCombo DynamicSlot
    """,
)


def test_every_type_has_its_input_and_all_but_the_growing_ones_an_output(found):
    seen = found(
        f"""
        for name in {TYPES!r}:
            kind = getattr(io, name)
            found[name] = [kind.io_type, kind.Input.Parent is kind, hasattr(kind, "Output")]
        found["own"] = len({{getattr(io, name).Input for name in {TYPES!r}}})
        """
    )
    assert seen.pop("own") == len(TYPES)
    assert all(is_own for _, is_own, _ in seen.values())
    without = {name for name, (_, _, has_output) in seen.items() if not has_output}
    assert without == {"MultiCombo", "MultiType", "Autogrow", "DynamicCombo", "DynamicSlot"}
    assert (seen["ControlNet"][0], seen["TimestepsRange"][0], seen["SVG"][0]) == (
        "CONTROL_NET",
        "TIMESTEPS_RANGE",
        "SVG",
    )
