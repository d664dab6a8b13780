"""Files that hold a graph, or the node types to read one by: what is wrong with one is said in a sentence."""

import json

import pytest

from executor.headless import WorkflowFileError, read_definitions, read_graph

NODES = {"KSampler": {"input": {"required": {}}, "output": [], "output_name": [], "output_is_list": []}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty."),
        (b" \n", "is empty."),
        (b'{"nodes": [{"id": 1, "ty', "ends too early: it is only the beginning of a JSON document."),
        (b'{"nodes": [{"id": 1', "ends too early: it is only the beginning of a JSON document."),
        (b'{"nodes": [}', "is not valid JSON: Expecting value in line 1, column 12."),
        (b"hello", "is not valid JSON: Expecting value in line 1, column 1."),
        (b"[1, 2]", "is JSON, but neither an editor document (with 'nodes') nor a prompt"),
        (b"\x89PNG\r\n\x1a\nxx", "is neither JSON text nor a readable picture"),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_what_is_no_graph_is_refused(tmp_path, content, says):
    path = tmp_path / "graph.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkflowFileError) as refused:
        read_graph(path, {})
    assert str(refused.value).startswith(f"{path} {says}")


@pytest.mark.parametrize("content", [[], {}, {"nodes": {"a": 1}}, {"KSampler": 5}, {"1": {"class_type": "KSampler"}}])
def test_what_is_no_answer_to_object_info_gives_no_node_types(tmp_path, content):
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(content))
    with pytest.raises(WorkflowFileError, match="is no answer of a server to /object_info"):
        read_definitions(path)


def test_the_answer_to_object_info_gives_the_node_types(tmp_path):
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(NODES))
    assert list(read_definitions(path)) == ["KSampler"]
