"""The merchant's secret key, in a type that nothing shows by accident."""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, NoReturn, Self

_NAMED = re.compile(r"([a-z]+_)(?:secret|public)_key_")
_LEAST_SHOWN = 16  # of a shorter key, the last four characters would be too much of it


class Secret:
    """Hold the key; only ``reveal`` gives it, everything else shows ``live_…b455``."""

    __slots__ = ("_mask", "_open", "fingerprint")

    _mask: str
    _open: Callable[[], str]
    fingerprint: str
    """8 hex digits by which two keys can be told apart in an audit."""

    def __init__(self, key: str) -> None:
        object.__setattr__(self, "_mask", "…")  # error pages show the half-made object too
        if fault := _fault(key):
            del key  # an error page prints the variables of this frame
            raise ValueError(f"the secret key {fault}")
        object.__setattr__(self, "_open", lambda: key)
        object.__setattr__(self, "_mask", _mask(key))
        digest = hmac.digest(b"loyalink-khalti:key-fingerprint", key.encode("ascii"), hashlib.sha256)
        object.__setattr__(self, "fingerprint", digest.hex()[:8])

    def reveal(self) -> str:
        """Give the key in the clear."""
        return self._open()

    # Django's templates call what they can reach, unless it says this.
    reveal.alters_data = True  # type: ignore[attr-defined]  # a function's own attribute

    def __str__(self) -> str:
        return self._mask

    def __repr__(self) -> str:
        return f"<Secret {self._mask}>"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self.reveal(), other.reveal()) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def _fault(key: object) -> str:
    """Say what is wrong with a key, in words that do not contain it; empty when nothing is."""
    if not isinstance(key, str):
        return "is not text"
    if not key:
        return "is empty"
    if not all("!" <= character <= "~" for character in key):
        return "has characters other than printable ASCII, or white space"
    return ""


def _mask(key: str) -> str:
    named = _NAMED.match(key)
    secret = key[named.end() :] if named else key
    return f"{named[1] if named else ''}…{secret[-4:] if len(secret) >= _LEAST_SHOWN else ''}"
