"""Changes of weights that leave the model as it was: LoRA and its kin, merging, extraction, hooks.

Invariant: nothing here writes to a weight that a file or another network holds. A change computes with a tensor of its
own, in float32, when its network becomes resident.
"""
