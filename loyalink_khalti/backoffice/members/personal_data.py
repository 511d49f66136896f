"""A member's personal data: export it as JSON, or erase it."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotEraseData, LedgerError, SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.data_export import stream_json, streamed

from . import log
from .base import MemberView
from .queries import contact_of, display_name


class ExportView(MemberView):
    """Stream everything that is stored about one person, as a JSON download."""

    permission = permissions.EXPORT_MEMBERS
    page_title: Any = gettext_lazy("Export personal data")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.account.member_id is None:
            messages.error(request, _("The personal data of this member was erased. There is nothing to export."))
            return self.redirect_to_member()
        data = flow.export_personal_data(flow.member_subject(self.account.member_id))
        log.record(self.account, log.MEMBER_EXPORTED)
        response = StreamingHttpResponse(stream_json(*data), content_type="application/json; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="member-{self.account.pk}.json"'
        response["X-Content-Type-Options"] = "nosniff"
        streamed(request, response)
        return response


class EraseForm(forms.Form):
    """Confirm an erasure by typing the member's e-mail address, or the member's number if there is no address."""

    confirmation = forms.CharField(max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirmation"].label = _("Type %(name)s to confirm") % {"name": name}

    def clean_confirmation(self) -> str:
        typed = str(self.cleaned_data["confirmation"])
        if typed.casefold() != self.name.casefold():
            raise forms.ValidationError(_("This does not match %(name)s."), params={"name": self.name})
        return typed


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class EraseView(MemberView):
    """Erase personal data after a typed confirmation. It cannot be undone."""

    template_name = "loyalink_khalti/backoffice/members/erase.html"
    permission = permissions.ERASE_MEMBERS
    page_title: Any = gettext_lazy("Erase personal data")
    header_icon = "bin"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account.member_id is None:
            return self._already_erased()
        return self._render(EraseForm(name=self._name))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account.member_id is None:
            return self._already_erased()
        form = EraseForm(request.POST, name=self._name)
        if not form.is_valid():
            return self._render(form)
        try:
            subject = flow.member_subject(self.account.member_id)
            erased = flow.erase_personal_data(subject, actor=str(request.user.pk))
        except SelfDealing as exc:
            form.add_error(None, str(exc))
            return self._render(form)
        except (CannotEraseData, LedgerError) as exc:
            form.add_error(None, _("This is not possible yet: %(reason)s. Nothing was changed.") % {"reason": exc})
            return self._render(form)
        log.record(self.account, log.ERASED, accounts=erased.accounts, purchases=erased.purchases)
        messages.success(request, _("The personal data is erased and the points are written off."))
        return self.redirect_to_member()

    @property
    def _name(self) -> str:
        return self.contact.email or self.account.member_id or ""

    def _already_erased(self) -> HttpResponse:
        messages.warning(self.request, _("The personal data of this member was already erased. Nothing was changed."))
        return self.redirect_to_member()

    def _render(self, form: EraseForm) -> HttpResponse:
        preview = ledger.preview_erasure(self.account)
        reopened = [{"display_name": self._name_of(account), "points": points} for account, points in preview.reopened]
        erasure = {"points": preview.points, "owed": preview.owed, "reopened": reopened}
        return self.render_to_response(self.get_context_data(form=form, erasure=erasure))

    def _name_of(self, account: Account) -> str:
        return display_name(account, contact_of(account))
