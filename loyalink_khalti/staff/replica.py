"""Lists and reports that are read from a replica, which may be behind, and say how old they are."""

import logging
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.databases import age, each_reading_from, reading_from
from loyalink_khalti.errors import safe_trace

log = logging.getLogger(__name__)

NOTEWORTHY = timedelta(minutes=1)
"""An age below it is not shown."""


class ReadsReplica:
    """A page of Wagtail's admin that is read from ``REPORTS_DATABASE`` where there is one.

    Where the replica cannot be read, or lacks a migration, the page is read from the shop's own database
    and says so. A page of a single payment, member or order is never read from it.
    """

    reads_replica = False
    """Whether old rows do: a list of what staff are to do next must be current."""
    permission: str
    age_note: str = ""
    """How old the rows are, for the page; "" where they are current."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_apart = self.reads_replica and request.method == "GET" and not connection.in_atomic_block  # ATOMIC_REQUESTS
        replica = conf.get("REPORTS_DATABASE") if is_apart else None
        page: Any = super()
        if not replica or not self.has_permission(self.permission):  # type: ignore[attr-defined]  # of the view
            return page.dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]
        before = dict(self.__dict__)
        try:
            self.age_note = _age_note(age(replica))
            with reading_from(replica):
                response: HttpResponse = page.dispatch(request, *args, **kwargs)
        except (DatabaseError, InterfaceError) as exc:
            log.warning("the replica %r cannot be read, so the shop's own database is: %s", replica, safe_trace(exc))
            self.__dict__ = before  # without what was read so far
            self.age_note = _("The replica for reports cannot be read at the moment: these figures are current.")
            return page.dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]
        if response.streaming:
            response.streaming_content = each_reading_from(replica, response.streaming_content)  # type: ignore[attr-defined]
        return response


def _age_note(behind: timedelta | None) -> str:
    if behind is None:
        return _("These figures are read from a replica, which does not say how old they are.")
    if behind < NOTEWORTHY:
        return ""
    now = timezone.now()
    return _("These figures are %(age)s old: the replica that they are read from is behind.") % {
        "age": timesince(now - behind, now)
    }
