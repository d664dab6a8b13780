"""What the command line shows: a run's progress, its errors, a node type's description. Starts and decides nothing."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from executor.events import Event, NodeExecuted, NodeFailed, NodeProgress, NodeStarted, RunFinished, RunStarted
from executor.file_metadata import Metadata
from executor.link_types import as_link
from executor.packs import PackReport
from executor.schema import MISSING, FolderChoices, InputSocket, NodeDefinition
from executor.workflow import is_api_prompt, is_workflow


@dataclass(slots=True)
class Report:
    """What a run did."""

    status: str = "interrupted"
    """"success", "error" or "interrupted"."""
    seconds: float = 0.0
    executed: list[str] = field(default_factory=list[str])
    cached: list[str] = field(default_factory=list[str])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    """Node id -> what the node shows, for nodes that show something."""
    errors: list[NodeFailed] = field(default_factory=list[NodeFailed])

    def images(self) -> list[Mapping[str, str]]:
        """The pictures that its nodes show: {"filename", "subfolder", "type"} of each."""
        return [image for output in self.outputs.values() for image in output.get("images", ())]

    def hear(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case RunStarted():
                self.cached = list(event.reused)
            case NodeExecuted():
                if not event.reused:
                    self.executed.append(event.node_id)
                if event.ui is not None:
                    self.outputs[event.node_id] = dict(event.ui)
            case NodeFailed():
                self.errors.append(event)
            case RunFinished():
                self.status = "success" if event.ok and not self.errors else "error"
                self.seconds = event.seconds
            case _:
                pass


async def follow(events: AsyncIterator[Event], prompt: Mapping[str, Any], *, quiet: bool) -> Report:
    """Draw a progress bar on standard error until the run ends. Without a terminal, or if `quiet`, draws nothing."""
    report = Report()
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        whole = progress.add_task("nodes", total=None)
        part = progress.add_task("", total=1, visible=False)
        async for event in events:
            report.hear(event)
            match event:
                case RunStarted():
                    progress.update(whole, total=len(event.run))
                case NodeStarted():
                    name = prompt.get(event.node_id, {}).get("class_type", event.node_id)
                    progress.reset(part, description=str(name), total=1, visible=False)
                case NodeProgress():
                    progress.update(part, completed=event.value, total=event.total, visible=True)
                case NodeExecuted(reused=False):
                    progress.advance(whole)
                    progress.update(part, visible=False)
                case _:
                    pass
    return report


def error_line(error: NodeFailed) -> str:
    """One sentence that names the node and the input."""
    where = f"node {error.node_id} ({error.class_type})" if error.node_id else "the prompt"
    return f"{where}{f', input {error.input_name!r}' if error.input_name else ''}: {error.message}"


def error_json(error: NodeFailed) -> dict[str, str | None]:
    """The error for programs."""
    return {
        "node_id": error.node_id,
        "class_type": error.class_type,
        "input_name": error.input_name,
        "message": error.message,
        "exception_type": error.exception_type,
    }


def list_nodes(definitions: Mapping[str, NodeDefinition]) -> str:
    """All node types, a line each, by category."""
    rows = sorted(definitions.values(), key=lambda definition: (definition.category, definition.class_type))
    width = max((len(definition.class_type) for definition in rows), default=0)
    lines, category = [], None
    for definition in rows:
        if definition.category != category:
            category = definition.category
            lines.append(f"\n{category or '(no category)'}")
        summary = definition.description.partition("\n")[0]
        lines.append(f"  {definition.class_type:{width}}  {summary}".rstrip())
    return "\n".join(lines).strip()


def describe_node(definition: NodeDefinition) -> str:
    """One node type in full."""
    lines = [f"{definition.class_type}: {definition.display_name} ({definition.category})", "", definition.description]
    lines += ["", "inputs", *(f"  {_input(socket)}" for socket in definition.inputs)]
    outputs = [f"  {socket.name}: {socket.type}{' list' if socket.is_list else ''}" for socket in definition.outputs]
    lines += ["outputs", *(outputs or ["  none"])]
    return "\n".join(lines)


def describe_file(metadata: Metadata) -> str:
    """What a file says of itself, for people: of a prompt the nodes with their values, of a workflow how large it is,
    other texts as they are."""
    parts = [metadata.kind]
    for name, text in sorted(metadata.texts.items(), key=lambda entry: entry[0] not in ("prompt", "parameters")):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if is_api_prompt(document):
            parts.append("\n".join([f"{name}:", *(f"  {line}" for line in _nodes_of(document))]))
        elif is_workflow(document):
            parts.append(f"{name}: an editor document with {len(document['nodes'])} nodes")
        else:
            parts.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return "\n\n".join(parts if metadata.texts else [*parts, "It carries no texts."])


def _nodes_of(prompt: Mapping[str, Any]) -> Iterator[str]:
    for node_id, node in prompt.items():
        values = {name: value for name, value in node.get("inputs", {}).items() if as_link(value) is None}
        told = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
        yield f"{node_id} {node.get('class_type')}{': ' if told else ''}{told}"


def list_packs(reports: Sequence[PackReport]) -> str:
    """All node packs, a line each, and another one for what is wrong with it."""
    width = max((len(report.name) for report in reports), default=0)
    lines = []
    for report in reports:
        lines.append(f"{report.name:{width}}  {len(report.node_types):4} nodes  {report.seconds:6.2f} s")
        if report.error is not None:
            lines.append(f"    {report.error}")
    return "\n".join(lines) or "There are no node packs."


def pack_line(report: PackReport) -> str:
    """What is wrong with a node pack."""
    return f"node pack {report.name}: {report.error}"


def tell(report: Report, files: Sequence[Path], *, as_json: bool) -> int:
    """Print the files that a run made, or all that it did as JSON, to standard output and its errors beside it. Returns
    the exit status."""
    for failure in report.errors:
        complain(error_line(failure))
    names = [str(file) for file in files]
    if as_json:
        errors = [error_json(failure) for failure in report.errors]
        names = [json.dumps({**asdict(report), "errors": errors, "files": names}, indent=2)]
    sys.stdout.writelines(f"{name}\n" for name in names)
    return {"success": 0, "error": 1}.get(report.status, 130)


def complain_of(reports: Sequence[PackReport]) -> None:
    """Say of each pack that could not be loaded why not."""
    for report in reports:
        if report.error is not None:
            complain(pack_line(report))


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n")


def _input(socket: InputSocket) -> str:
    text = f"{socket.name}: {socket.type}"
    if socket.default is not MISSING:
        text += f" = {socket.default!r}"
    widget = socket.widget
    if widget and widget.min is not None:
        text += f", {widget.min} to {widget.max}"
    if widget and widget.choices:
        choices = widget.choices
        listed = f"files of {choices.folder}" if isinstance(choices, FolderChoices) else ", ".join(map(str, choices))
        text += f", one of: {listed}"
    return text + ("" if socket.required else " (optional)")
