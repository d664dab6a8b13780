"""The diffusion library below the nodes: checkpoints, text, sampling, memory, pictures.

Invariant: it knows no node, no graph, no server; every state is an argument.
"""
