"""The library names that packs use, run where packs live. See `test_comfy_library.py`."""

import importlib
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.sd
import comfy.utils
import pytest
import torch
from pack_surroundings import here
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from executor.context import ExecutingContext, executing
from executor.progress import Interrupted, Preview
from nodes import conditioning, latent
from nodes.diffusion import resize
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.loaders import checkpoint_loader_simple
from nodes.packs.bridge import from_pack, to_pack
from nodes.packs.bridge.missing import Unsupported

NAMES = {
    "comfy.utils": "common_upscale load_torch_file ProgressBar get_attr PROGRESS_BAR_ENABLED state_dict_prefix_replace "
    "tiled_scale get_tiled_scale_steps save_torch_file set_attr set_progress_bar_enabled set_attr_param copy_to_param "
    "state_dict_key_replace calculate_parameters weight_dtype repeat_to_batch_size resize_to_batch_size convert_sd_to "
    "string_to_seed lanczos bislerp tiled_scale_multidim",
    "comfy.model_management": "get_torch_device intermediate_device cast_to_device load_models_gpu unet_dtype "
    "OOM_EXCEPTION get_free_memory load_model_gpu should_use_fp16 soft_empty_cache unet_offload_device "
    "unload_all_models InterruptProcessingException free_memory get_torch_device_name is_device_mps is_intel_xpu "
    "text_encoder_offload_device unet_manual_cast vae_device xformers_enabled vram_state VRAMState CPUState cpu_state "
    "throw_exception_if_processing_interrupted processing_interrupted cast_to module_size dtype_size "
    "current_loaded_models LoadedModel device_supports_non_blocking pytorch_attention_enabled is_nvidia "
    "text_encoder_device text_encoder_dtype vae_dtype vae_offload_device should_use_bf16 get_total_memory "
    "cleanup_models is_device_cpu is_device_cuda",
    "comfy.samplers": "KSampler.SAMPLERS KSampler.SCHEDULERS KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS CFGGuider "
    "KSAMPLER calculate_sigmas sampler_object SCHEDULER_NAMES SAMPLER_NAMES sampling_function Sampler ksampler sample "
    "calc_cond_batch cfg_function SCHEDULER_HANDLERS process_conds",
    "comfy.sample": "fix_empty_latent_channels sample prepare_noise sample_custom",
    "comfy.sd": "load_checkpoint_guess_config load_lora_for_models VAE CLIP CLIPType.STABLE_DIFFUSION load_checkpoint "
    "load_diffusion_model_state_dict load_diffusion_model load_clip load_unet",
    "comfy.model_patcher": "ModelPatcher create_model_options_clone set_model_options_post_cfg_function",
    "comfy.model_base": "BaseModel ModelType.EPS SDXL SDXLRefiner",
    "comfy.model_sampling": "ModelSamplingDiscrete EPS V_PREDICTION CONST EDM X0 ModelSamplingDiscreteFlow "
    "ModelSamplingContinuousEDM ModelSamplingFlux",
    "comfy.ldm.modules.attention": "optimized_attention SpatialTransformer attention_pytorch CrossAttention",
    "comfy.ldm.modules.diffusionmodules.openaimodel": "UNetModel timestep_embedding forward_timestep_embed",
    "comfy.ldm.modules.diffusionmodules.util": "timestep_embedding",
    "comfy.ldm.modules.diffusionmodules.model": "Encoder",
    "comfy.lora": "model_lora_keys_unet model_lora_keys_clip calculate_weight load_lora",
    "comfy.controlnet": "load_controlnet ControlBase ControlNet",
    "comfy.conds": "CONDRegular CONDNoiseShape CONDCrossAttn CONDConstant CONDList",
    "comfy.ops": "manual_cast.Linear disable_weight_init.Conv2d cast_bias_weight",
    "comfy.latent_formats": "SD15 SDXL LatentFormat",
    "comfy.clip_vision": "ClipVisionModel Output load",
    "comfy.cli_args": "args.disable_metadata",
    "comfy.k_diffusion.sampling": "BrownianTreeNoiseSampler default_noise_sampler to_d get_ancestral_step append_zero "
    "sample_euler sample_dpmpp_2m_sde get_sigmas_karras",
    "comfy.comfy_types.node_typing": "IO",
    "comfy.model_detection": "unet_prefix_from_state_dict",
    "comfy.patcher_extension": "WrappersMP.APPLY_MODEL WrappersMP.DIFFUSION_MODEL WrappersMP.OUTER_SAMPLE "
    "WrappersMP.PREPARE_SAMPLING WrappersMP.SAMPLER_SAMPLE CallbacksMP.ON_CLEANUP CallbacksMP.ON_LOAD "
    "CallbacksMP.ON_PRE_RUN WrapperExecutor",
    "comfy.sampler_helpers": "convert_cond prepare_mask get_additional_models",
    "comfy_extras.nodes_upscale_model": "ImageUpscaleWithModel",
    "comfy_extras.chainner_models.model_loading": "load_state_dict",
    "comfy_extras.nodes_clip_sdxl": "CLIPTextEncodeSDXL",
    "comfy_extras.nodes_custom_sampler": "Noise_RandomNoise Guider_Basic",
    "comfy_extras.nodes_mask": "composite",
    "comfy_extras.nodes_latent": "reshape_latent_to",
}
"""Every library name that two or more of the counted packs use, and those that come with them."""


