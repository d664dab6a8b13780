"""Text -> conditioning: vocabulary, prompt weighting, chunks, encoding.

Invariant: parsing and tokenizing need no network; only `clip.py` computes.
"""
