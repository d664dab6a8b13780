"""Executes a plan: the only module of the pipeline with effects.

Independent branches overlap as far as their lanes allow: coroutines on the event loop, blocking bodies on threads,
device work one at a time. What another run on the same host is executing is waited for instead. One failed node stops
only what depends on it. What fails or is interrupted leaves no memo.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from executor.cache import Memo
from executor.context import id_root
from executor.dynamic_prompt import DynamicPrompt
from executor.events import (
    Event,
    NodeBlocked,
    NodeExecuted,
    NodesAdded,
    NodeStarted,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from executor.execution import Asked, Expanded, Made, Outcome, Turn, take_turn
from executor.failure import Failure, describe
from executor.graph import CycleError, Graph, Link, Node, NodeId
from executor.host import Host, Stay
from executor.lanes import Lanes
from executor.ledger import Ledger
from executor.plan import Plan, demand
from executor.reporter import Reporter
from executor.results import BadResult, make_memo
from executor.schema import Lane
from executor.signature import Signature, signatures
from executor.worker import Job


class Run:
    """One execution of a plan; used once. All of it lives on one event loop, node bodies apart."""

    def __init__(
        self, host: Host, stay: Stay, graph: Graph, plan: Plan, memos: Mapping[Signature, Memo], job: Job
    ) -> None:
        self._host = host
        self._stay = stay
        self._plan = plan
        self._found = memos
        self._job = job
        self._nodes = dict(graph.nodes)
        self._signatures = dict(plan.signatures)
        self._prompt = DynamicPrompt(job.prompt)
        self._ledger = Ledger()
        self._stop = threading.Event()
        self._queue: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._lanes = Lanes(host.thread_count)
        self._position: dict[NodeId, int] = {}
        self._asked: dict[NodeId, frozenset[str]] = {}
        self._expanded: dict[NodeId, Expanded] = {}
        self._complete: list[NodeId] = []
        """Expanded nodes whose results are all there."""
        self._twins: dict[Signature, list[NodeId]] = {}
        """Nodes that show what another one, with the same signature, makes."""
        self._tasks: dict[asyncio.Task[Outcome], NodeId] = {}
        self._flights: dict[NodeId, asyncio.Future[Memo | None]] = {}
        """What other runs may wait for us to make."""
        self._awaited = 0
        """How many nodes wait for another run to make them."""
        self._cancellable: set[asyncio.Future[Any]] = set()
        self._executed: list[NodeId] = []
        self._stopped_at: NodeId | None = None
        self._ok = True
        self._over = False
        self._began = 0.0

    async def events(
        self, failures: Mapping[NodeId, Failure], nodes: Mapping[NodeId, Node]
    ) -> AsyncGenerator[Event, None]:
        """Run, and tell. `failures` of `nodes` that were found while preparing are told first.

        Closing the iterator early interrupts the run and waits for the bodies that are on threads.
        """
        loop = asyncio.get_running_loop()
        self._loop, self._thread = loop, threading.get_ident()
        try:
            self._guarded(partial(self._begin, failures, nodes))
            while True:
                event = await self._queue.get()
                if isinstance(event, BaseException):
                    raise event
                yield event
                if isinstance(event, RunFinished | RunInterrupted):
                    return
        finally:
            self.interrupt()
            if self._tasks:
                await asyncio.wait(self._tasks)
            for node_id in tuple(self._flights):
                self._land(node_id, None)

    def interrupt(self) -> None:
        """Ask the run to stop: no further node starts, running ones hear of it at their next step."""
        if not self._stop.is_set():
            self._stopped_at = next(iter(self._tasks.values()), None)
            self._stop.set()
            if self._awaited:
                self._guarded(self._advance)
        for waiting in tuple(self._cancellable):
            waiting.cancel()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a defect of ours must end the run, not leave it waiting
            self._queue.put_nowait(error)

    def _begin(self, failures: Mapping[NodeId, Failure], nodes: Mapping[NodeId, Node]) -> None:
        self._began = time.monotonic()
        self._emit(RunStarted(self._plan.run, self._plan.reused))
        for node_id, failure in failures.items():
            self._ok = False
            self._emit(failure.of(nodes[node_id]))
        self._take_in(self._plan.run, self._found)
        self._announce(self._plan.targets, self._found)
        self._found = {}
        self._advance()

    # What must run is taken in: at the beginning, when a node asks for lazy inputs, and when one expands.

    def _demand(self, targets: Sequence[NodeId], shown: Sequence[NodeId] = ()) -> None:
        """See to it that the targets are made, and that those of `shown` tell what they show."""
        wanted = (*targets, *shown)
        run, found = demand(self._nodes, wanted, self._signatures, self._host.cache, self._ledger.stands)
        self._take_in(run, found)
        self._announce(shown, found)

    def _take_in(self, run: Sequence[NodeId], found: Mapping[Signature, Memo]) -> None:
        for node_id in run:
            self._position[node_id] = len(self._position)
            self._asked.pop(node_id, None)  # of an earlier time, whose result nobody has kept
            self._ledger.open(node_id, self._signatures[node_id])
            self._ledger.will_read(node_id, self._results_of(_sources(self._nodes[node_id].read_links())))
        self._ledger.offer(found)
        for node_id in run:
            self._await(node_id, _sources(self._nodes[node_id].needed_links()))

    def _announce(self, shown: Iterable[NodeId], found: Mapping[Signature, Memo]) -> None:
        for node_id in shown:
            signature = self._signatures[node_id]
            if signature in found:
                self._emit(NodeExecuted(node_id, found[signature].ui, reused=True))
            elif node_id not in self._position:
                self._twins.setdefault(signature, []).append(node_id)

    def _await(self, node_id: NodeId, makers: Iterable[NodeId]) -> None:
        """The node can go on when all of these have their results."""
        awaited = self._results_of(makers)
        if not self._ledger.lost.isdisjoint(awaited):
            self._lose(node_id)
        elif self._ledger.wait(node_id, awaited):
            self._make_ready(node_id)

    def _results_of(self, makers: Iterable[NodeId]) -> list[Signature]:
        """Each once, though several nodes may make the same."""
        return list({self._signatures[maker]: None for maker in makers})

    def _make_ready(self, node_id: NodeId) -> None:
        if node_id in self._expanded:
            self._complete.append(node_id)
        else:
            definition = self._host.definitions[self._nodes[node_id].class_type]
            self._lanes.add(node_id, definition.lane, self._position[node_id])

    # What may start is started; what came of it is taken in.

    def _advance(self) -> None:
        """Start what may start; if nothing is left that could go on, the run is over."""
        while not self._over:
            while not self._stop.is_set() and self._start_one():
                pass
            if self._tasks or (self._awaited and not self._stop.is_set()):
                return
            if len(self._ledger) and not self._stop.is_set():
                self._break_circle()
                continue
            self._over = True
            executed = tuple(self._executed)
            if len(self._ledger):
                self._emit(RunInterrupted(self._stopped_at, executed))
            else:
                self._emit(RunFinished(self._ok, executed, time.monotonic() - self._began))

    def _start_one(self) -> bool:
        if self._complete:
            self._join(self._complete.pop())
            return True
        ready = self._lanes.next()
        if ready is not None:
            self._start(*ready)
        return ready is not None

    def _start(self, node_id: NodeId, lane: Lane) -> None:
        if node_id not in self._flights:
            if self._host.is_shared(self._stay) and self._is_made_elsewhere(node_id):
                return
            flight = self._flights[node_id] = self._loop.create_future()
            self._host.flights[self._signatures[node_id]] = flight
        node = self._nodes[node_id]
        turn = Turn(
            node=node,
            inputs=self._gather(node),
            asked=self._asked.get(node_id, frozenset()),
            job=self._job,
            prompt=self._prompt,
            known=self._nodes,
            reporter=Reporter(node_id, self._stop, self._emit, previews=self._job.preview_method != "none"),
            executor={"device": self._host.device, "thread": self._host.threads, "loop": None}[lane],
            cancellable=self._cancellable,
            started=lambda: self._emit(NodeStarted(node_id, again=node_id in self._asked)),
        )
        self._lanes.enter(lane)
        task = self._loop.create_task(take_turn(self._host, turn))
        self._tasks[task] = node_id
        task.add_done_callback(lambda done: self._guarded(partial(self._done, done, lane)))

    def _is_made_elsewhere(self, node_id: NodeId) -> bool:
        """Whether another run has made, or is making, what the node would; then there is nothing to start."""
        signature = self._signatures[node_id]
        flight = self._host.flights.get(signature)
        if flight is None:
            memo = self._host.cache.get(signature)
            if memo is not None:
                self._settle(node_id, memo, reused=True)
            return memo is not None
        self._awaited += 1
        flight.add_done_callback(lambda landed: self._guarded(partial(self._landed, node_id, landed.result())))
        return True

    def _landed(self, node_id: NodeId, memo: Memo | None) -> None:
        self._awaited -= 1
        if self._over:
            return
        if memo is not None:
            self._settle(node_id, memo, reused=True)
        else:
            self._make_ready(node_id)
        self._advance()

    def _land(self, node_id: NodeId, memo: Memo | None) -> None:
        """Tell the runs that wait for the node."""
        flight = self._flights.pop(node_id, None)
        if flight is not None:
            del self._host.flights[self._signatures[node_id]]
            flight.set_result(memo)

    def _done(self, task: "asyncio.Task[Outcome]", lane: Lane) -> None:
        node_id = self._tasks.pop(task)
        self._lanes.leave(lane)
        match task.result():
            case None:
                self._stopped_at = node_id
                self._stop.set()
            case Failure() as failure:
                self._fail(node_id, failure)
            case Asked(names):
                self._asked[node_id] = names
                node = self._nodes[node_id]
                links = (value for name, value in node.inputs.items() if name in names and isinstance(value, Link))
                asked = _sources(links)
                self._demand(asked)
                self._await(node_id, asked)
            case Expanded() as expanded:
                self._expand(node_id, expanded)
            case Made(memo, keep, blocked):
                if blocked is not None:
                    node = self._nodes[self._real(node_id)]
                    self._emit(NodeBlocked(node.id, node.class_type, blocked))
                self._settle(node_id, memo, keep=keep)
        self._advance()

    def _settle(self, node_id: NodeId, memo: Memo, *, keep: bool = True, reused: bool = False) -> None:
        """The node has its result."""
        signature = self._signatures[node_id]
        if not reused:
            self._executed.append(node_id)
            if keep:
                self._host.cache.put(signature, memo)
        self._emit(NodeExecuted(node_id, memo.ui, reused, seconds=0.0 if reused else memo.seconds))
        for twin in self._twins.pop(signature, ()):
            self._emit(NodeExecuted(twin, memo.ui, reused=True))
        self._land(node_id, memo if keep else None)
        for reader in self._ledger.settle(node_id, memo):
            self._make_ready(reader)

    def _fail(self, node_id: NodeId, failure: Failure) -> None:
        self._ok = False
        for failed in (node_id, *self._twins.get(self._signatures[node_id], ())):
            self._emit(failure.of(self._nodes[self._real(failed)]))
        self._lose(node_id)

    def _lose(self, node_id: NodeId) -> None:
        for lost in self._ledger.lose(node_id):
            self._expanded.pop(lost, None)
            self._land(lost, None)

    def _expand(self, node_id: NodeId, expanded: Expanded) -> None:
        """Take in the nodes that a node expanded into.

        It has its own result when those have theirs that it is made of, and also those that show something: a failure
        among them must not be remembered as done.
        """
        expansion = expanded.expansion
        own = self._signatures[node_id]
        root = f"{id_root(node_id)}."
        known_by = {child: f"{own} {child.removeprefix(root)}" for child in expansion.graph.nodes}
        self._signatures |= signatures(
            expansion.graph, expansion.order, self._host.definitions, expanded.fingerprints, self._signatures, known_by
        )
        self._nodes |= expansion.graph.nodes
        self._prompt.add(expansion.raw, expansion.origins)
        self._emit(NodesAdded(expansion.origins))
        makers = [*_sources(expansion.result_links()), *expansion.outputs]
        self._expanded[node_id] = expanded
        self._ledger.will_read(node_id, self._results_of(makers))
        self._demand(makers, expansion.outputs)
        self._await(node_id, makers)

    def _join(self, node_id: NodeId) -> None:
        """An expanded node gets the result that its nodes made."""
        expanded = self._expanded.pop(node_id)
        definition = self._host.definitions[self._nodes[node_id].class_type]
        try:
            memo = make_memo(definition, expanded.expansion.results, self._result_of)
        except BadResult as error:
            self._fail(node_id, describe(error, {}))
        else:
            self._settle(node_id, replace(memo, seconds=expanded.seconds))

    def _break_circle(self) -> None:
        """Nothing can go on: what was expanded waits for itself. The node that made the circle fails."""
        waits = self._ledger.waits()
        edges = {node_id: {str(i): Link(source, 0) for i, source in enumerate(all_)} for node_id, all_ in waits.items()}
        path = Graph(Node(node_id, "", links) for node_id, links in edges.items()).cycles()[0]
        maker = next((node_id for node_id in path if node_id in self._expanded), path[0])
        self._fail(maker, describe(CycleError(path), {}))

    def _gather(self, node: Node) -> dict[str, tuple[Any, ...]]:
        unknown = node.lazy.difference(self._asked.get(node.id, ()))
        values: dict[str, tuple[Any, ...]] = {}
        for name, value in node.inputs.items():
            if not isinstance(value, Link):
                values[name] = (value,)
            elif name in node.raw:
                values[name] = ([value.source, value.output],)
            else:
                values[name] = (None,) if name in unknown else tuple(self._values_of(value))
        return values

    def _values_of(self, link: Link) -> Sequence[Any]:
        outputs = self._ledger.values[self._signatures[link.source]].outputs
        return outputs[link.output] if link.output < len(outputs) else (None,)  # only expansions have such links

    def _result_of(self, link: Link) -> Sequence[Any]:
        definition = self._host.definitions[self._nodes[link.source].class_type]
        if definition.output(link.output) is None:
            count = len(definition.outputs)
            raise BadResult(f"It takes output {link.output} of node {link.source}, which has {count} outputs.")
        return self._values_of(link)

    def _real(self, node_id: NodeId) -> NodeId:
        return NodeId(self._prompt.get_real_node_id(node_id))

    def _emit(self, event: Event) -> None:
        if threading.get_ident() == self._thread:
            self._queue.put_nowait(event)
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)


def _sources(links: Iterable[Link]) -> list[NodeId]:
    return [link.source for link in links]
