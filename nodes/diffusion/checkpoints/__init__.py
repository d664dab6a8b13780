"""Model files: read the header, detect the family, load the networks, and write them again.

Invariant: nothing here executes code from a file, and nothing reaches for the network.
"""
