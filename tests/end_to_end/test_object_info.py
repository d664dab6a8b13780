"""What `/object_info` said of our nodes, it still says: clients build their forms of it, and saved workflows count on
the order of its inputs. A class that is new breaks nobody, so it only has to be recorded some day."""

from collections.abc import Iterator
from typing import Any

from tests.end_to_end.recorded_object_info import recorded, told

SHOWN = 30
RENEW = "if this is meant: python -m tests.end_to_end.recorded_object_info, and commit what it changes"


def differences(before: Any, now: Any, where: str) -> Iterator[str]:
    """A line for each place in which two JSON values differ. The order of keys counts for nothing: `input_order` has
    that of the inputs."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            if key not in now:
                yield f"{where}.{key}: is gone, was {before[key]}"
            elif key not in before:
                yield f"{where}.{key}: is new, {now[key]}"
            else:
                yield from differences(before[key], now[key], f"{where}.{key}")
    elif type(before) is not type(now) or before != now:
        yield f"{where}: was {before}, is {now}"


def test_our_nodes_are_told_as_they_were_recorded() -> None:
    before, now = recorded(), told()
    gone = [f"{name}: is gone" for name in before.keys() - now.keys()]
    changed = [line for name in before.keys() & now.keys() for line in differences(before[name], now[name], name)]
    found = sorted(gone + changed)
    shown = [*found[:SHOWN], f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else found
    assert not found, "\n".join(["", *shown, RENEW])


def test_a_difference_is_named_by_its_class_and_its_field() -> None:
    before = {"input": {"required": {"steps": ["INT", {"min": 1}], "cfg": ["FLOAT"]}}, "output": ["LATENT"]}
    now = {"input": {"required": {"steps": ["INT", {"min": 0}], "eta": ["FLOAT"]}}, "output": ["LATENT"], "name": "K"}
    assert sorted(differences(before, now, "K")) == [
        "K.input.required.cfg: is gone, was ['FLOAT']",
        "K.input.required.eta: is new, ['FLOAT']",
        "K.input.required.steps: was ['INT', {'min': 1}], is ['INT', {'min': 0}]",
        "K.name: is new, K",
    ]
    assert list(differences(1, 1.0, "K")) == ["K: was 1, is 1.0"]
