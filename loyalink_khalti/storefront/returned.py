"""What a return from Khalti's page claims: its pidx, and the order id. Nothing else of the query is kept or shown.

The pidx is what Khalti's own ids look like, or the claim does not count. It is asked about by the reconciler alone.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from django.http import HttpRequest

PIDX = re.compile(r"[0-9A-Za-z_-]{16,64}")
"""Every pidx seen so far has 22 letters and digits: https://docs.khalti.com/khalti-epayment/#success-response."""
ORDER_ID = re.compile(r"[^\W_][\w .:#/-]{0,63}")
"""An order id with anything else, or a longer one, is not kept at all."""
LONGEST_QUERY = 4096
"""Characters; what Khalti appends has about 400."""
MOST_FIELDS = 40
_ATTRIBUTE = "_loyalink_returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The claim of a return; both are the browser's words."""

    pidx: str
    order_id: str


def remember_claim(request: HttpRequest, query: str) -> None:
    """Keep the claim of a query that is about to be dropped."""
    setattr(request, _ATTRIBUTE, read_claim(query))


def claim_of(request: HttpRequest) -> Returned | None:
    """Return the claim of a request, whether its query was dropped before or not; None without a well-formed one."""
    remembered: Returned | None = getattr(request, _ATTRIBUTE, None)
    return remembered or read_claim(request.META.get("QUERY_STRING", ""))


def read_claim(query: str) -> Returned | None:
    """Return the claim of a query string; None where it has no well-formed pidx, or two."""
    if not query or len(query) > LONGEST_QUERY:
        return None
    try:
        fields = parse_qsl(query, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # too many fields, or bytes that are no text
        return None
    found = [value for name, value in fields if name == "pidx"]
    if len(set(found)) != 1 or not PIDX.fullmatch(found[0]):
        return None
    orders = [value for name, value in fields if name == "purchase_order_id" and ORDER_ID.fullmatch(value)]
    return Returned(pidx=found[0], order_id=orders[0] if len(orders) == 1 else "")
