"""The personal data of one person as a JSON document, streamed."""

import json
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Any


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
