"""Pages asked for as an ASGI server asks for them."""

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application


def served(name: str, **headers: str) -> None:
    """Ask for a page, and wait until the server has closed it."""
    asked = {
        "type": "http",
        "method": "GET",
        "path": name,
        "query_string": b"",
        "headers": [(header.replace("_", "-").encode(), words.encode()) for header, words in headers.items()],
        "http_version": "1.1",
    }

    async def serve() -> None:
        server = ApplicationCommunicator(get_asgi_application(), asked)
        await server.send_input({"type": "http.request", "body": b""})
        await server.wait()

    async_to_sync(serve)()
