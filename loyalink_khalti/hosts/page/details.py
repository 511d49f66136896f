"""Who orders and where it goes: what a customer types at the checkout, checked the same for pages and for the API."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from loyalink_khalti.errors import InvalidDetails
from loyalink_khalti.nepal import ascii_digits, nepali_mobile

from .site_settings import DeliveryOption

LONGEST = {"name": 200, "email": 254, "phone": 40, "address": 1000, "note": 1000}
"""The most characters of each field."""
_OTHER_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{5,30}")
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a customer has typed, and the code of the delivery option that they chose ("" for none)."""

    name: str = field(default="", repr=False)  # error pages print the variables of every frame
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    note: str = field(default="", repr=False)
    delivery: str = ""


def check(details: Details, *, delivery: DeliveryOption | None) -> Details:
    """Return the details as they are stored: without surrounding spaces, a mobile of Nepal as ``+9779…``.

    ``delivery`` is the chosen option, None for products that are not delivered. Raises ``InvalidDetails`` by field.
    """
    errors: dict[str, list[str]] = defaultdict(list)
    cleaned = {name: _text(getattr(details, name), keep_lines=name in {"address", "note"}) for name in LONGEST}
    for name, longest in LONGEST.items():
        if len(cleaned[name]) > longest:
            errors[name].append(_("This is too long: at most %(longest)s characters.") % {"longest": longest})
    if not cleaned["name"]:
        errors["name"].append(_("Please enter your name."))
    errors["email"] += _email_errors(cleaned["email"])
    mobile = nepali_mobile(cleaned["phone"])
    if mobile:
        cleaned["phone"] = f"+977{mobile}"
    elif cleaned["phone"] and not _OTHER_PHONE.fullmatch(ascii_digits(cleaned["phone"])):
        errors["phone"].append(_("Please enter a phone number, for example 9841234567."))
    if delivery is None:
        cleaned["address"] = ""
    else:
        if not cleaned["phone"]:
            errors["phone"].append(_("Please enter a phone number, so that the delivery reaches you."))
        if delivery.needs_address and not cleaned["address"]:
            errors["address"].append(_("Please enter the address for the delivery."))
    if found := {name: sentences for name, sentences in errors.items() if sentences}:
        raise InvalidDetails(found)
    return replace(details, **cleaned, delivery=delivery.code if delivery else "")


def choose_delivery(code: str, options: list[DeliveryOption]) -> DeliveryOption:
    """Return the chosen delivery option; the only one, if there is one alone. Raises ``InvalidDetails``."""
    chosen = next((option for option in options if option.code == code), None)
    if chosen is not None:
        return chosen
    if not code and len(options) == 1:
        return options[0]
    sentence = _("Please choose one of the delivery options.") if code else _("Please choose a delivery option.")
    raise InvalidDetails({"delivery": [sentence]})


def _text(value: Any, *, keep_lines: bool) -> str:
    """Return what was typed without surrounding spaces and without characters that no database stores."""
    text = str(value or "").encode("utf-8", "ignore").decode().replace("\0", "").strip()
    return text if keep_lines else _LINE_BREAKS.sub(" ", text)


def _email_errors(email: str) -> list[str]:
    if not email:
        return [_("Please enter your e-mail address: the receipt is sent there.")]
    try:
        validate_email(email)
    except ValidationError:
        return [_("Please enter an e-mail address like sita@example.com.")]
    return []


def from_mapping(given: Mapping[str, Any], **defaults: str) -> Details:
    """Return details from JSON; defaults take the place of what is empty. Raises ``InvalidDetails`` for no text."""
    values = {name: given.get(name) for name in (*LONGEST, "delivery")}
    wrong = {name: [_("This must be text.")] for name, value in values.items() if not isinstance(value, str | None)}
    if wrong:
        raise InvalidDetails(wrong)
    texts = {name: value for name, value in values.items() if value and value.strip()}
    return Details(**{**defaults, **texts})
