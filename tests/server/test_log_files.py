"""What the server logs is in files, a JSON object a line, and never more than a few."""

import json
import logging

import pytest

from server import log_files
from server.log_files import LogFile


@pytest.fixture
def log(tmp_path):
    """A log that is written."""
    handler = LogFile(tmp_path / "logs")
    handler.start()
    yield tmp_path / "logs" / "heddle.jsonl"
    handler.stop()


def test_each_line_is_an_object_with_its_time_level_and_logger(log):
    logging.getLogger("server.test").warning("two\nlines and a %s", "word")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("server.test").exception("it failed")
    first, second = map(json.loads, log.read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("WARNING", "server.test", "two\nlines and a word")
    assert "ValueError: why" in second["traceback"]


def test_it_never_grows_beyond_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(log_files, "_MOST_BYTES", 2000)
    handler = LogFile(tmp_path)
    handler.start()
    for _ in range(200):
        logging.getLogger("server.test").warning("%s", "x" * 500)
    handler.stop()
    files = list(tmp_path.iterdir())
    assert len(files) == 6
    assert sum(file.stat().st_size for file in files) <= 6 * 2000


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path):
    (tmp_path / "logs").write_text("a file")
    handler = LogFile(tmp_path / "logs")
    handler.start()
    logging.getLogger("server.test").warning("unheard")
    handler.stop()
