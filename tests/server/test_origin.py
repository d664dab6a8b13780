"""Pages of other sites get nothing: not by name tricks, not by missing headers, on no route and not by socket."""

import pytest

from server.origin import OriginPolicy
from server.settings import ServerSettings
from tests.server.conftest import Server

LOCAL = OriginPolicy.of(ServerSettings())
LAN = OriginPolicy.of(ServerSettings(listen=("0.0.0.0",), allowed_hosts=("Art.example",)))
FOREIGN = OriginPolicy.of(ServerSettings(cors_origin="https://a.example, http://localhost:5173"))
ANYONE = OriginPolicy.of(ServerSettings(cors_origin="*"))

HOST = "127.0.0.1:8188"


def check(policy, expected, method="POST", host=HOST, *, hosts=None, upgrade=False, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    refused = policy.verdict(method, named, [host] if hosts is None else hosts, upgrade=upgrade)
    assert (refused.status if refused else 200) == expected


@pytest.mark.parametrize(
    ("host", "local", "lan"),
    [
        ("127.0.0.1:8188", 200, 200),
        ("localhost:8188", 200, 200),
        ("LOCALHOST", 200, 200),
        ("[::1]:8188", 200, 200),
        ("127.8.9.1", 200, 200),
        ("192.168.1.5:8188", 403, 200),
        ("art.example", 403, 200),
        ("evil.example", 403, 403),
        ("127.0.0.1.evil.example", 403, 403),
        ("localhost.", 403, 403),
        ("0.0.0.0:8188", 403, 403),
        ("[::]:8188", 403, 403),
        ("2130706433", 403, 403),
        ("[::ffff:127.0.0.1]", 403, 200),
        ("me@127.0.0.1", 400, 400),
        ("127.0.0.1:notaport", 400, 400),
        ("127.0.0.1:99999", 400, 400),
        ("[::1", 400, 400),
        ("", 400, 400),
        ("a b", 400, 400),
    ],
)
def test_only_our_own_names_are_hosts(host, local, lan):
    for method in ("GET", "POST"):
        check(LOCAL, local, method, host)
        check(LAN, lan, method, host)


def test_there_is_exactly_one_host():
    check(LOCAL, 400, hosts=[])
    check(LOCAL, 400, hosts=[HOST, HOST])


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:8188", 200),
        ("http://localhost:8188", 200),
        ("http://[::1]:8188", 200),
        ("http://127.0.0.1:9999", 403),
        ("http://localhost", 403),
        ("https://evil.example", 403),
        ("http://127.0.0.1:8188.evil.example", 403),
        ("http://evil.example:8188", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
        ("garbage", 403),
        ("http://[", 403),
        ("http://user@127.0.0.1:8188", 403),
    ],
)
def test_only_our_own_pages_may_act(origin, expected):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        check(LOCAL, expected, method, Origin=origin)
    check(LOCAL, expected, "GET", upgrade=True, Origin=origin)


def test_a_default_port_may_be_left_out():
    check(LAN, 200, host="art.example", Origin="https://art.example")
    check(LAN, 200, host="art.example:443", Origin="https://art.example")
    check(LAN, 403, host="art.example:8188", Origin="https://art.example")


def test_a_page_that_hides_its_origin_is_known_by_fetch_metadata():
    for site in ("cross-site", "same-site", "strange"):
        check(LOCAL, 403, Sec_Fetch_Site=site)
        check(LOCAL, 403, "GET", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")
        check(LOCAL, 403, "POST", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
        check(LOCAL, 403, "GET", upgrade=True, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
        check(LOCAL, 200, "GET", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
    for site in ("none", "same-origin"):
        check(LOCAL, 200, Sec_Fetch_Site=site)


def test_rebinding_does_not_pass_by_agreeing_with_itself():
    check(LOCAL, 403, host="evil.example:8188", Origin="http://evil.example:8188")
    check(LAN, 403, host="evil.example:8188", Origin="http://evil.example:8188")


def test_admitted_origins_pass_and_others_still_do_not():
    check(FOREIGN, 200, Origin="https://a.example")
    check(FOREIGN, 200, Origin="http://localhost:5173", Sec_Fetch_Site="same-site")
    check(FOREIGN, 403, Origin="https://b.example")
    check(FOREIGN, 403, Origin="null")
    check(ANYONE, 200, Origin="https://b.example")
    check(ANYONE, 403, host="evil.example", Origin="https://b.example")


@pytest.mark.parametrize("path", ["/prompt", "/api/history", "/ws", "/view?filename=a.png", "/"])
async def test_the_policy_holds_on_every_kind_of_route(server: Server, path):
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        status, answer = await server.get(path, headers=headers)
        assert (status, answer["error"]["type"]) == (403, "forbidden")
        assert (await server.post(path, {}, headers=headers))[0] in (403, 405)
    assert server.worker.jobs == []


async def test_every_answer_carries_its_protection(server: Server):
    for path in ("/", "/prompt", "/history", "/nothing", "/api/features"):
        async with server.session.get(server.url + path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["Server"] == "Heddle"
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_an_admitted_origin_may_read_and_preflight(start):
    server = await start(cors_origin="https://a.example")
    for method, path in (("GET", "/prompt"), ("GET", "/history"), ("OPTIONS", "/prompt")):
        async with server.session.request(method, server.url + path, headers={"Origin": "https://a.example"}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
            assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    async with server.session.options(server.url + "/prompt", headers={"Origin": "https://b.example"}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_browser_must_say_that_it_sends_json(server: Server):
    own = {"Origin": server.url, "Content-Type": "text/plain"}
    status, answer = await server.ask("POST", "/prompt", data='{"prompt": {}}', headers=own)
    assert (status, answer["error"]["type"]) == (415, "unsupported_media_type")
    status, _ = await server.ask("POST", "/interrupt", headers=own)
    assert status == 200
