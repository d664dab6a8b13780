"""Where a token is asked for, nothing answers without it; it comes by header, cookie or the link of one start."""

import stat

import pytest
from aiohttp import CookieJar, WSServerHandshakeError

from server.access import MAX_WRONG, WRONG_SECONDS, Access, AccessError
from tests.server.conftest import Server, Start


@pytest.fixture
async def guarded(start: Start) -> Server:
    """A server that asks for its token."""
    return await start(require_token=True)


def token_of(server: Server) -> str:
    return (server.folders.user / "heddle.token").read_text().strip()


async def test_no_token_is_asked_for_on_loopback(server: Server):
    assert (await server.get("/queue"))[0] == 200
    assert not (server.folders.user / "heddle.token").exists()


async def test_only_the_user_can_read_the_token(guarded: Server):
    assert stat.S_IMODE((guarded.folders.user / "heddle.token").stat().st_mode) == 0o600
    assert len(token_of(guarded)) >= 32


@pytest.mark.parametrize("header", ["X-Heddle-Token: {}", "Authorization: Bearer {}", "Authorization: token {}"])
async def test_a_header_lets_in(guarded: Server, header: str):
    name, _, value = header.partition(": ")
    assert (await guarded.get("/queue"))[0] == 401
    assert (await guarded.get("/queue", headers={name: value.format("wrong" * 8)}))[0] == 401
    assert (await guarded.get("/queue", headers={name: value.format(token_of(guarded))}))[0] == 200


async def test_a_socket_needs_the_token_too(guarded: Server):
    with pytest.raises(WSServerHandshakeError, match="401"):
        await guarded.session.ws_connect(f"{guarded.url}/ws")
    headers = {"Authorization": f"Bearer {token_of(guarded)}"}
    async with guarded.session.ws_connect(f"{guarded.url}/ws", headers=headers) as socket:
        assert (await socket.receive_json())["type"] == "status"


async def test_the_link_works_once_and_leaves_a_cookie_that_programs_of_a_page_cannot_read(guarded: Server):
    from server.keys import ACCESS

    guarded.session._cookie_jar = CookieJar(unsafe=True)  # an address, not a name
    link = f"{guarded.url}/login?token={guarded.app[ACCESS].once}"
    async with guarded.session.get(link, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert token_of(guarded) not in cookie
    assert (await guarded.get("/queue"))[0] == 200
    guarded.session.cookie_jar.clear()
    async with guarded.session.get(link, allow_redirects=False) as answer:
        assert "Set-Cookie" not in answer.headers
    assert (await guarded.get("/queue"))[0] == 401


async def test_the_token_typed_into_the_page_lets_in(guarded: Server):
    guarded.session._cookie_jar = CookieJar(unsafe=True)
    async with guarded.session.get(f"{guarded.url}/", headers={"Accept": "text/html"}) as answer:
        assert (answer.status, answer.url.path) == (200, "/login")
        assert "script" not in await answer.text()
    assert (await guarded.post("/login", data={"token": "wrong"}))[0] == 401
    async with guarded.session.post(f"{guarded.url}/login", data={"token": token_of(guarded)}) as answer:
        assert answer.url.path == "/"
    assert (await guarded.get("/queue"))[0] == 200


async def test_who_guesses_too_often_waits(guarded: Server):
    for _ in range(MAX_WRONG):
        assert (await guarded.get("/queue", headers={"X-Heddle-Token": "guess"}))[0] == 401
    right = {"X-Heddle-Token": token_of(guarded)}
    async with guarded.session.get(f"{guarded.url}/queue", headers=right) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert (await guarded.get("/health"))[0] == 200


def test_guesses_are_forgotten_after_a_minute(tmp_path):
    now = [0.0]
    access = Access(tmp_path / "token", lambda: now[0])
    access.open()
    token = (tmp_path / "token").read_text().strip()
    for _ in range(MAX_WRONG):
        assert access.verdict("wrong", None, "a").status == 401
    assert access.verdict(token, None, "a").status == 429
    assert access.verdict(token, None, "another") is None
    assert access.verdict(None, access.cookie, "a") is None
    now[0] = WRONG_SECONDS + 1
    assert access.verdict(token, None, "a") is None


def test_the_token_and_its_cookie_outlive_a_restart(tmp_path):
    first, second = Access(tmp_path / "token"), Access(tmp_path / "token")
    first.open()
    second.open()
    assert (first.cookie, first.cookie_name) == (second.cookie, second.cookie_name)
    assert first.once != second.once


def test_a_token_that_could_be_guessed_is_refused(tmp_path):
    (tmp_path / "token").write_text("short\n")
    with pytest.raises(AccessError, match="fewer than 16"):
        Access(tmp_path / "token").open()
