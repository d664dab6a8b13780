"""Samplers under the names of the k-diffusion library. Nothing here is a copy of it: see `sampling`."""
