"""The library names that node packs import, over `nodes.diffusion`. Knows nothing that is not there."""
