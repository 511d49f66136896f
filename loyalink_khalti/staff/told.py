"""What is told of a person, written as JSON while it is read."""

import json
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Any


def as_json(head: dict[str, Any], purchases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One JSON object: the head, and ``purchases`` one after the other."""
    yield _json(head).removesuffix("\n}") + ',\n  "purchases": ['
    comma = ""
    for purchase in purchases:
        yield f"{comma}\n{indent(_json(purchase), ' ' * 4)}"
        comma = ","
    yield "\n  ]\n}\n" if comma else "]\n}\n"


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=2)
