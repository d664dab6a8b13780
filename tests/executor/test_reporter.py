"""What a node's progress reports become."""

import threading
from types import SimpleNamespace

import pytest

from executor import reporter as reporting
from executor.events import NodePreview, NodeProgress
from executor.graph import NodeId
from executor.progress import Interrupted, Preview
from executor.reporter import Reporter

PICTURE = Preview(b"x", "image/jpeg")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time as the reporter sees it: stands still unless a test moves it."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def reporter(events, stop=None, previews=True):
    return Reporter(NodeId("n"), stop or threading.Event(), events.append, previews=previews)


def values(events):
    return [event.value for event in events if isinstance(event, NodeProgress)]


def test_in_a_burst_the_first_and_the_last_step_are_told():
    events = []
    progress = reporter(events)
    for step in range(1, 101):
        progress.step(step, 100)
    assert values(events) == [1, 100]


def test_steps_and_previews_have_their_least_intervals(clock):
    events = []
    progress = reporter(events)
    for step in range(1, 101):
        progress.step(step, 100, lambda: PICTURE)
        clock.now += 0.01
    assert (values(events)[0], values(events)[-1]) == (1, 100)
    assert len(values(events)) in range(21, 28), "a second holds 25 intervals"
    assert sum(1 for event in events if isinstance(event, NodePreview)) in range(9, 13), "and ten of the previews'"


def test_a_node_that_ends_before_its_last_step_loses_none():
    events = []
    progress = reporter(events)
    for step in range(1, 51):
        progress.step(step, 100)
    progress.close()
    assert values(events)[-1] == 50
    progress.step(51, 100)
    progress.close()
    assert values(events)[-1] == 50, "and after its end it says nothing"


def test_each_element_of_a_list_begins_anew():
    events = []
    progress = reporter(events)
    for _ in range(3):
        for step in (1, 2, 3):
            progress.step(step, 3)
    assert [value for value in values(events) if value != 2] == [1, 3, 1, 3, 1, 3]


def test_previews_are_made_at_the_ends_and_only_if_wanted():
    made = []

    def preview():
        made.append(1)
        return PICTURE

    events = []
    progress = reporter(events)
    for step in range(1, 51):
        progress.step(step, 50, preview)
    assert [event.preview for event in events if isinstance(event, NodePreview)] == [PICTURE] * len(made)
    assert len(made) == 2
    made.clear()
    progress = reporter(events, previews=False)
    progress.step(1, 1, preview)
    assert made == []


def test_a_stopped_run_raises_in_step_and_in_check():
    stop = threading.Event()
    progress = reporter([], stop)
    progress.check()
    progress.step(1, 2)
    stop.set()
    with pytest.raises(Interrupted):
        progress.check()
    with pytest.raises(Interrupted):
        progress.step(2, 2)
