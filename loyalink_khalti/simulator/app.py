"""The WSGI application: the API, the hosted page and the tester's panel under one roof."""

import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from . import api, hosted, panel, panel_api
from .desk import Desk
from .web import BadRequest, Request, Response

logger = logging.getLogger(__name__)


class App:
    """A plain WSGI application over one ``Desk``."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._respond(environ).send(environ, start_response, self.desk.closing)

    def _respond(self, environ: WSGIEnvironment) -> Response:
        try:
            return route(self.desk, Request.read(environ))
        except BadRequest as bad:
            return Response.json({"detail": str(bad)}, status=bad.status)
        except Exception:
            if self.desk.closing.is_set():  # the books are closed already
                return Response(status=503)
            logger.exception("%s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            return Response.json({"detail": "The simulator itself has failed; see its log."}, status=500)


def route(desk: Desk, request: Request) -> Response:
    """Find who answers."""
    path = request.path
    if path == "/healthz":
        return Response(body=b"ok\n", headers=(("Content-Type", "text/plain"),))
    if path.startswith("/api/"):
        return api.answer(desk, request)
    if path.startswith("/panel/api/"):
        return panel_api.answer(desk, request)
    if path in {"/panel", "/panel/"}:
        return panel.answer(desk, request)
    if path in {"/", "/wallet", "/wallet/", "/sct", "/sct/"}:
        return hosted.answer(desk, request)
    return hosted.nothing_here()
