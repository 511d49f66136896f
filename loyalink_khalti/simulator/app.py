"""The WSGI application: it routes to the API, the hosted page and the tester's panel."""

import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from . import api, hosted_page, panel, panel_api
from .service import KhaltiService
from .web import BadRequest, Request, Response

logger = logging.getLogger(__name__)


class App:
    """A plain WSGI application over one ``KhaltiService``."""

    def __init__(self, service: KhaltiService) -> None:
        self.service = service

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._respond(environ).send(environ, start_response, self.service.closing)

    def _respond(self, environ: WSGIEnvironment) -> Response:
        try:
            return route(self.service, Request.read(environ))
        except BadRequest as bad:
            return Response.json({"detail": str(bad)}, status=bad.status)
        except Exception:
            if self.service.closing.is_set():  # the database is closed already
                return Response(status=503)
            logger.exception("%s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            return Response.json({"detail": "The simulator failed; see its log."}, status=500)


def route(service: KhaltiService, request: Request) -> Response:
    """Return the response of the page or endpoint at this path."""
    path = request.path
    if path == "/healthz":
        return Response(body=b"ok\n", headers=(("Content-Type", "text/plain"),))
    if path.startswith("/api/"):
        return api.answer(service, request)
    if path.startswith("/panel/api/"):
        return panel_api.answer(service, request)
    if path in {"/panel", "/panel/"}:
        return panel.answer(service, request)
    if path in {"/", "/wallet", "/wallet/", "/sct", "/sct/"}:
        return hosted_page.answer(service, request)
    return hosted_page.not_found()