class Watched:
    """A `Progress` that remembers, looks at previews, and stops after some steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.previews: list[Preview] = []
        self.stop_after = stop_after

    def step(self, value: int, total: int, preview: Any = None) -> None:
        self.check()
        self.steps.append((value, total))
        if preview is not None:
            self.previews.append(preview())

    def check(self) -> None:
        if self.stop_after is not None and len(self.steps) >= self.stop_after:
            raise Interrupted("stopped")

    def text(self, text: str) -> None:
        pass


def loaded() -> Any:
    return checkpoint_loader_simple(ckpt_name="heddle_scenes.safetensors", folders=here().folders)


def inside_every_counted_name_exists() -> None:
    missing = []
    for module, names in NAMES.items():
        found = importlib.import_module(module)
        for name in names.split():
            try:
                comfy.utils.get_attr(found, name)
            except AttributeError:
                missing.append(f"{module}.{name}")
    assert missing == []


def inside_a_progress_bar_reports_to_its_own_node_and_stops_with_the_run() -> None:
    first, second = Watched(), Watched(stop_after=2)
    token = executing.set(ExecutingContext("job", "1", 0, first, []))
    bar = comfy.utils.ProgressBar(3)
    bar.update(1)
    executing.set(ExecutingContext("job", "2", 0, second, []))
    other = comfy.utils.ProgressBar(5)
    other.update_absolute(1)
    other.update_absolute(4, 8)
    for stopped in (lambda: other.update(1), comfy.model_management.throw_exception_if_processing_interrupted):
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            stopped()
    assert comfy.model_management.processing_interrupted()
    executing.reset(token)
    bar.update_absolute(2, preview=("JPEG", Image.new("RGB", (800, 400)), 64))
    assert first.steps == [(1, 3), (2, 3)], "a bar remembers where it was made"
    assert [one.media_type for one in first.previews] == ["image/jpeg"]
    assert second.steps == [(1, 5), (4, 8)]
    comfy.utils.ProgressBar(1).update(1)


METHODS = {
    "MODEL": "clone model_options get_model_object add_patches set_model_sampler_cfg_function load_device "
    "offload_device add_object_patch set_model_unet_function_wrapper model_dtype get_key_patches add_wrapper_with_key "
    "set_model_sampler_post_cfg_function set_model_patch_replace set_model_input_block_patch set_model_attn1_patch "
    "set_model_attn2_patch set_attachments get_attachment add_callback_with_key unpatch_model patch_model "
    "set_model_denoise_mask_function set_model_attn1_output_patch set_model_attn2_output_patch set_injections "
    "model.model_sampling.percent_to_sigma model.model_sampling.sigma_min model.model_sampling.sigma_max "
    "model.diffusion_model model.latent_format model.model_config model.process_latent_in model.process_latent_out",
    "CLIP": "clone tokenize encode_from_tokens encode_from_tokens_scheduled patcher cond_stage_model clip_layer "
    "load_sd get_sd add_patches get_key_patches patcher.model_state_dict",
    "VAE": "encode decode encode_tiled decode_tiled downscale_ratio latent_channels first_stage_model patcher get_sd "
    "spacial_compression_decode",
}
"""What packs ask of these objects."""


def inside_objects_have_what_packs_ask_of_them() -> None:
    missing = []
    for value in loaded():
        shown = to_pack(value)
        for name in METHODS[shown.heddle_type].split():
            try:
                comfy.utils.get_attr(shown, name)
            except AttributeError:
                missing.append(f"{shown.heddle_type}.{name}")
    assert missing == []


def inside_a_switch_for_the_terminal_does_not_silence_a_node() -> None:
    watched = Watched()
    token = executing.set(ExecutingContext("job", "1", 0, watched, []))
    comfy.utils.set_progress_bar_enabled(False)
    comfy.utils.ProgressBar(3).update(1)
    assert not comfy.utils.PROGRESS_BAR_ENABLED
    comfy.utils.set_progress_bar_enabled(True)
    executing.reset(token)
    assert watched.steps == [(1, 3)]


def inside_sampling_stops_within_one_step() -> None:
    import comfy.sample

    watched = Watched(stop_after=0)
    token = executing.set(ExecutingContext("job", "1", 0, watched, []))
    memory: Any = here().resources["DeviceMemory"]
    words = to_pack(conditioning.clip_text_encode(text="day", clip=loaded().CLIP, memory=memory))
    blank = torch.zeros(1, 4, 8, 8)
    with pytest.raises(Interrupted):
        comfy.sample.sample(to_pack(loaded().MODEL), blank, 5, 2.0, "euler", "normal", words, words, blank, seed=0)
    executing.reset(token)


def inside_a_text_encoder_of_packs_encodes_as_the_node_does() -> None:
    memory: Any = here().resources["DeviceMemory"]
    clip = to_pack(loaded().CLIP)
    assert from_pack(clip.clone(), "CLIP") is clip.to_value()
    for text in ("", "a (small:1.3) red cube", "many words " * 60):
        ours = conditioning.clip_text_encode(text=text, clip=clip.to_value(), memory=memory)
        tokens = clip.tokenize(text)
        made, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        assert torch.equal(made, ours[0].tokens)
        assert torch.equal(pooled, ours[0].pooled)
        scheduled = from_pack(clip.encode_from_tokens_scheduled(tokens, add_dict={"mine": 1}), "CONDITIONING")
        assert torch.equal(scheduled[0].pooled, ours[0].pooled)
        assert scheduled[0].attached == {"mine": 1}
    skipping = clip.clone()
    skipping.clip_layer(-2)
    value = from_pack(skipping, "CLIP")
    assert (value.layer, clip.to_value().layer) == (-2, -1)
    ours = conditioning.clip_text_encode(text="a cone", clip=value, memory=memory)
    assert torch.equal(skipping.encode_from_tokens(skipping.tokenize("a cone")), ours[0].tokens)


def inside_words_are_numbered_for_packs() -> None:
    chunk = to_pack(loaded().CLIP).tokenize("a supercalifragilistic cube", return_word_ids=True)["l"][0]
    numbers = [number for _, _, number in chunk]
    assert numbers[:2] == [0, 1]
    assert max(numbers) == 3
    assert numbers == sorted(numbers[: numbers.index(3) + 1]) + [0] * (77 - numbers.index(3) - 1)
    assert numbers.count(2) > 1, "a long word has several tokens"


def inside_an_autoencoder_of_packs_is_that_of_the_nodes() -> None:
    memory: Any = here().resources["DeviceMemory"]
    value = loaded().VAE
    vae = to_pack(value)
    assert from_pack(vae, "VAE") is value
    picture = torch.rand(1, 67, 64, 3, generator=torch.Generator().manual_seed(0))
    ours = latent.vae_encode(pixels=picture, vae=value, memory=memory).samples
    assert torch.equal(vae.encode(picture), ours)
    decoded = latent.vae_decode(samples=from_pack({"samples": ours}, "LATENT"), vae=value, memory=memory)
    assert torch.equal(vae.decode(ours), decoded)
    assert torch.equal(vae.decode_tiled(ours), decoded), "one tile is the whole"
    assert vae.decode_tiled(ours, tile_x=6, tile_y=6, overlap=2).shape == decoded.shape
    assert vae.encode_tiled(picture, tile_x=48, tile_y=48, overlap=16).shape == ours.shape
    assert (vae.latent_channels, vae.downscale_ratio, vae.spacial_compression_decode()) == (4, 8, 8)


def inside_a_checkpoint_loads_as_three_objects() -> None:
    path = here().folders.model("checkpoints", "heddle_scenes.safetensors")
    model, clip, vae, vision = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=False)
    assert vae is None
    assert vision is None
    assert from_pack(model, "*").network.role == "unet"
    assert from_pack(clip, "*").models[0].network.role == "text"
    assert model.model.model_config.unet_config["in_channels"] == 4
    assert model.get_model_object("diffusion_model") is model.model.diffusion_model
    sampling = model.get_model_object("model_sampling")
    assert sampling.percent_to_sigma(0) > 1e8 > sampling.percent_to_sigma(0.5) > sampling.percent_to_sigma(1.0) == 0
    assert float(sampling.timestep(sampling.sigma_max)) == 999
    assert float(sampling.sigma(torch.tensor(999.0))) == pytest.approx(float(sampling.sigma_max))
    latent = torch.ones(1, 4, 2, 2)
    back = model.model.process_latent_out(model.model.process_latent_in(latent))
    assert torch.allclose(back, latent)


def inside_networks_in_files_of_their_own_load() -> None:
    whole = here().folders.model("checkpoints", "heddle_scenes.safetensors")
    tensors = load_file(whole)
    folder = here().folders.temp
    for name, prefix in (("unet", "model.diffusion_model."), ("text", "cond_stage_model.transformer.")):
        part = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        save_file(part, folder / f"{name}.safetensors")
    _, clip, _, _ = comfy.sd.load_checkpoint_guess_config(str(whole))
    alone = comfy.sd.load_clip([str(folder / "text.safetensors")])
    assert torch.equal(alone.encode("a cube"), clip.encode("a cube"))
    model = comfy.sd.load_diffusion_model(folder / "unet.safetensors")
    assert from_pack(model, "MODEL").vae is None
    autoencoder = comfy.sd.VAE(
        sd={key: value for key, value in tensors.items() if key.startswith("first_stage_model.")}
    )
    assert autoencoder.decode(torch.zeros(1, 4, 4, 4)).shape == (1, 32, 32, 3)
    with pytest.raises(Unsupported, match="FLUX"):
        comfy.sd.load_clip(["a", "b"], clip_type=comfy.sd.CLIPType.FLUX)


def inside_files_of_weights_are_read_and_pickles_that_run_code_are_not() -> None:
    folder = here().folders.temp
    save_file({"a.b": torch.ones(2), "a.c": torch.zeros(3, dtype=torch.float16)}, folder / "w.safetensors", {"k": "v"})
    tensors, metadata = comfy.utils.load_torch_file(folder / "w.safetensors", return_metadata=True)
    assert (sorted(tensors), metadata) == (["a.b", "a.c"], {"k": "v"})
    torch.save({"state_dict": {"x": torch.ones(1)}}, folder / "w.ckpt")
    assert list(comfy.utils.load_torch_file(str(folder / "w.ckpt"))) == ["x"]
    torch.save({"params_ema": {"y": torch.ones(1)}}, folder / "w.pth")
    assert list(comfy.utils.load_torch_file(folder / "w.pth")) == ["y"]
    torch.save({"x": Path("anything")}, folder / "bad.ckpt")
    with pytest.raises(CheckpointError, match=r"bad\.ckpt holds more than tensors"):
        comfy.utils.load_torch_file(folder / "bad.ckpt")
    comfy.utils.save_torch_file(tensors, folder / "again.safetensors", metadata={"k": "v"})
    assert torch.equal(comfy.utils.load_torch_file(folder / "again.safetensors")["a.b"], torch.ones(2))
    assert comfy.utils.weight_dtype(tensors) == torch.float16
    assert comfy.utils.calculate_parameters(tensors, "a.") == 5
    moved = comfy.utils.state_dict_prefix_replace(dict(tensors), {"a.": "z."}, filter_keys=True)
    assert sorted(moved) == ["z.b", "z.c"]


def inside_resizing_is_that_of_our_nodes() -> None:
    samples = torch.rand(2, 4, 6, 10, generator=torch.Generator().manual_seed(0))
    for method in ("nearest-exact", "bilinear", "area", "bicubic", "bislerp"):
        assert torch.equal(
            comfy.utils.common_upscale(samples, 7, 5, method, "disabled"), resize.resize(samples, 7, 5, method)
        )
    assert comfy.utils.common_upscale(samples, 8, 8, "bilinear", "center").shape == (2, 4, 8, 8)
    frames = torch.rand(2, 4, 3, 6, 10)
    made = comfy.utils.common_upscale(frames, 5, 4, "bilinear", "disabled")
    assert made.shape == (2, 4, 3, 4, 5)
    assert torch.equal(made[:, :, 1], comfy.utils.common_upscale(frames[:, :, 1], 5, 4, "bilinear", "disabled"))


def inside_tiles_put_a_picture_together_again() -> None:
    samples = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))

    def twice(cut: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(cut, scale_factor=2, mode="nearest")

    seen = Watched()
    token = executing.set(ExecutingContext("job", "1", 0, seen, []))
    steps = comfy.utils.get_tiled_scale_steps(70, 50, 32, 32, 8)
    bar = comfy.utils.ProgressBar(2 * steps)
    made = comfy.utils.tiled_scale(samples, twice, 32, 32, 8, upscale_amount=2, pbar=bar)
    executing.reset(token)
    assert torch.allclose(made, twice(samples), atol=1e-6)
    assert seen.steps[-1] == (2 * steps, 2 * steps)
    halved = comfy.utils.tiled_scale_multidim(
        samples, lambda cut: cut[..., ::2, ::2], (32, 32), overlap=8, upscale_amount=2, downscale=True
    )
    assert torch.allclose(halved, samples[..., ::2, ::2], atol=1e-6)


def inside_batches_grow_and_shrink() -> None:
    rows = torch.arange(3.0)
    assert comfy.utils.repeat_to_batch_size(rows, 5).tolist() == [0, 1, 2, 0, 1]
    assert comfy.utils.resize_to_batch_size(rows, 2).tolist() == [0, 2]
    assert comfy.utils.resize_to_batch_size(rows, 6).tolist() == [0, 0, 1, 1, 2, 2]


def inside_lora_is_computed_as_by_hand_and_sampled_with() -> None:
    import comfy.lora

    value = loaded().MODEL
    patcher = to_pack(value).clone()
    names = comfy.lora.model_lora_keys_unet(patcher.model)
    name = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
    target = names.get(name) or names[name := next(one for one in names if one.endswith("attn1_to_q"))]
    weight = patcher.get_key_patches()[target][0][0]
    up, down = torch.rand(weight.shape[0], 2), torch.rand(2, weight.shape[1])
    lora = {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down, f"{name}.alpha": torch.tensor(1.0)}
    patches = comfy.lora.load_lora(lora, names)
    assert list(patches) == [target]
    made = comfy.lora.calculate_weight([(0.5, patches[target], 1.0, None, None)], weight.float(), target)
    expected = weight.float() + 0.5 * 0.5 * (up @ down)
    assert torch.allclose(made, expected, atol=1e-6)
    assert patcher.add_patches(patches, 0.5) == [target]
    patcher.check_sampling()
    network = from_pack(patcher, "MODEL").network
    (changed,) = network.changes
    assert torch.allclose(network.value(changed), expected, atol=1e-6)
    assert from_pack(patcher, "MODEL").network is network, "as long as nothing else is changed"
    assert patcher.networks() == [network]
    assert patcher.sampled_model().value.network is network
    assert value.network.changes == {}, "the model that came in stays as it is"
    model, clip = comfy.sd.load_lora_for_models(to_pack(value), to_pack(loaded().CLIP), lora, 0.5, 1.0)
    assert torch.allclose(from_pack(model, "MODEL").network.value(changed), expected, atol=1e-6)
    assert not from_pack(clip, "CLIP").networks[0].changes
    merging = to_pack(value).clone()
    merging.add_patches({target: patcher.get_key_patches()[target]}, 0.25, 0.75)
    merged = from_pack(merging, "MODEL").network.value(changed)
    assert torch.allclose(merged, 0.75 * weight.float() + 0.25 * expected, atol=1e-5)


def inside_text_encoders_are_changed_by_lora() -> None:
    import comfy.lora

    clip = to_pack(loaded().CLIP)
    before = clip.encode("a red cube")
    names = comfy.lora.model_lora_keys_clip(clip)
    assert len(names) > 10
    name, target = next(iter(names.items()))
    weight = clip.get_key_patches()[target][0][0]
    changed = clip.clone()
    assert changed.add_patches({target: ("diff", (torch.ones_like(weight),)), "other": None}, 0.5) == [target]
    assert not torch.equal(changed.encode("a red cube"), before)
    assert torch.equal(clip.encode("a red cube"), before)
    (made,) = from_pack(changed, "CLIP").networks[0].changes.items()
    assert torch.allclose(made[1][0](weight.float()), weight.float() + 0.5)
    assert name.startswith("lora_te")


def inside_layers_of_packs_cast_to_what_they_are_given() -> None:
    import comfy.ops

    layer = comfy.ops.manual_cast.Linear(3, 2, dtype=torch.float16)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    assert torch.equal(layer(torch.ones(1, 3)), torch.full((1, 2), 3.0))
    plain = comfy.ops.disable_weight_init.Conv2d(3, 2, 1)
    assert plain(torch.ones(1, 3, 4, 4)).shape == (1, 2, 4, 4)
    changed = comfy.ops.disable_weight_init.Linear(1, 1, bias=False)
    torch.nn.init.ones_(changed.weight)
    changed.weight_function = [lambda weight: weight * 5]
    assert float(changed(torch.ones(1, 1))) == 5


def inside_attention_is_the_textbook_formula() -> None:
    from comfy.ldm.modules.attention import optimized_attention

    q, k, v = torch.rand(3, 2, 5, 8, generator=torch.Generator().manual_seed(0)).unbind()
    made = optimized_attention(q, k, v, 2)
    for head in (0, 1):
        part = slice(4 * head, 4 * head + 4)
        share = (q[..., part] @ k[..., part].transpose(1, 2) / 2).softmax(dim=-1)
        assert torch.allclose(made[..., part], share @ v[..., part], atol=1e-6)
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    assert torch.allclose(optimized_attention(q, k, v, 2, mask=mask)[:, 0], v[:, 0], atol=1e-6)


def inside_noise_of_samplers_is_repeatable_and_of_unit_variance() -> None:
    from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler, default_noise_sampler, get_ancestral_step

    x = torch.zeros(1, 4, 32, 32)
    made = [BrownianTreeNoiseSampler(x, 0.1, 10.0, seed=3)(5.0, 2.0) for _ in range(2)]
    assert torch.equal(*made)
    assert float(made[0].std()) == pytest.approx(1, abs=0.05)
    tree = BrownianTreeNoiseSampler(x, 0.1, 10.0, seed=3)
    whole = tree(5.0, 1.0) * 2.0
    parts = tree(5.0, 2.0) * 3.0**0.5 + tree(2.0, 1.0) * 1.0
    assert torch.allclose(whole, parts, atol=1e-4), "increments of one path add up"
    first = default_noise_sampler(x, seed=1)
    assert torch.equal(first(1, 0), default_noise_sampler(x, seed=1)(1, 0))
    down, up = get_ancestral_step(torch.tensor(2.0), torch.tensor(1.0))
    assert float(down**2 + up**2) == pytest.approx(1.0)


def inside_a_model_becomes_resident_on_demand() -> None:
    model, clip, memory = to_pack(loaded().MODEL), to_pack(loaded().CLIP), comfy.model_management.memory()
    comfy.model_management.unload_all_models()
    assert model.current_loaded_device() == torch.device("cpu")
    assert model.loaded_size() == 0
    comfy.model_management.load_models_gpu([model, clip.patcher])
    assert model.loaded_size() == model.model_size() > 1_000_000
    assert memory.resident_bytes() > model.model_size()
    assert comfy.model_management.get_torch_device() == memory.device
    assert not comfy.model_management.should_use_fp16()


def inside_a_module_of_a_pack_is_moved_like_our_networks() -> None:
    from comfy.model_patcher import ModelPatcher

    module = torch.nn.Linear(300, 300)
    patcher = ModelPatcher(module, load_device=torch.device("cpu"), offload_device=torch.device("cpu"))
    before = comfy.model_management.memory().resident_bytes()
    comfy.model_management.load_models_gpu([patcher.clone()])
    assert comfy.model_management.memory().resident_bytes() - before == patcher.model_size() == 300 * 301 * 4
    assert patcher.loaded_size() == patcher.model_size()
    comfy.model_management.unload_all_models()
    assert patcher.loaded_size() == 0
    assert torch.equal(patcher.model(torch.zeros(1, 300))[0], module.bias), "it keeps its weights"
    assert sorted(patcher.get_key_patches()) == ["bias", "weight"]
    assert patcher.get_model_object("weight") is module.weight
    assert from_pack(patcher, "MODEL") is patcher


def inside_built_in_nodes_that_are_not_there_yet_say_so_when_they_are_used() -> None:
    from comfy_extras import nodes_mask, nodes_upscale_model

    for refused in (
        lambda: nodes_upscale_model.ImageUpscaleWithModel().upscale(None, None),
        lambda: nodes_mask.NoSuchNode().execute(),
    ):
        with pytest.raises(RuntimeError, match="Heddle"):
            refused()
    assert not hasattr(nodes_mask, "no_function")


def inside_pasting_cuts_off_what_lies_outside() -> None:
    from comfy_extras.nodes_mask import composite

    below, over = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 2, 2)
    assert composite(below, over, 8, 16)[0, 0, 2:, 1:3].sum() == composite(below, over, 8, 16).sum() == 4
    assert composite(below, over, -8, -8).sum() == 1
    assert composite(below, over, 3, 3, multiplier=1).sum() == 1
    assert composite(below, over, -80, 0).sum() == 0
    half = torch.full((1, 2, 2), 0.5)
    assert composite(below, over, 0, 0, mask=half).sum() == 2
    assert below.sum() == 0


def inside_the_whole_patcher_travels_through_our_values() -> None:
    patcher = to_pack(loaded().MODEL).clone()
    patcher.model_options["transformer_options"]["mine"] = {"a": [1]}
    patcher.set_attachments("key", "kept")
    value = from_pack(patcher, "MODEL")
    again = to_pack(value)
    assert again.model is patcher.model
    assert again.get_attachment("key") == "kept"
    assert again.model_options["transformer_options"]["mine"] == {"a": [1]}
    assert from_pack(again.clone(), "MODEL") is value
    again.model_options["transformer_options"]["mine"]["a"].append(2)
    assert from_pack(again, "MODEL") is not value
    assert to_pack(value).model_options["transformer_options"]["mine"] == {"a": [1]}, "a value never changes"
