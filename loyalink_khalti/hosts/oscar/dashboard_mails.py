"""The e-mails about an order on its page in Oscar's dashboard. What is done is in ``staff.mails``."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from loyalink_khalti.staff import mails

from . import orders


class MailsMixin:
    """For Oscar's ``OrderDetailView``: the tab with the mails to the customer. A partner's staff have none."""

    request: Any
    object: Any

    def send_mail_again(self, request: HttpRequest, order: Any) -> HttpResponse:
        user: Any = request.user
        purchase = orders.purchase_of(order)
        if purchase is None or not user.is_staff or not mails.may_send(user):
            raise PermissionDenied
        level, text = mails.send_again(purchase, request.POST.get("mail", ""), user=user)
        if level == "success":
            order.notes.create(user=user, note_type="System", message=text)
        messages.add_message(request, getattr(messages, level.upper()), text)
        return cast(HttpResponse, self.reload_page(fragment="mails"))  # type: ignore[attr-defined]  # Oscar's

    def mails_context(self) -> dict[str, Any]:
        """Return the context of the tab, empty for an order without mails of ours."""
        user = self.request.user
        purchase = orders.purchase_of(self.object)
        return {"mails": mails.mail_rows(purchase, user)} if user.is_staff else {}
