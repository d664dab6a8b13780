"""What is done to a network while it computes: guidance, attention, blocks, shortcuts. Data on a model, never on the
network, which several models share. It knows no node.
"""
