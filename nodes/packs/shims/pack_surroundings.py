"""Where the other shims find the worker around them: packs import plain modules, which nobody can hand anything.

The only state of the shims that packs did not ask for. Set by `nodes.packs.shim_finder.install`.
"""

from nodes.packs.surroundings import Surroundings

_settled: list[Surroundings] = []


def settle(surroundings: Surroundings) -> None:
    """Stand for these from now on."""
    _settled[:] = [surroundings]


def here() -> Surroundings:
    """The worker's surroundings. Raises RuntimeError where no worker loaded the shims."""
    if not _settled:
        raise RuntimeError("Node packs can be used inside a Heddle worker only: install the shims there first.")
    return _settled[0]
