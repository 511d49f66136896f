"""Requests as an ASGI server makes them."""

import asyncio
from collections.abc import Callable

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application


def serve(path: str, *, leave: Callable[[], object] | None = None, **headers: str) -> None:
    """Request a page, and wait until the server has closed the response.

    With ``leave`` the browser leaves once this has returned, which runs while the page is made.
    """
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
        if leave is not None:
            await asyncio.to_thread(leave)
            await server.send_input({"type": "http.disconnect"})
        await server.wait()

    async_to_sync(request)()
