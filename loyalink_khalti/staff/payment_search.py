"""Find payments by one of Khalti's ids, as staff paste them into a list's search."""

import re

from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment

_KHALTI_ID = re.compile(r"[A-Za-z0-9_-]{16,128}")
"""A pidx or transaction id; those of Khalti have some 22 letters and digits."""
_MOST = 10


def payments_with_id(query: str) -> list[int]:
    """Return the pks of the payments with this pidx or transaction id, at most 10; each column has its own index."""
    if not _KHALTI_ID.fullmatch(query):
        return []
    ids = Q(pidx=query) | Q(environment__in=[conf.TEST, conf.LIVE], transaction_id=query)
    return list(Payment.objects.filter(ids).values_list("pk", flat=True)[:_MOST])
