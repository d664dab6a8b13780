"""Upscaling networks by the name of the program that collected them."""
