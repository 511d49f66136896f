"""All that is kept about one person, for them to take along."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti.flow import payers
from loyalink_khalti.staff import may
from loyalink_khalti.staff.told import as_json

from . import logged
from .view import MemberView


class ExportView(MemberView):
    """A download, written while it is read."""

    permission = may.EXPORT_MEMBERS
    page_title: Any = gettext_lazy("Export all that is kept")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.account.member_id is None:
            messages.error(request, _("This member was erased: nothing is kept about them any more."))
            return self.to_member()
        told = payers.told_of(payers.member(self.account.member_id))
        logged.write(self.account, logged.EXPORTED)
        response = StreamingHttpResponse(as_json(*told), content_type="application/json; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="member-{self.account.pk}.json"'
        response["X-Content-Type-Options"] = "nosniff"
        return response
