"""Small tensor helpers under the k-diffusion library's module name."""

from comfy.k_diffusion.sampling import append_dims

__all__ = ["append_dims"]
