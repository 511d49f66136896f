"""One HTTP answer, bounded: its body read as strict JSON, its Retry-After as seconds."""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from loyalink_khalti.errors import KhaltiUnreadable

DEEPEST = 20
LONGEST_NUMBER = 20  # digits
LONGEST_WAIT = 3600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole and in time; ``content`` is None when it was longer than allowed."""

    status_code: int
    content: bytes | None = field(repr=False)
    retry_after: float | None = None

    @property
    def body(self) -> Mapping[str, Any]:
        """Read the body as one JSON object; ``KhaltiUnreadable`` if it is not, strictly, one."""
        if self.content is None:
            raise KhaltiUnreadable(f"{self.status_code} with too long a body")
        body = _parse(self.content)
        if body is None:
            raise KhaltiUnreadable(f"{self.status_code} with a body that is not a plain JSON object")
        return body


def decoded(content: bytes, *, coding: str, max_bytes: int) -> bytes | None:
    """Undo gzip or deflate; None when the outcome is too long, ``ValueError`` when it is cut or of another coding."""
    if coding.strip().lower() in {"", "identity"}:
        return content if len(content) <= max_bytes else None
    if coding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError("unknown content coding")
    inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
    try:
        plain = inflate.decompress(content, max_bytes + 1)
    except zlib.error as exc:
        raise ValueError("broken content coding") from exc
    if len(plain) > max_bytes:
        return None
    if not inflate.eof or inflate.unused_data:
        raise ValueError("cut content coding")
    return plain


def seconds_to_wait(retry_after: str, *, date: str) -> float | None:
    """Read Retry-After, seconds or an HTTP date (counted from the answer's own Date), up to an hour."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), LONGEST_WAIT)
    until, now = _moment(retry_after), _moment(date) or datetime.now(UTC)
    return None if until is None else min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_int=_integer,
        )
        return body if isinstance(body, dict) and _is_plain(body) else None
    except (ValueError, RecursionError):  # no `from`: the frames below hold the body
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key comes twice")
    return members


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("too long a number")
    return int(digits)


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is shallow and can be stored anywhere: no infinity, no NUL, no half of a surrogate pair."""
    if depth > DEEPEST:
        return False
    if isinstance(value, str):
        return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(member, depth + 1) for key, member in value.items())
    if isinstance(value, list):
        return all(_is_plain(member, depth + 1) for member in value)
    return True
