"""One declaration a model family: which networks, in which sizes, and how its latents and noise behave.

Invariant: a family never looks at a file's name, only at tensor names and shapes.
"""
