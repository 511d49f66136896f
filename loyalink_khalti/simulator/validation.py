"""Validation of initiate, with Khalti's messages, in the field order of Django REST Framework.

https://docs.khalti.com/khalti-epayment/#error-responses
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .payment import BANK_MODES

BLANK = "This field may not be blank."
REQUIRED = "This field is required."
NULL = "This field may not be null."
NOT_INTEGER = "A valid integer is required."
TOO_LOW = "Amount should be greater than Rs. 10, that is 1000 paisa."
TOO_LOW_FOR_BANKS = "Amount should be greater than Rs. 100, that is 10000 paisa."
MISMATCH = "Amount Breakdown mismatch."
NOT_URL = "Enter a valid URL."
NOT_STRING = "Not a valid string."

_HOST_NAME = re.compile(
    r"(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]|([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]\.?)",
    re.IGNORECASE,
)
_EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")


class Refused(Exception):
    """The request is invalid: HTTP 400 with this body."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__(str(errors))
        # The only logged body of a blank customer name has no error_key.
        self.body = dict(errors) if list(errors) == ["customer_info"] else {**errors, "error_key": "validation_error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiateRequest:
    """A valid initiate request; ``amount`` in paisa, ``ttl`` in seconds."""

    return_url: str
    website_url: str
    amount: int
    purchase_order_id: str
    purchase_order_name: str
    bank: bool
    ttl: int | None
    merchant: dict[str, str]


def parse_initiate(body: Mapping[str, Any]) -> InitiateRequest:
    """Return the valid request. Raises ``Refused`` with the errors of all fields, then of the fields together."""
    clean, errors = _clean(body)
    if errors:
        raise Refused(errors)
    breakdown = clean.pop("amount_breakdown", [])
    if breakdown and sum(breakdown) != clean["amount"]:
        raise Refused({"amount": [MISMATCH]})
    modes = clean.pop("modes", [])
    bank = bool(modes) and BANK_MODES.issuperset(modes)
    if bank and clean["amount"] < 10_000:
        raise Refused({"amount": [TOO_LOW_FOR_BANKS]})
    ttl = clean.pop("ttl", None)
    return InitiateRequest(bank=bank, ttl=ttl, merchant=_merchant(body), **clean)


def _clean(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    clean: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, (check, required) in _FIELDS.items():
        if name not in body:
            if required:
                errors[name] = [REQUIRED]
            continue
        try:
            value = check(body[name])
        except _Invalid as exc:
            errors[name] = exc.errors
        else:
            if name not in {"customer_info", "product_details"}:  # validated, and not stored
                clean[name] = value
    return clean, errors


def integer(value: Any) -> int:
    """Return an integer from an integer or a string of digits. Raises ``_Invalid`` for a decimal."""
    if value is None:
        raise _Invalid([NULL])
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
        number = int(value)
    else:
        raise _Invalid([NOT_INTEGER])
    if abs(number) >= 10**18:
        raise _Invalid([NOT_INTEGER])
    return number


def string(value: Any) -> str:
    """Return a text that is not blank. Raises ``_Invalid``."""
    if value is None:
        raise _Invalid([NULL])
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Invalid([NOT_STRING])
    text = str(value).strip()
    if not text:
        raise _Invalid([BLANK])
    if "\0" in text:
        raise _Invalid(["Null characters are not allowed."])
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _Invalid([NOT_STRING])
    return text


def checked(name: str, value: Any, check: Callable[[Any], Any]) -> Any:
    """Return one validated field of any request. Raises ``Refused``."""
    try:
        return check(value)
    except _Invalid as exc:
        raise Refused({name: exc.errors}) from None


class _Invalid(Exception):
    def __init__(self, errors: Any) -> None:
        super().__init__(errors)
        self.errors = errors


def _url(value: Any) -> str:
    text = string(value)
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        port = parts.port
    except ValueError:
        raise _Invalid([NOT_URL]) from None
    name = host if port is None else host[: host.rindex(":")]
    if (
        parts.scheme not in {"http", "https"}
        or not _HOST_NAME.fullmatch(name)
        or re.search(r"[\s\x00-\x1f\x7f]", text)
    ):
        raise _Invalid([NOT_URL])
    return text


def _amount(value: Any) -> int:
    amount = integer(value)
    if amount < 1000:
        raise _Invalid([TOO_LOW])
    return amount


def _customer(value: Any) -> None:
    customer = _object(value)
    errors = {}
    for name in ("name", "email", "phone"):
        if name not in customer:
            continue
        try:
            text = string(customer[name])
            if name == "email" and not _EMAIL_ADDRESS.fullmatch(text):
                raise _Invalid(["Enter a valid email address."])
        except _Invalid as exc:
            errors[name] = [REQUIRED] if name == "name" and exc.errors == [BLANK] else exc.errors
    if errors:
        raise _Invalid(errors)


def _breakdown(value: Any) -> list[int]:
    amounts, errors = [], []
    for line in _list(value):
        invalid: dict[str, Any] = {}
        line = _object(line)
        for name, check in (("label", string), ("amount", integer)):
            try:
                if name not in line:
                    raise _Invalid([REQUIRED])
                checked_value = check(line[name])
            except _Invalid as exc:
                invalid[name] = exc.errors
            else:
                if name == "amount":
                    amounts.append(int(checked_value))
        errors.append(invalid)
    if any(errors):
        raise _Invalid(errors)
    return amounts


def _products(value: Any) -> None:
    for line in _list(value):
        _object(line)


def _modes(value: Any) -> list[str]:
    return [string(mode) for mode in _list(value)]


def _ttl(value: Any) -> int:
    seconds = integer(value)
    if not 0 < seconds <= 10**7:
        raise _Invalid(["Ensure this value is greater than or equal to 1."])
    return seconds


def _list(value: Any) -> list[Any]:
    if value is None:
        raise _Invalid([NULL])
    if not isinstance(value, list):
        raise _Invalid([f'Expected a list of items but got type "{type(value).__name__}".'])
    return value


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        raise _Invalid([NULL])
    if not isinstance(value, dict):
        raise _Invalid({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {type(value).__name__}."]})
    return value


def _merchant(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that begin with ``merchant_``; the callback echoes them."""
    return {
        name: (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace").decode()
        for name, value in body.items()
        if name.startswith("merchant_")
    }


_FIELDS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "return_url": (_url, True),
    "website_url": (_url, True),
    "amount": (_amount, True),
    "purchase_order_id": (string, True),
    "purchase_order_name": (string, True),
    "customer_info": (_customer, False),
    "amount_breakdown": (_breakdown, False),
    "product_details": (_products, False),
    "modes": (_modes, False),
    "ttl": (_ttl, False),
}
