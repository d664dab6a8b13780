"""Jobs as lists show them: what of their outputs can be looked at, and what is preferred."""

import pytest

from server.jobs import JobRecord, JobResult
from server.protocol.records import job_details, job_summary

SAVED = {"filename": "a.png", "subfolder": "", "type": "output"}
SEEN = {"filename": "b.png", "subfolder": "", "type": "temp"}


def record(outputs, state="completed") -> JobRecord:
    return JobRecord("job", state, 1.0, 1, None, {"1": {}}, {}, ("1",), 10, 20, 30, JobResult(outputs))


@pytest.mark.parametrize(
    ("outputs", "previews", "preferred"),
    [
        ({}, 0, None),
        ({"1": {"images": [SEEN], "animated": [True]}, "2": {"images": [SAVED]}}, 2, ("2", "images", "a.png")),
        ({"1": {"images": [SEEN]}}, 1, ("1", "images", "b.png")),
        ({"1": {"gifs": [{"filename": "c.mp4", "format": "video/mp4", "type": "output"}]}}, 1, ("1", "gifs", "c.mp4")),
        ({"1": {"3d": [{"filename": "d.GLB", "type": "output"}]}}, 1, ("1", "3d", "d.GLB")),
        ({"1": {"text": ["words"]}}, 1, ("1", "text", None)),
        ({"1": {"latents": [{"filename": "e.latent", "type": "output"}], "values": [3]}}, 0, None),
    ],
)
def test_what_can_be_looked_at_is_counted_and_the_saved_comes_first(outputs, previews, preferred):
    shown = job_summary(record(outputs))
    assert shown["previewable_outputs_count"] == previews
    found = shown.get("preview_output")
    assert (found and (found["nodeId"], found["mediaType"], found.get("filename"))) == preferred


def test_a_long_text_is_cut_in_lists_and_whole_in_the_details():
    text = "x" * 5000
    assert len(job_summary(record({"1": {"text": [text]}}))["preview_output"]["content"]) < 2000
    assert job_details(record({"1": {"text": [text]}}))["outputs"]["1"]["text"] == [text]


def test_a_job_that_waits_shows_what_it_will_run():
    waiting = JobRecord("job", "pending", 1.0, 0, None, {"1": {}}, {"a": 1}, ("1",), 10, None, None, None)
    assert job_details(waiting) == {
        "id": "job",
        "status": "pending",
        "priority": 1,
        "create_time": 10,
        "outputs_count": 0,
        "previewable_outputs_count": 0,
        "workflow": {"prompt": {"1": {}}, "extra_data": {"a": 1}},
    }
