"""`/login`: the token, or the link of a start, for a cookie. Besides `/health` the only route without a token."""

from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from server.access import Access
from server.described import HTML, described, text
from server.errors import ApiError
from server.keys import ACCESS
from server.middleware import address_of
from server.wire import read_body, threaded

_MOST: Final = 4096
"""Bytes of a form, which is read from whoever asks."""

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Heddle: access</title></head><body>
<h1>This Heddle needs its access token</h1>
<p>It is in the file <code>heddle.token</code> in the user folder of the machine that Heddle runs on.</p>
<form method="post" action="/login"><label>Token <input name="token" type="password" autocomplete="off" autofocus>
</label> <button>Open the editor</button></form>
</body></html>
"""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.get("/login", threaded(get_login), allow_head=False), web.post("/login", post_login)]


@described(query={"token": text("the code of the link that the server printed at its start")}, answers={200: HTML})
def get_login(request: web.Request) -> web.StreamResponse:
    """Exchange the link of a start for a cookie, and go to the editor; without a link, a page that asks for the token.

    The link works once, and the page that follows has an address without it.
    """
    access = request.app[ACCESS]
    code = request.query.get("token")
    if not access.asked or (code is not None and access.exchange(code)):
        return _entered(request, access)
    return web.Response(text=_PAGE, content_type="text/html")


@described(
    body="application/x-www-form-urlencoded",
    fields={"token": text("the access token")},
    required=("token",),
    answers={303: None},
)
async def post_login(request: web.Request) -> web.StreamResponse:
    """Exchange the token for a cookie, and go to the editor."""
    access = request.app[ACCESS]
    form = parse_qs((await read_body(request, _MOST)).decode(errors="replace"))
    refused = access.verdict(form.get("token", [""])[0].strip(), None, address_of(request))
    if refused is not None:
        raise ApiError(refused.status, "unauthorized", refused.message)
    return _entered(request, access)


def _entered(request: web.Request, access: Access) -> web.Response:
    answer = web.Response(status=303, headers={"Location": "/"})
    if access.asked:
        answer.set_cookie(
            access.cookie_name,
            access.cookie,
            max_age=30 * 24 * 3600,
            secure=request.secure,
            httponly=True,
            samesite="Strict",
        )
    return answer
