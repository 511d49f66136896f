"""Answer a Flag in Wagtail: what may be decided, each with what it means, and a reason that is kept."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.backoffice.guard import refused
from loyalink_khalti.errors import CannotDecide, CannotRefund, RefundBeyondLimit
from loyalink_khalti.flow import Decision
from loyalink_khalti.money import Paisa, npr, paisa
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.ports import Private
from loyalink_khalti.staff import may, refunding
from loyalink_khalti.staff.words import DECISIONS, evidence, standing

from .page import OfPayment

DECIDED = "loyalink_khalti.decide"
"""Log action."""


class DecisionForm(forms.Form):
    """One of what may be decided, and why; sums and a number where a decision asks for them."""

    decision = forms.ChoiceField(label=gettext_lazy("What is to be done"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("A sentence for whoever reads this next year. Kept for good, with your name."),
        error_messages={"required": gettext_lazy("Say why: whoever reads this next year will want to know.")},
    )
    cash = forms.DecimalField(
        label=gettext_lazy("How much went back, in rupees"),
        help_text=gettext_lazy("As Khalti's dashboard shows it."),
        required=False, min_value=0, max_digits=12, decimal_places=2,
    )  # fmt: skip
    shipping = forms.DecimalField(
        label=gettext_lazy("How much of that was for delivery, in rupees"),
        required=False, min_value=0, max_digits=12, decimal_places=2,
    )  # fmt: skip
    mobile = forms.RegexField(
        r"^9\d{9}$",
        label=gettext_lazy("Khalti number of the customer"),
        help_text=gettext_lazy("Only if they paid from a bank: Khalti then gives the money back to this account."),
        required=False,
    )

    def __init__(self, *args: Any, flag: Flag, choices: tuple[Decision, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["decision"]
        field.choices = [(choice.value, _label(choice, flag.payment)) for choice in choices]
        if len(choices) == 1:
            field.initial = choices[0].value
        if Decision.AMOUNT not in choices:
            del self.fields["cash"], self.fields["shipping"]
        if Decision.REFUND not in choices:
            del self.fields["mobile"]

    def clean_mobile(self) -> Private:
        return Private(self.cleaned_data["mobile"])

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("decision") == Decision.AMOUNT and not typed.get("cash") and "cash" not in self.errors:
            self.add_error("cash", _("Say how much Khalti's dashboard shows: more than nothing."))
        return typed


def _label(decision: Decision, payment: Payment) -> str:
    if decision is Decision.REFUND:
        left = Paisa((payment.captured or 0) - payment.refunded)
        return _("Give the payment back at Khalti: %(cash)s go back to the payer.") % {"cash": npr(left)}
    return str(DECISIONS[decision])


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class FlagView(OfPayment):
    """The page on which a Flag is answered, once, by name."""

    permission = may.DECIDE
    template_name = "loyalink_khalti/backoffice/payments/flag.html"

    @cached_property
    def flag(self) -> Flag:
        flags = Flag.objects.select_related("payment__purchase", "payment__credentials")
        found: Flag = get_object_or_404(flags, pk=self.kwargs["pk"])
        return found

    @cached_property
    def payment(self) -> Payment:
        return self.flag.payment

    @cached_property
    def choices(self) -> tuple[Decision, ...]:
        """What this person may decide; who may not give money back is not offered it."""
        all_of_them = flow.choices(self.flag)
        return tuple(each for each in all_of_them if each is not Decision.REFUND or self.may(may.REFUND))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.flag.resolved_at is not None:
            messages.info(request, _("Flag %(pk)s was answered before.") % {"pk": self.flag.pk})
            return self.back()
        return self._page(DecisionForm(flag=self.flag, choices=self.choices))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.flag.resolved_at is not None:
            return self.get(request)
        if request.POST.get("decision") == Decision.REFUND:
            left = Paisa((self.payment.captured or 0) - self.payment.refunded)
            if not self.may(may.REFUND):
                return refused(request)
            if why := refunding.beyond(request.user, self.purchase, left):
                return refused(request, why)
        form = DecisionForm(request.POST, flag=self.flag, choices=self.choices)
        if not form.is_valid():
            return self._page(form)
        return self._decide(request, form)

    @method_decorator(sensitive_variables("typed", "form"))
    def _decide(self, request: HttpRequest, form: DecisionForm) -> HttpResponse:
        typed = form.cleaned_data
        try:
            decided = flow.decide(
                self.flag,
                Decision(typed["decision"]),
                by=str(request.user.pk),
                reason=typed["reason"],
                cash=paisa(Decimal(typed.get("cash") or 0)),
                shipping=paisa(Decimal(typed.get("shipping") or 0)),
                mobile=Private(typed.get("mobile") or ""),
                within_limit=not self.may(may.REFUND_BEYOND_LIMIT),
            )
        except RefundBeyondLimit as exc:
            return refused(request, str(exc))
        except (CannotDecide, CannotRefund) as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        told = {"flag": decided.pk, "reason": decided.reason, "decision": typed["decision"]}
        log(instance=self.payment, action=DECIDED, data=told)
        self._tell(request, decided)
        return self.back()

    def _tell(self, request: HttpRequest, decided: Flag) -> None:
        payment = Payment.objects.get(pk=self.payment.pk)
        if decided.resolved_at is None:
            refund = payment.refunds.order_by("-pk").first()
            level, words = refunding.tell(refund) if refund else ("warning", _("The flag stays open."))
            getattr(messages, level)(request, words)
            return
        stands = {"pk": decided.pk, "stands": standing(payment).label}
        messages.success(request, _("Flag %(pk)s is answered. The payment is: %(stands)s.") % stands)

    def _page(self, form: DecisionForm) -> HttpResponse:
        words = REASONS[Reason(self.flag.reason)]
        told = {"flag": self.flag, "words": words, "evidence": evidence(self.flag), "choices": self.choices}
        context = self.get_context_data(form=form, payment=self.payment, purchase=self.purchase, **told)
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Decide about flag %(pk)s") % {"pk": self.flag.pk}

    def deeper(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Flag %(pk)s") % {"pk": self.flag.pk}}]
