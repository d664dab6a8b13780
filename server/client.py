"""A server spoken to from Python: submit a graph, follow its events, fetch what it made.

    async with Client("http://127.0.0.1:8188") as client:
        job_id = await client.submit(prompt)
        async for event in client.events(job_id):
            ...
        outputs = await client.outputs(job_id)

Speaks the protocol that ComfyUI speaks too, so the server may be either. A lost connection is taken up again with the
same client id; what was missed meanwhile is read from the job's record. Starts no server and knows no file format.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from executor.events import (
    Event,
    NodeExecuted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from executor.worker import PromptError

RECONNECT_SECONDS: Final = 1.0
ATTEMPTS: Final = 30
"""How often a lost server is looked for before it is given up."""


class ServerError(Exception):
    """The server refused something, or cannot be reached. The text is one sentence for the user."""


class Refused(ServerError):
    """The server refused a prompt; `errors` say what is wrong, node by node."""

    def __init__(self, message: str, errors: Sequence[PromptError]) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class Client:
    """One client of one server. Used as an async context manager; several jobs may be followed one after the other."""

    def __init__(self, url: str, client_id: str | None = None, *, token: str | None = None) -> None:
        """`url` is like http://127.0.0.1:8188. `token` is sent as a bearer token, for servers that want one."""
        self.url = url.rstrip("/")
        self.client_id = client_id or str(uuid.uuid4())
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        try:
            await self._connect(1)  # before anything is submitted, or its first messages would be missed
        except ServerError:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def submit(
        self,
        prompt: Mapping[str, Any],
        *,
        workflow: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        targets: Sequence[str] | None = None,
        whole: bool = False,
    ) -> str:
        """Queue a wire prompt and return the job's id. `workflow` is written into the pictures that it saves.

        Raises Refused if nothing of it can run, or (`whole`) if a part of it cannot; ServerError if the server cannot
        be reached.
        """
        body: dict[str, Any] = {"prompt": prompt, "client_id": self.client_id}
        if workflow is not None:
            body["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
        if job_id is not None:
            body["prompt_id"] = job_id
        if targets is not None:
            body["partial_execution_targets"] = list(targets)
        status, answer = await self._json("POST", "/prompt", json=body)
        if status == 200:
            if not whole or not answer.get("node_errors"):
                return str(answer["prompt_id"])
            await self.interrupt(str(answer["prompt_id"]))
        raise _refusal(status, answer)

    async def events(self, job_id: str) -> AsyncIterator[Event]:
        """What happens to a job of this client, until its end; a job that has ended already tells its end alone."""
        reading = _Reading(job_id)
        for event in await self._missed(reading):
            yield event
        while not reading.over:
            message = await self._next()
            told = await self._missed(reading) if message is None else reading.read(message)
            for event in told:
                yield event

    async def outputs(self, job_id: str) -> dict[str, Any]:
        """Node id -> what it shows, of a job that has ended; empty while it has not."""
        record = await self._record(job_id)
        return dict(record["outputs"]) if record else {}

    async def fetch(self, file: Mapping[str, Any]) -> bytes:
        """The content of a file that an output names: {"filename", "subfolder", "type"}. Raises ServerError."""
        query = {key: str(file.get(key) or "") for key in ("filename", "subfolder", "type")}
        async with self._open.get(f"{self.url}/view", params=query) as answer:
            if answer.status != 200:
                raise ServerError(f"The server has no file {query['filename']} to fetch (status {answer.status}).")
            return await answer.read()

    async def interrupt(self, job_id: str) -> None:
        """Stop the job, whether it waits or runs."""
        await self._json("POST", "/queue", json={"delete": [job_id]})
        await self._json("POST", "/interrupt", json={"prompt_id": job_id})

    async def object_info(self) -> dict[str, Any]:
        """Every node type of the server, as its editor sees it."""
        status, answer = await self._json("GET", "/object_info")
        if status != 200:
            raise ServerError(f"The server does not say which nodes it has (status {status}): {_sentence(answer)}")
        return dict(answer)

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("Use the client as an async context manager.")
        return self._session

    async def _json(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        try:
            async with self._open.request(method, self.url + path, **options) as answer:
                text = await answer.text()
        except aiohttp.ClientError as error:
            raise ServerError(f"The server at {self.url} cannot be reached: {error}.") from error
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, text

    async def _connect(self, attempts: int = ATTEMPTS) -> aiohttp.ClientWebSocketResponse:
        address = f"{self.url}/ws?clientId={self.client_id}"
        for attempt in range(1, attempts + 1):
            try:
                self._socket = await self._open.ws_connect(address, heartbeat=30.0, max_msg_size=0)
                return self._socket
            except (aiohttp.ClientError, OSError) as error:
                if attempt == attempts:
                    raise ServerError(f"The server at {self.url} cannot be reached: {error}.") from error
            await asyncio.sleep(RECONNECT_SECONDS)
        raise AssertionError("the last attempt raises")

    async def _next(self) -> Mapping[str, Any] | None:
        """The next text message; None after a lost connection has been taken up again."""
        socket = self._socket if self._socket is not None else await self._connect()
        while True:
            frame = await socket.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                message: Mapping[str, Any] = json.loads(frame.data)
                return message
            if frame.type is not aiohttp.WSMsgType.BINARY:
                await self._connect()
                return None

    async def _record(self, job_id: str) -> Mapping[str, Any] | None:
        _, answer = await self._json("GET", f"/history/{job_id}")
        found = answer.get(job_id) if isinstance(answer, Mapping) else None
        return found if isinstance(found, Mapping) else None

    async def _missed(self, reading: "_Reading") -> list[Event]:
        """What the record of an ended job tells beyond what was heard."""
        record = await self._record(reading.job_id)
        return [] if record is None else reading.catch_up(record)


class _Reading:
    """The messages about one job, as events; each is told once however often it is heard."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.over = False
        self._started: set[str] = set()
        self._done: dict[str, bool] = {}
        """Node id -> whether it was executed, and not reused."""
        self._failed = False

    def read(self, message: Mapping[str, Any]) -> list[Event]:
        """The events of one message; none if it is about something else."""
        data = message.get("data")
        if self.over or not isinstance(data, Mapping) or data.get("prompt_id") != self.job_id:
            return []
        match message.get("type"):
            case "execution_cached":
                return [RunStarted((), tuple(data["nodes"]))]
            case "executing":
                return self._executing(data.get("node"))
            case "progress":
                return [NodeProgress(str(data["node"]), int(data["value"]), int(data["max"]))]
            case "progress_state":
                return self._states(data["nodes"])
            case "executed":
                return self._show(str(data["node"]), data.get("output"))
            case "execution_error" if data.get("exception_type") != "ExecutionBlocked":
                self._failed = True
                return [_failure(data)]
            case "execution_interrupted":
                return self._end(RunInterrupted(data.get("node_id"), tuple(data.get("executed", ()))))
        return []

    def catch_up(self, record: Mapping[str, Any]) -> list[Event]:
        """The events that the record of the ended job holds and that were not told yet, and its end."""
        events: list[Event] = []
        for kind, data in record["status"]["messages"]:
            if kind != "execution_error" or not self._failed:
                events += self.read({"type": kind, "data": {**data, "prompt_id": self.job_id}})
        end = [events.pop()] if self.over else []  # an interruption is among the messages, and the outputs come before
        for node_id, shown in record["outputs"].items():
            events += self._show(node_id, shown)
        return events + (end or self._end(self._finished(record["status"]["status_str"] == "success")))

    def _executing(self, node_id: str | None) -> list[Event]:
        if node_id is None:
            return self._end(self._finished(not self._failed))
        self._started.add(node_id)
        return [NodeStarted(node_id)]

    def _states(self, states: Mapping[str, Any]) -> list[Event]:
        """Nodes that show nothing are known to be done by their state alone."""
        finished = [node_id for node_id, state in states.items() if state.get("state") == "finished"]
        return [event for node_id in finished if node_id in self._started for event in self._show(node_id, None)]

    def _show(self, node_id: str, shown: Any) -> list[Event]:
        if node_id in self._done:
            return []
        self._done[node_id] = node_id in self._started
        ui = shown if isinstance(shown, Mapping) else None
        return [NodeExecuted(node_id, ui, reused=not self._done[node_id])]

    def _finished(self, ok: bool) -> RunFinished:
        return RunFinished(ok, tuple(node_id for node_id, executed in self._done.items() if executed), 0.0)

    def _end(self, event: RunFinished | RunInterrupted) -> list[Event]:
        self.over = True
        return [event]


def _failure(data: Mapping[str, Any]) -> NodeFailed:
    inputs = data.get("current_inputs") or {}
    sentence, _, hint = str(data.get("exception_message", "")).partition("\n")
    return NodeFailed(
        node_id=str(data.get("node_id", "")),
        class_type=str(data.get("node_type", "")),
        message=sentence,
        exception_type=str(data.get("exception_type", "")),
        input_name=data.get("input_name"),
        traceback=tuple(str(line) for line in data.get("traceback", ())),
        current_inputs={name: ", ".join(map(str, values)) for name, values in inputs.items()},
        hint=hint or None,
    )


def _refusal(status: int, answer: Any) -> ServerError:
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if status == 200:
        error = {"message": "A part of the prompt cannot run"}
    if not isinstance(error, Mapping):
        return ServerError(f"The server refused the prompt (status {status}): {_sentence(answer)}")
    errors = [
        PromptError(
            type=str(one.get("type", "")),
            message=str(one.get("message", "")),
            details=str(one.get("details", "")),
            extra_info=one.get("extra_info") or {},
            node_id=str(node_id),
            class_type=str(entry.get("class_type", "")),
            dependent_outputs=tuple(entry.get("dependent_outputs", ())),
        )
        for node_id, entry in (answer.get("node_errors") or {}).items()
        for one in entry.get("errors", ())
    ]
    return Refused(": ".join(filter(None, (str(error.get("message", "")), str(error.get("details", ""))))), errors)


def _sentence(answer: Any) -> str:
    if isinstance(answer, Mapping):
        answer = answer.get("error", answer)
    if isinstance(answer, Mapping):
        answer = answer.get("message", answer)
    return str(answer)[:300] or "it says nothing more."
