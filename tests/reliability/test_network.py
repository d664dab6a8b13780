"""Network and auth (NA): nobody gets in by a name, an origin or a guess, and the token stays where it belongs.

What cannot run here: NA-09 needs two browsers and a name server of its own (release), NA-11 several users, NA-15 Ray.
NA-16 compares the pinned versions with the floors; asking a database of advisories needs a network.
"""

import json
import re
import socket
import stat
import time
from collections.abc import Iterator
from typing import Any

import pytest

from server.app import all_routes
from tests.reliability.cases import Case, Table, run_case
from tests.reliability.corpus import HANDSHAKE, HOSTILE, HOSTILE_SOCKETS
from tests.reliability.stand import ROOT, Answer, Stand, patience, saving, standing_server

cases = Table()

OPEN = {"/health", "/login", "/api/health", "/api/login"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server that asks for its token, on loopback."""
    with standing_server(tmp_path_factory.mktemp("locked"), "--require-token") as server:
        yield server


def bare(stand: Stand, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A request without the token."""
    return stand.ask(method, path, body, {"X-Heddle-Token": "", **headers})


def logged_in(stand: Stand) -> dict[str, str]:
    """The cookie of a browser that has logged in, and no token."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Heddle-Token": ""}
    answer = stand.ask("POST", "/login", f"token={stand.token}".encode(), form)
    assert answer.status == 303, answer.text
    return {"X-Heddle-Token": "", "Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


@cases("NA-01", "no route of ours or of a pack answers without the token")
def crawl(stand: Stand) -> None:
    paths = {re.sub(r"\{[^}]*\}", "x", route.path) for route in all_routes()} | {"/hostile/echo", "/nowhere"}
    assert len(paths) > 60
    for path in sorted(paths - OPEN):
        for method in METHODS:
            assert bare(stand, method, path).status == 401, (method, path)
    assert bare(stand, "GET", "/ws", **HANDSHAKE).status == 401
    assert bare(stand, "GET", "/health").status == 200
    shown = bare(stand, "GET", "/", Accept="text/html")
    assert (shown.status, shown.headers["Location"]) == (303, "/login")


@cases("NA-02", "the token comes by header, cookie or a link that works once, and lies in a file of the user's alone")
def ways_in(stand: Stand) -> None:
    assert stand.token is not None
    for header, value in (("Authorization", f"Bearer {stand.token}"), ("Authorization", f"token {stand.token}")):
        assert bare(stand, "GET", "/queue", **{header: value}).status == 200
    assert bare(stand, "GET", "/queue", Authorization="Bearer wrong").status == 401
    assert bare(stand, "GET", f"/queue?token={stand.token}").status == 401
    assert stand.ask("GET", "/queue", headers=logged_in(stand)).status == 200
    assert stat.S_IMODE((stand.base / "user" / "heddle.token").stat().st_mode) == 0o600
    link = stand.announced.split()[3].partition("/login")[2]
    first, second = bare(stand, "GET", f"/login{link}"), bare(stand, "GET", f"/login{link}")
    assert (first.status, first.headers["Location"]) == (303, "/")
    assert "HttpOnly" in first.headers["Set-Cookie"]
    assert "SameSite=Strict" in first.headers["Set-Cookie"]
    assert "Set-Cookie" not in second.headers


@cases("NA-03", "no hostile page has an effect by any method, with or without the cookie of who is logged in")
def origins(stand: Stand) -> None:
    cookie = logged_in(stand)
    before = stand.get("/jobs").json()["pagination"]["total"]
    for who in ({}, cookie):
        for name, headers in HOSTILE:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = stand.ask(method, "/prompt", {"prompt": saving(1)}, who | headers)
                assert answer.status in (400, 403), (name, method, answer.status)
            assert stand.ask("POST", "/interrupt", {}, who | headers).status in (400, 403), name
        for name, headers in HOSTILE_SOCKETS:
            answer = stand.ask("GET", "/ws", headers=who | HANDSHAKE | headers)
            assert answer.status in (400, 403), (name, answer.status)
    assert stand.get("/jobs").json()["pagination"]["total"] == before
    for ours in (f"http://127.0.0.1:{stand.port}", f"http://localhost:{stand.port}", f"http://[::1]:{stand.port}"):
        assert stand.ask("POST", "/interrupt", {}, cookie | {"Origin": ours}).status == 200, ours


@cases("NA-04", "only names of this server are taken for it, however they are written")
def hosts(stand: Stand) -> None:
    for host in (
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", "127.0.0.1.", "me@127.0.0.1", "[::1",
        "2130706433", "0x7f000001", "0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.1:notaport", "127.0.0.1:99999", "a b",
        "127.0.0.1:8188:8188", "192.168.1.5",
    ):  # fmt: skip
        for path in ("/queue", "/", "/health"):
            answer = stand.ask("GET", path, headers={"Host": host})
            assert answer.status in (400, 403), (host, path, answer.status)
    for lines in (b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host:\r\n"):
        answer = raw(stand, b"GET /queue HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
        assert b" 400 " in answer.splitlines()[0], answer


def raw(stand: Stand, request: bytes, seconds: float = 20.0) -> bytes:
    """What comes back for these bytes, until the server ends the connection or is silent."""
    with socket.create_connection(("127.0.0.1", stand.port), seconds) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except (TimeoutError, ConnectionError):
            pass
    return answer


@cases("NA-05", "a browser's request from elsewhere is refused, a program's and a person's visit are not")
def fetch_metadata(stand: Stand) -> None:
    for headers in ({"Origin": "null"}, {"Origin": "garbage"}, {"Sec-Fetch-Site": "cross-site"}):
        assert stand.ask("POST", "/queue", {}, headers).status == 403, headers
        assert stand.ask("GET", "/history", headers=headers).status == 403, headers
    assert stand.ask("POST", "/queue", {}).status == 200
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert stand.ask("GET", "/", headers=visit).status == 200


@cases("NA-06", "a browser must say that it sends JSON")
def content_types(stand: Stand) -> None:
    origin = {"Origin": f"http://127.0.0.1:{stand.port}"}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        for path in ("/prompt", "/queue", "/interrupt", "/settings", "/history", "/free", "/jobs/cancel"):
            answer = stand.ask("POST", path, b'{"clear": false}', origin | {"Content-Type": kind})
            assert answer.status == 415, (path, kind, answer.status)
    assert stand.ask("POST", "/queue", b"{}", {"Content-Type": "text/plain"}).status == 200  # no browser


@cases("NA-07", "it does not listen to other machines without TLS unless that is said")
def beyond(stand: Stand) -> None:
    other = Stand(stand.base.parent / "beyond", ("--listen", "0.0.0.0"))
    assert "--allow-plain-http" in other.start_fails()


@cases("NA-08", "every answer has the headers that keep it from doing harm")
def headers(stand: Stand) -> None:
    answers = [
        bare(stand, "GET", "/queue"),
        bare(stand, "GET", "/login"),
        *(stand.get(path) for path in ("/", "/queue", "/object_info", "/nowhere", "/view?filename=no.png", "/health")),
        stand.post("/prompt", b"{"),
        stand.ask("GET", "/queue", headers={"Origin": "null"}),
        stand.get("/hostile/echo"),
    ]
    for answer in answers:
        said = {name.lower(): value for name, value in answer.headers.items()}
        policy = said["content-security-policy"]
        assert "unsafe" not in policy, answer.path
        assert "sandbox" in policy or "frame-ancestors 'none'" in policy, answer.path
        assert said["x-content-type-options"] == "nosniff", answer.path
        assert said["referrer-policy"] == "no-referrer", answer.path
        assert said["cross-origin-resource-policy"] == "same-origin", answer.path
        assert said["server"] == "Heddle", answer.path


@cases("NA-09", "no page in a browser reads or does anything", skip="release tier: two browsers and a name server")
@cases("NA-11", "users do not see each other's jobs", skip="there is one user; whoever has the token is that user")
@cases("NA-15", "Ray is not left open", skip="there is no Ray worker")
def elsewhere(_stand: Stand) -> None:
    """Stands for what does not run here."""


@cases("NA-12", "requests that two parsers would read differently are refused", nightly=True)
def smuggling(stand: Stand) -> None:
    own = f"Host: 127.0.0.1:{stand.port}\r\nX-Heddle-Token: {stand.token}\r\n".encode()
    post = b"POST /queue HTTP/1.1\r\n" + own
    for lines, body in (
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}{"),
        (b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
        (b"Content-Length: -1\r\n", b""),
        (b"X: " + b"a" * 100_000 + b"\r\n", b""),
        (b"".join(b"X%d: a\r\n" % i for i in range(5000)), b""),
    ):
        answer = raw(stand, post + lines + b"Connection: close\r\n\r\n" + body)
        assert answer[9:12] in (b"", b"400", b"431", b"413"), (lines[:60], answer[:100])
    pipelined = raw(stand, (b"GET /health HTTP/1.1\r\n" + own + b"\r\n") * 2000, 5.0)
    assert b"HTTP/1.1 5" not in pipelined


@cases("NA-13", "connections that never finish a request are ended, and harm nobody meanwhile", nightly=True)
def slow_loris(stand: Stand) -> None:
    head = f"POST /prompt HTTP/1.1\r\nHost: 127.0.0.1:{stand.port}\r\nX-Heddle-Token: {stand.token}\r\n".encode()
    openings = [b"", b"GET / HT", head, head + b"Content-Length: 1000000\r\n\r\n{"]
    held = [socket.create_connection(("127.0.0.1", stand.port)) for _ in range(300)]
    try:
        for number, connection in enumerate(held):
            connection.sendall(openings[number % len(openings)])
            connection.setblocking(False)
        assert stand.run(saving(3))["status"] == "completed"
        deadline = time.monotonic() + 40 * patience()
        while time.monotonic() < deadline and any(_is_open(connection) for connection in held):
            time.sleep(0.5)
        assert not [number for number, connection in enumerate(held) if _is_open(connection)]
    finally:
        for connection in held:
            connection.close()


def _is_open(connection: socket.socket) -> bool:
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@cases("NA-14", "nothing talks to another machine, and no node asks for an address")
def outbound(stand: Stand) -> None:
    stand.run(saving(4))
    for process in (stand.server, *stand.server.children(recursive=True)):
        for connection in process.net_connections(kind="inet"):
            assert not connection.raddr or connection.raddr.ip in ("127.0.0.1", "::1"), connection
    for name, entry in stand.get("/object_info").json().items():
        for inputs in entry["input"].values():
            assert not any("url" in field.lower() for field in inputs), name
    clients = re.compile(r"\b(urlopen|urlretrieve|requests\.(get|post)|httpx|ClientSession|create_connection)\b")
    files = [file for package in ("executor", "nodes", "server") for file in (ROOT / package).rglob("*.py")]
    found = {file.relative_to(ROOT).as_posix() for file in files if clients.search(file.read_text())}
    # The program that talks to a server, and the socket to the worker on this machine.
    assert found == {"server/client.py", "server/pack_proxy.py"}


FLOORS = {"aiohttp": (3, 14, 3), "torch": (2, 10), "pillow": (12, 2), "safetensors": (0, 8)}


@cases("NA-16", "what is installed has the fixes that are known to matter")
def floors(_stand: Stand) -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    for name, floor in FLOORS.items():
        assert tuple(map(int, pinned[name].split(".")[:3])) >= floor, (name, pinned[name])


@cases("NA-02", "who guesses ten times waits, and who has the cookie does not")
def guesses(stand: Stand) -> None:
    cookie = logged_in(stand)
    for _ in range(10):
        assert bare(stand, "GET", "/queue", Authorization="Bearer guess").status in (401, 429)
    assert bare(stand, "GET", "/queue", Authorization="Bearer guess").status == 429
    assert stand.ask("GET", "/queue", headers=cookie).status == 200
    stand.headers.clear()
    stand.headers.update(cookie)  # for what follows: the token itself has to wait


SECRET = "a-key-of-another-service"


@cases("NA-10", "neither the token nor a job's key is in any answer, log, record or picture")
def secrets_stay(stand: Stand) -> None:
    job = stand.run(saving(5, "secret"), extra_data={"api_key_comfy_org": SECRET})
    stand.get(f"/history/{job['id']}")
    for secret in (str(stand.token), SECRET):
        for answer in stand.answers:
            assert secret not in answer.text, answer.path
            assert secret not in json.dumps(dict(answer.headers)), answer.path
        for file in stand.base.rglob("*"):
            if file.is_file() and file.name != "heddle.token":
                assert secret.encode() not in file.read_bytes(), file.name


@pytest.mark.parametrize("case", cases.params())
def test_network(case: Case, locked: Stand) -> None:
    run_case(case, locked)


def test_the_floors_are_those_of_packages_that_are_required() -> None:
    names = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert set(FLOORS) <= names
