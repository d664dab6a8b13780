"""A client whose connection broke asks for what it missed, and hears exactly that."""

import pytest

from server.journal import MAX_CLIENTS, MAX_MESSAGES, Journal, Journals
from tests.server.conftest import Server

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}


def test_what_came_after_a_number_is_told():
    journal = Journal(100)
    for text in "abc":
        journal.add(text)
    assert journal.since(101) == [(102, "b"), (103, "c")]
    assert journal.since(103) == []
    assert journal.since(100) == [(101, "a"), (102, "b"), (103, "c")]
    assert journal.since(99) is None
    assert journal.since(104) is None


def test_it_forgets_the_oldest_and_says_so():
    journal = Journal(0)
    for number in range(MAX_MESSAGES + 10):
        journal.add(str(number))
    assert journal.since(9) is None
    assert len(journal.since(10)) == MAX_MESSAGES


def test_so_many_clients_are_remembered():
    journals = Journals(5)
    for number in range(MAX_CLIENTS + 1):
        journals.begin(str(number))
    assert journals.of("0") is None
    assert journals.of("1") is not None


async def numbered(server: Server, client_id: str, since: int | str):
    return server.session.ws_connect(f"{server.url}/ws?clientId={client_id}&since={since}")


async def heard_until_end(socket) -> list[dict]:
    heard = []
    while not (heard and heard[-1]["type"] == "executing" and heard[-1]["data"]["node"] is None):
        heard.append(await socket.receive_json(timeout=30))
    return heard


async def test_what_was_missed_is_repeated_once_and_in_order(server: Server):
    async with await numbered(server, "me", 0) as first:
        assert (await first.receive_json())["type"] == "status"
        mark = await first.receive_json()
        assert (mark["type"], mark["data"]["complete"]) == ("missed", False)
        await server.queue(SAVE, client_id="me")
        whole = [it for it in await heard_until_end(first) if "seq" in it]
    numbers = [it["seq"] for it in whole]
    assert numbers == list(range(mark["data"]["last"] + 1, mark["data"]["last"] + 1 + len(whole)))
    missed_job = await server.queue(SAVE, client_id="me")
    await server.ended(missed_job)
    async with await numbered(server, "me", numbers[2]) as again:
        assert (await again.receive_json())["type"] == "status"
        mark = await again.receive_json()
        assert mark["data"]["complete"] is True
        heard = [await again.receive_json(timeout=30) for _ in range(mark["data"]["last"] - numbers[2])]
    assert heard[: len(whole) - 3] == whole[3:]
    assert [it["seq"] for it in heard] == list(range(numbers[2] + 1, mark["data"]["last"] + 1))
    assert {it["data"]["prompt_id"] for it in heard[len(whole) - 3 :]} == {missed_job}


async def test_who_does_not_ask_gets_no_numbers(server: Server):
    async with await numbered(server, "me", 0), server.listen("me") as listener:
        await server.queue(SAVE, client_id="me")
        assert not [message for message in await listener.until_end() if "seq" in message]


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 17])
async def test_a_number_that_is_none_is_refused(server: Server, since: str):
    status, body = await server.get(f"/ws?since={since}")
    assert status == 400
    assert "since" in body["error"]["message"]
