"""A guest finds an order by its number and the e-mail address or phone number that was given with it.

Whether there is an order with a number is never said, and all attempts count, right and wrong ones: the limits cannot
be used to guess the phone number of an order.
"""

from abc import abstractmethod
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import View
from limits import RateLimitItemPerHour, RateLimitItemPerMinute

from loyalink_khalti import conf
from loyalink_khalti.nepal import ascii_digits, nepali_mobile

PER_MINUTE = 10
"""How often one network may look for an order."""
PER_HOUR_AND_ORDER = 20
"""How often all networks together may look for the order with one number."""


class FindOrderForm(forms.Form):
    """The number of an order, and the e-mail address or the phone number that was given with it."""

    number = forms.CharField(
        label=gettext_lazy("Order number"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Enter the number of your order. It is in the mail that we sent.")},
    )
    contact = forms.CharField(
        label=gettext_lazy("E-mail or phone"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "email", "autocapitalize": "none"}),
        error_messages={"required": gettext_lazy("Enter the e-mail address or the phone number of your order.")},
    )


class PrivatePage(View):
    """A page of one customer: no cache keeps it, no search engine lists it, no link that leaves it names it."""

    http_method_names: tuple[str, ...] = ("get", "head", "options")

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response


class FindOrderView(PrivatePage):
    """The form, and the way to the order. One subclass for each host that has an order page for guests."""

    http_method_names = ("get", "head", "post", "options")
    template_name: ClassVar[str]

    @abstractmethod
    def find(self, number: str, contact: str) -> Any:
        """Return the placed order with this number, as typed, if ``contact`` is its own (`is_contact_of`); or None."""

    @abstractmethod
    def found(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Let this browser session open the order's page, and lead there."""

    def get(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(request, FindOrderForm(auto_id="lk-%s"))

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = FindOrderForm(request.POST, auto_id="lk-%s")
        if not form.is_valid():
            return self._page(request, form, status=422)
        number, contact = form.cleaned_data["number"], form.cleaned_data["contact"]
        if wait := seconds_to_wait(request, number):
            form.add_error(None, _("Too many attempts. Please try again later, or open the link in your mail."))
            response = self._page(request, form, status=429)
            response["Retry-After"] = str(wait)
            return response
        order = self.find(number, contact)
        if order is None:
            form.add_error(None, _("We found no order with this number and this e-mail address or phone number."))
            return self._page(request, form, status=422)
        return self.found(request, order)

    def _page(self, request: HttpRequest, form: FindOrderForm, *, status: int = 200) -> HttpResponse:
        return render(request, self.template_name, {"form": form}, status=status)


def seconds_to_wait(request: HttpRequest, number: str) -> int:
    """Count an attempt to find an order. Return 0 if it may be answered, otherwise the seconds to wait."""
    network = conf.client_network(request) or str(request.META.get("REMOTE_ADDR", ""))
    by_network = conf.seconds_to_wait(RateLimitItemPerMinute(PER_MINUTE), "order look-up", network)
    typed = typed_number(number).upper()
    return max(by_network, conf.seconds_to_wait(RateLimitItemPerHour(PER_HOUR_AND_ORDER), "order look-up", typed))


def typed_number(typed: str) -> str:
    """Return the number of an order as it may be stored: without spaces, Devanagari digits as Latin ones."""
    return "".join(ascii_digits(typed).replace("\0", "").split())[:100]


def is_contact_of(typed: str, *known: str) -> bool:
    """Return whether what was typed is one of an order's e-mail addresses and phone numbers, however it is written."""
    wanted = _contact(typed)
    fits = [bool(each) and constant_time_compare(each, wanted) for each in map(_contact, known)]
    return any(fits)


def _contact(typed: str) -> str:
    """Return an e-mail address or a phone number in the form in which two are compared, "" for neither."""
    text = typed.strip()
    if "@" in text:
        return text.casefold()
    return nepali_mobile(text) or "".join(each for each in ascii_digits(text) if each.isdigit() and each.isascii())
