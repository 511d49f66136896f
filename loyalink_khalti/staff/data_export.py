"""Downloads that are streamed, also under ASGI; the personal data of one person as a JSON document."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from textwrap import indent
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

PARTS = 200
"""Parts of a stream, such as rows, that are sent together under ASGI."""


def streamed(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let an ASGI server send a stream as it is made: without this Django would read all of it first, and warn."""
    stream: Any = response
    if isinstance(request, ASGIRequest) and response.streaming and not stream.is_async:
        stream.streaming_content = _in_its_thread(iter(stream.streaming_content))


async def _in_its_thread(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what the thread of the request makes, whose connection to the database it needs."""
    read = sync_to_async(lambda: b"".join(islice(parts, PARTS)))
    while some := await read():
        yield some


def stream_json(head: dict[str, Any], purchases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one JSON object in parts: the items of ``head``, and ``purchases`` as a list that may be very long."""
    yield _json(head).removesuffix("\n}") + ',\n  "purchases": ['
    comma = ""
    for purchase in purchases:
        yield f"{comma}\n{indent(_json(purchase), ' ' * 4)}"
        comma = ","
    yield "\n  ]\n}\n" if comma else "]\n}\n"


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)
