"""How the embedded model is made: scenes and captions, the renderer, the training program, the evaluation.

Nothing at run time imports this package; what it produces is an ordinary checkpoint under `models/checkpoints/`.
It must not know any node, graph or server.
"""
