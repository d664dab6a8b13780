"""Blocks of UNets and of autoencoders."""
