"""Requests as an ASGI server makes them."""

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application


def serve(path: str, **headers: str) -> None:
    """Request a page, and wait until the server has closed the response."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1",
    }

    async def request() -> None:
        server = ApplicationCommunicator(get_asgi_application(), scope)
        await server.send_input({"type": "http.request", "body": b""})
        await server.wait()

    async_to_sync(request)()
