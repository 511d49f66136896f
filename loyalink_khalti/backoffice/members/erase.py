"""Forget who a member was; what is typed says that nobody does it by mistake."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti.errors import CannotErase, LedgerError
from loyalink_khalti.flow import payers
from loyalink_khalti.staff import may

from . import logged
from .view import MemberView


class EraseForm(forms.Form):
    """The member's e-mail address, or their number where the shop knows none."""

    typed = forms.CharField(max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["typed"].label = _("Type %(name)s to confirm") % {"name": name}

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        if typed.casefold() != self.name.casefold():
            raise forms.ValidationError(_("That is not %(name)s."), params={"name": self.name})
        return typed


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class EraseView(MemberView):
    """Nothing brings a person back who was erased."""

    template_name = "loyalink_khalti/backoffice/members/erase.html"
    permission = may.ERASE_MEMBERS
    page_title: Any = gettext_lazy("Erase the person")
    header_icon = "bin"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account.member_id is None:
            return self._was_erased()
        return self._form(EraseForm(name=self._name))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account.member_id is None:
            return self._was_erased()
        form = EraseForm(request.POST, name=self._name)
        if not form.is_valid():
            return self._form(form)
        try:
            erased = payers.erase(payers.member(self.account.member_id))
        except (CannotErase, LedgerError) as exc:
            form.add_error(None, _("Not yet: %(why)s. Nothing was changed.") % {"why": str(exc)})
            return self._form(form)
        logged.write(self.account, logged.ERASED, accounts=erased.accounts, purchases=erased.purchases)
        messages.success(request, _("Erased: nobody sees any more whose points and purchases these were."))
        return self.to_member()

    @property
    def _name(self) -> str:
        return self.person.email or self.account.member_id or ""

    def _was_erased(self) -> HttpResponse:
        messages.warning(self.request, _("This member was erased before; nothing was changed."))
        return self.to_member()

    def _form(self, form: EraseForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))
