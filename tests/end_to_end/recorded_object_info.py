"""What `/object_info` says of our own nodes, recorded, since clients and saved workflows rely on every word of it.

python -m tests.end_to_end.recorded_object_info     records it anew: look at the difference before you commit it
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from executor.installation import make_folders
from nodes.builtin import builtin_nodes
from server.protocol.object_info import object_info

RECORD = Path(__file__).with_name("object_info.json")


def told() -> dict[str, Any]:
    """Class -> what is told of it in an installation without any file, as a client reads it."""
    definitions = {name: node_type.definition for name, node_type in builtin_nodes().items()}
    with tempfile.TemporaryDirectory() as base:
        said = object_info(definitions, make_folders(Path(base)).list)
    read: dict[str, Any] = json.loads(json.dumps(said))
    return read


def recorded() -> dict[str, Any]:
    """The same as it was when it was recorded."""
    read: dict[str, Any] = json.loads(RECORD.read_text())
    return read


def record() -> None:
    """Write it down, one class a line, so that a difference shows which class has changed."""
    lines = [
        f"{json.dumps(name)}:{json.dumps(info, separators=(',', ':'), ensure_ascii=False)}"
        for name, info in sorted(told().items())
    ]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record()
    sys.stdout.write(f"{RECORD.name} holds {len(recorded())} classes now.\n")
