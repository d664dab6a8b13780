"""What a run gives is what the rules say: random graphs against an interpreter that knows nothing but the rules.

It is slow and recursive, keeps everything, and runs one thing at a time; that is what makes it easy to believe.
"""

import asyncio
from contextlib import suppress

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from executor.cache import NoCache
from executor.context import ExecutingContext, executing
from executor.schema import ExecutionBlocker, RunInfo
from executor.worker import Job
from tests.executor.semantic_toys import semantic_toys
from tests.executor.test_invariants import cache_of, histories, modes, prompts, real, result
from tests.executor.toys import Bench, prompt, run, toy_types, toy_worker

TYPES = toy_types() | {node_type.definition.class_type: node_type for node_type in semantic_toys()}
NOTHING = object()


class Lost(Exception):
    """There is no result: the node failed, or something that it reads from did."""


class Interpreter:
    """Runs one prompt."""

    def __init__(self, wire):
        self.nodes = dict(wire)
        self.results, self.shown, self.ok = {}, {}, True

    def answer(self):
        self.run_outputs(dict(self.nodes))
        return {node_id: values for node_id, values in self.shown.items() if node_id == real(node_id)}, self.ok

    def run_outputs(self, nodes):
        for node_id, node in nodes.items():
            if TYPES[node["class_type"]].definition.is_output:
                with suppress(Lost):
                    self.outputs(node_id)

    def outputs(self, node_id):
        """For each output of the node the list of its values."""
        if node_id not in self.results:
            try:
                self.results[node_id] = self.execute(node_id)
            except Lost:
                self.results[node_id] = NOTHING
            except Exception:  # noqa: BLE001 - whatever a toy raises is its failure
                self.ok, self.results[node_id] = False, NOTHING
        if self.results[node_id] is NOTHING:
            raise Lost
        return self.results[node_id]

    def execute(self, node_id):
        node_type = TYPES[self.nodes[node_id]["class_type"]]
        definition, inputs = node_type.definition, self.nodes[node_id]["inputs"]
        given = {socket.name: inputs.get(socket.name, socket.default) for socket in definition.inputs}
        lists = {
            name: [None]
            if definition.input(name).lazy and isinstance(value, list)
            else self.given(definition, name, value)
            for name, value in given.items()
        }
        asked = set()
        while node_type.needs is not None:
            names = {name for call in self.calls(definition, lists) if call for name in node_type.needs(**call)}
            if names <= asked:
                break
            for name in sorted(names - asked):
                lists[name] = self.values(given[name])
            asked |= names
        outputs = [[] for _ in definition.outputs]
        for index, call in enumerate(self.calls(definition, lists)):
            self.collect(node_id, definition, outputs, self.call(node_id, node_type, call, index))
        return outputs

    def given(self, definition, name, value):
        return [value] if definition.input(name).raw_link else self.values(value)

    def values(self, value):
        """The values that an input has."""
        return self.outputs(value[0])[value[1]] if isinstance(value, list) else [value]

    def calls(self, definition, lists):
        """The arguments of each call; None for a blocked one."""
        if definition.input_is_list:
            rows = [lists]
            blocked = [any(isinstance(one, ExecutionBlocker) for values in lists.values() for one in values)]
        else:
            count = max((len(values) for values in lists.values()), default=1)
            if not all(lists.values()):
                raise IndexError("an empty list")
            rows = [{name: values[min(i, len(values) - 1)] for name, values in lists.items()} for i in range(count)]
            blocked = [any(isinstance(one, ExecutionBlocker) for one in row.values()) for row in rows]
        return [None if is_blocked else row for row, is_blocked in zip(rows, blocked, strict=True)]

    def call(self, node_id, node_type, arguments, index):
        if arguments is None:
            return None
        token = executing.set(ExecutingContext("job", node_id, index, None, []))
        try:
            answer = node_type.call(**arguments, info=RunInfo({}, {}, node_id), bench=Bench())
            return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer
        finally:
            executing.reset(token)

    def collect(self, node_id, definition, outputs, answer):
        """Add what one call gave to the outputs."""
        if answer is None:
            for values in outputs:
                values.append(ExecutionBlocker())
            return
        if answer.ui is not None:
            self.shown.setdefault(node_id, []).extend(answer.ui["values"])
        self.nodes |= answer.expand or {}
        self.run_outputs(answer.expand or {})
        for socket, values, value in zip(definition.outputs, outputs, answer.outputs, strict=True):
            if answer.expand and isinstance(value, list):
                values.extend(self.values(value))
            elif socket.is_list and not isinstance(value, ExecutionBlocker):
                values.extend(value)
            else:
                values.append(value)


LATER_AGAIN = """
n = Number 0
twice = First a=n b=n
which = First a=n b=twice
other = Add twice 0
chosen = Switch which=which yes=which no=other
s = Show chosen
t = Show n
"""
"""With nothing remembered, `twice` has to run once more when `chosen` asks for what reads it, and has to ask again."""
EXPANDED_AGAIN = """
n = Number 1
u = Unfold value=n depth=2
which = Add u 1
again = Add u 5
chosen = Switch which=which yes=again no=n
s = Show chosen
"""
"""The same of a node that expands: the nodes that it makes have the same ids a second time."""


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(prompt(LATER_AGAIN))
@example(prompt(EXPANDED_AGAIN))
@given(prompts(semantic=True))
def test_a_run_gives_what_the_rules_say(tmp_path, wire):
    async def ran():
        worker = toy_worker(tmp_path, Bench(), NoCache(), more=semantic_toys())
        events = await run(worker, wire)
        await worker.close()
        return result(events)

    assert asyncio.run(ran()) == Interpreter(wire).answer()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), modes)
def test_runs_that_share_a_worker_do_not_disturb_each_other(tmp_path, wires, mode):
    async def together():
        worker = toy_worker(tmp_path, Bench(), cache_of(mode, tmp_path), more=semantic_toys())
        runs = [run_as(worker, f"job{i}", wire) for i, wire in enumerate(wires)]
        results = [result(events) for events in await asyncio.gather(*runs)]
        await worker.close()
        return results

    assert asyncio.run(together()) == [Interpreter(wire).answer() for wire in wires]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts(semantic=True), st.integers(0, 12), modes)
def test_a_run_that_is_stopped_leaves_nothing_wrong_behind(tmp_path, wire, count, mode):
    async def stopped():
        worker = toy_worker(tmp_path, Bench(), cache_of(mode, tmp_path), more=semantic_toys())
        heard = 0
        async for _ in worker.run(Job("job", wire)):
            heard += 1
            if heard == count:
                await worker.interrupt("job")
        events = await run(worker, wire)
        await worker.close()
        return result(events)

    assert asyncio.run(stopped()) == Interpreter(wire).answer()


async def run_as(worker, job_id, wire):
    return [event async for event in worker.run(Job(job_id, wire))]
