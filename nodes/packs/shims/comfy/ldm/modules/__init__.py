"""Attention and the blocks of UNets."""
