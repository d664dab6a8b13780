"""From noise to a latent: prediction types, schedules, guidance, noise, samplers.

Invariant: a sampler sees only a `Denoiser`; it knows no network, no conditioning and no seed.
"""
