"""Modules of built-in nodes that node packs import functions and classes from."""
