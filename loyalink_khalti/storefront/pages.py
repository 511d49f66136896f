"""What the pages of one payment share: how it is found, and where its customer goes next."""

from urllib.parse import urlencode

from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment, of_return_address
from loyalink_khalti.ports import Outcome
from loyalink_khalti.token_pages import TokenView, UnknownToken

UNRESOLVED = frozenset({Outcome.CONFIRMING, Outcome.FLAGGED})
"""Outcomes that only the status page shows; a shop has no page for them."""


class PaymentView(TokenView):
    """A page of one payment, found by its token, in the language in which the customer has bought.

    Our addresses have no language, so a browser that prefers another one would change it on the return from Khalti,
    and the shop's page after it (``i18n_patterns``) as well.
    """

    http_method_names: tuple[str, ...] = ("get", "options")
    referrer_policy = "no-referrer"

    def payment(self, token: str) -> Payment:
        """Return the payment with its purchase, whose language applies. Raises `UnknownToken` if there is none."""
        try:
            payment = Payment.load_by_token(token)
        except Payment.DoesNotExist as exc:
            raise UnknownToken from exc
        translation.activate(conf.language(payment.purchase.language))
        return payment


@method_decorator(csrf_exempt, name="dispatch")  # so that a POST gets 405 and not 403; it changes nothing
class ReadOnlyPaymentView(PaymentView):
    """A page of one payment that answers to GET alone."""


class AppRedirect(HttpResponseRedirect):
    """A redirect to an address of an app, of whatever scheme: `address_in_app` returns those of the settings alone."""

    def __init__(self, address: str) -> None:
        self.allowed_schemes = [conf.scheme_of(address)]
        super().__init__(address)


def address_in_app(payment: Payment, outcome: Outcome) -> str:
    """Return the address of the app that began the payment, with its token and the outcome and nothing else.

    "" where no app did, where the settings do not allow its address any more, and where the status page has to say
    what the app cannot know: money has come back for a payment that failed.
    """
    address = payment.return_to
    if not address or not conf.is_return_address(address) or returned_without_record(payment, outcome):
        return ""
    return f"{address}?{urlencode({'token': payment.token, 'outcome': outcome.value})}"


def next_page(payment: Payment, outcome: Outcome) -> str:
    """Return the shop's own page for this outcome, or the receipt if it has none."""
    return shop_page(payment, outcome) or reverse("loyalink_khalti:status", args=[payment.token])


def shop_page(payment: Payment, outcome: Outcome) -> str:
    """Return the path of the shop's page for this outcome, "" if the status page shows it."""
    if outcome in UNRESOLVED or not payment.purchase.shop or returned_without_record(payment, outcome):
        return ""
    return conf.shop(payment.purchase.shop).customer_page(payment.purchase.ref, outcome, payment.token)


def returned_without_record(payment: Payment, outcome: Outcome) -> UnmatchedPayment | None:
    """Return what came back for a payment that failed because Khalti's answer was lost: it may be its money."""
    if outcome is not Outcome.FAILED or payment.pidx is not None:
        return None
    return of_return_address(payment)
