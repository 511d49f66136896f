"""Reads the body of a request: JSON of a bounded size, with nothing in it that a database cannot store."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from .problems import Kind, Problem

LARGEST = 256 * 1024
"""bytes"""
DEEPEST = 20
"""How many lists and objects may be in each other."""


def read_body(request: HttpRequest) -> Mapping[str, Any]:
    """Return the JSON object in the body. Raises ``Problem``: too large, not JSON, no object, no usable text."""
    if request.content_type != "application/json":
        raise Problem(Kind.NOT_JSON_TYPE)
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST or len(request.body) > LARGEST:
            raise Problem(Kind.TOO_LARGE)
        text = request.body.decode("utf-8")
    except RequestDataTooBig as exc:
        raise Problem(Kind.TOO_LARGE) from exc
    except (UnicodeDecodeError, UnreadablePostError) as exc:
        raise Problem(Kind.NOT_JSON) from exc
    body = _parse(text)
    if not isinstance(body, dict):
        raise invalid("#", "The body must be a JSON object.")
    _check(body, "#", depth=0)
    return body


def invalid(pointer: str, detail: str) -> Problem:
    """Return the problem of one value in the body, by its JSON pointer."""
    return Problem(Kind.INVALID_REQUEST, errors=[{"pointer": pointer, "detail": detail}])


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as exc:  # a number of 5000 digits is a ValueError, too
        raise Problem(Kind.NOT_JSON) from exc


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. One with the same key twice means what its sender did not look at."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _check(value: Any, pointer: str, *, depth: int) -> None:
    if depth > DEEPEST:
        raise invalid("#", f"Lists and objects may be nested {DEEPEST} deep.")
    if isinstance(value, str):
        if "\x00" in value or not _is_unicode(value):
            raise invalid(pointer, "The text has a character that cannot be stored.")
    elif isinstance(value, dict):
        for name, each in value.items():
            _check(name, pointer, depth=depth)
            _check(each, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", depth=depth + 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _check(each, f"{pointer}/{index}", depth=depth + 1)


def _is_unicode(text: str) -> bool:
    """Return whether the text has no half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
