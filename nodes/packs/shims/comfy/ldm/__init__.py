"""Parts of networks under the names of the latent diffusion code. Our networks are made of others."""
