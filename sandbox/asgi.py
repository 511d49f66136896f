"""The store for any ASGI server, with its static and media files."""

import os
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from django.conf import settings
from django.core.asgi import get_asgi_application
from whitenoise import WhiteNoise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
os.environ.setdefault("CONN_MAX_AGE", "0")  # each request has a thread of its own, which no other one uses again

shop = get_asgi_application()


def _not_found(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"not found\n"]


# Media files change while the store runs (thumbnails, uploads): each is looked up on request.
_files = WhiteNoise(_not_found, autorefresh=True)
_files.add_files(settings.MEDIA_ROOT, prefix=settings.MEDIA_URL.removeprefix(settings.SITE_PATH))
media = WsgiToAsgi(_files)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer one connection of the server."""
    is_media = scope["type"] == "http" and scope["path"].startswith(settings.MEDIA_URL)
    await (media if is_media else shop)(scope, receive, send)
