"""The versioned interface that V3 node packs import: `latest`, `v0_0_2` and `v0_0_1` have the same surface here.

Thin on purpose: what a schema means is said once, in `executor.schema`; these modules only carry it there.
"""
