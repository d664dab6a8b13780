"""The three networks of the embedded model, in sizes small enough to train on two cores and to commit.

The checkpoint holds only tensors; the ordinary loader reads these sizes back from their shapes. What a shape cannot
tell (normalisation groups, attention heads) therefore follows the same rule as in `nodes/diffusion/families/ldm.py`.
"""

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_WIDTH = 128
VAE_CHANNELS = (32, 64, 64, 64)
UNET_CHANNELS = (64, 128, 128)


def make_vae() -> AutoencoderKL:
    """Autoencoder from (N, 3, H, W) in -1 to 1 to 4 latent channels at an eighth of the size."""
    levels = len(VAE_CHANNELS)
    return AutoencoderKL(
        block_out_channels=VAE_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=min(32, VAE_CHANNELS[0] // 4),
    )


def make_text_model() -> CLIPTextModel:
    """CLIP text transformer with the standard vocabulary; one head for each 64 channels, as in CLIP."""
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=4,
            num_attention_heads=TEXT_WIDTH // 64,
            hidden_act="quick_gelu",
            eos_token_id=49407,
        )
    )


def make_unet() -> UNet2DConditionModel:
    """Epsilon predictor for (N, 4, 16, 16) latents; cross-attention at half and quarter resolution only."""
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=UNET_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
        norm_num_groups=min(32, UNET_CHANNELS[0] // 4),
    )
