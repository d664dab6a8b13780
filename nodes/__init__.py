"""Everything a graph can do: typed node functions, and the diffusion library below them.

Invariant: of the executor it sees only the contract (`schema`, `progress`, `folders`), and of the server nothing.
"""
