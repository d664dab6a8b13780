"""Runs graphs and redoes only what changed.

`parse_prompt -> order -> signatures -> plan -> run`: the first four change nothing, all effects are in the last.
Invariant: this package knows no torch, no HTTP and no node; values that flow on links are opaque to it.
"""
