"""Whether a UNet predicts eps or v, which its shapes do not tell: by what the file says, else by one small tensor."""

import re

from nodes.diffusion.checkpoints.source import Part
from nodes.diffusion.families.family import Family
from nodes.diffusion.sampling.prediction import DiscreteSampling, Prediction, make_discrete, zero_terminal_snr

V_MARK = "v_pred"
"""An empty tensor of this name marks a checkpoint that predicts v."""

ZERO_MARK = "ztsnr"
"""And one of this name, that its last training step held no signal at all (Lin et al. 2023)."""

MODEL_SPEC = "modelspec.prediction_type"
"""The header's entry in files that follow Stability's model specification."""

V_SPREAD = 0.09
"""The published SD 2.x UNets that predict v differ from those that predict eps in the spread of the biases of their
last attention's first norm: it is above this for v, below it for eps."""


def sampling_of(family: Family, part: Part) -> DiscreteSampling:
    """How a UNet's noise levels and predictions are to be read."""
    sampling = make_discrete(prediction_of(family, part), *family.beta_range)
    if ZERO_MARK not in part.source.shapes:
        return sampling
    return DiscreteSampling(sampling.prediction, zero_terminal_snr(sampling.table))


def prediction_of(family: Family, part: Part) -> Prediction:
    """What a UNet in the original layout predicts."""
    if len(family.predictions) == 1:
        return family.predictions[0]
    if V_MARK in part.source.shapes:
        return "v"
    said = part.source.metadata.get(MODEL_SPEC, "").lower()
    if said:
        return "v" if said.startswith("v") else "eps"
    norms = [
        (int(match[1]), name)
        for name in part.names
        if (match := re.fullmatch(r"output_blocks\.(\d+)\.1\.transformer_blocks\.0\.norm1\.bias", name))
    ]
    if family.name == "sd2" and norms:
        _, name = max(norms)
        spread = part.read([name])[name].float().std(correction=0)
        return "v" if float(spread) > V_SPREAD else "eps"
    return family.predictions[0]
