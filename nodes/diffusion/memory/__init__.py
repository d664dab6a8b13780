"""Where networks live while they compute: device and dtype choice, residency, offload.

Invariant: it knows no family and no file; it moves weights and nothing else.
"""
