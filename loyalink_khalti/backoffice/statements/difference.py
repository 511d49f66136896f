"""One difference: what is here, what is there, and its ways out, each with a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotMatch, SelfDealing
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.statements import DifferenceKind, DifferenceState, StatementDifference
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import page_url, payment_url

from . import log
from .forms import AttachForm, ReasonForm
from .listing import difference_url, order_of
from .views import StatementPage

HINTS: dict[str, Any] = {
    DifferenceKind.MISSING_HERE: gettext_lazy(
        "No payment of this shop has these IDs. If one below is it, attach it. If the money is of another shop, or was"
        " paid outside this shop, explain that."
    ),
    DifferenceKind.UNCLEAR: gettext_lazy(
        "The IDs of this row fit several payments, or contradict each other. Choose the payment that it is."
    ),
    DifferenceKind.NOT_PAID_HERE: gettext_lazy(
        "The statement has this payment as paid, and this shop does not. Look it up at Khalti now."
    ),
    DifferenceKind.AMOUNT: gettext_lazy("Both have the payment, with different amounts. Look it up at Khalti now."),
    DifferenceKind.FEE: gettext_lazy(
        "Both have the payment, with different fees. A fee here is Khalti's own answer, and a statement changes"
        " none: the statement's fee is kept with its row. Look the payment up, or explain the difference."
    ),
    DifferenceKind.DOUBLE: gettext_lazy(
        "Another row has the same payment. If the money has come twice, refund one; else explain it."
    ),
    DifferenceKind.REFUND_MISSING_HERE: gettext_lazy(
        "The statement has a refund that is not recorded here. Look the payment up, or record the refund."
    ),
    DifferenceKind.MISSING_THERE: gettext_lazy(
        "This payment was captured in the days of the statement, and the statement does not have it. The next one may;"
        " or look it up at Khalti."
    ),
    DifferenceKind.REFUND_MISSING_THERE: gettext_lazy(
        "This refund was made in the days of the statement, and the statement does not have it."
    ),
}


class DifferenceView(StatementPage):
    """The page of a difference. POST attaches, explains, opens again or compares again."""

    template_name = "loyalink_khalti/backoffice/statements/difference.html"
    page_title: Any = gettext_lazy("Difference")

    @cached_property
    def difference(self) -> StatementDifference:
        rows = StatementDifference.objects.select_related("row", "payment__purchase", "refund", "statement")
        found: StatementDifference = get_object_or_404(rows.defer("statement__content"), pk=self.kwargs["pk"])
        return found

    def get_page_subtitle(self) -> str:
        return str(self.difference.get_kind_display())

    @cached_property
    def can_attach(self) -> bool:
        difference = self.difference
        is_open = difference.state == DifferenceState.OPEN and difference.row is not None
        return is_open and difference.kind in flow.ATTACHABLE

    @cached_property
    def possible(self) -> list[Payment]:
        row = self.difference.row
        return flow.possible_payments(row) if self.can_attach and row is not None else []

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        step = request.POST.get("step")
        if step == "attach" and self.can_attach:
            form: ReasonForm = AttachForm(request.POST, possible=self.possible, site_key=self.difference.site_key)
        elif step in {"explain", "reopen"}:
            form = ReasonForm(request.POST)
        else:
            return self._check()
        if not form.is_valid():
            return self._invalid(form)
        try:
            self._decide(str(step), form)
        except CannotMatch as exc:
            form.add_error(None, str(exc))
            return self._invalid(form, status=403 if isinstance(exc, SelfDealing) else 200)
        return HttpResponseRedirect(difference_url(self.difference.pk))

    def _invalid(self, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        is_attached = isinstance(form, AttachForm)
        return self._page(form=None if is_attached else form, attach=form if is_attached else None, status=status)

    def _decide(self, step: str, form: ReasonForm) -> None:
        data, pk = form.cleaned_data, self.difference.pk
        why = {"reason": data["reason"], "key": data["key"].hex, "actor": self.actor}
        if isinstance(form, AttachForm):
            assert form.chosen is not None
            decision = flow.attach_row(pk, form.chosen, **why)
            messages.success(self.request, _("The row is attached. What else differs is listed."))
        elif step == "explain":
            decision = flow.explain_difference(pk, **why)
            messages.success(self.request, _("The difference is explained and closed."))
        else:
            decision = flow.reopen_difference(pk, **why)
            messages.success(self.request, _("The difference is open again."))
        if not decision.is_repeated:
            log.record_decision(decision)

    def _check(self) -> HttpResponse:
        difference = self.difference
        flow.check_differences(difference.site_key, [difference.pk])
        is_open = StatementDifference.objects.filter(pk=difference.pk, state=DifferenceState.OPEN).exists()
        text = _("Compared again: it still differs.") if is_open else _("Compared again: it is solved.")
        messages.info(self.request, text)
        return HttpResponseRedirect(difference_url(difference.pk))

    @property
    def _payment_links(self) -> list[tuple[str, str]]:
        """The ways out on other pages, for who may go there."""
        difference, links = self.difference, []
        row, payment = difference.row, difference.payment
        if payment is not None:
            links.append((payment_url(payment.pk), _("Open the payment, and refresh it there")))
            if difference.kind == DifferenceKind.REFUND_MISSING_HERE and self.has_permission(permissions.REFUND):
                links.append((page_url("loyalink_khalti_payment_record_refund", payment.pk), _("Record the refund")))
        elif row is not None:
            ids = [each for each in (row.transaction_id, row.order_id) if each]
            unmatched = UnmatchedPayment.objects.filter(pidx__in=ids) | UnmatchedPayment.objects.filter(
                transaction_id__in=ids
            )
            links += [
                (page_url("loyalink_khalti_unmatched", each.pk), _("Attach this unmatched payment to an order"))
                for each in unmatched.order_by("pk")[:3]
            ]
        return [(url, label) for url, label in links if url]

    def _page(
        self, *, form: ReasonForm | None = None, attach: ReasonForm | None = None, status: int = 200
    ) -> HttpResponse:
        difference = self.difference
        decisions = list(difference.decisions.select_related("payment__purchase").order_by("pk"))
        people = flow.contacts({each.actor for each in decisions})
        may = self.may_match and difference.state != DifferenceState.GONE
        if self.can_attach and attach is None:
            attach = AttachForm(possible=self.possible, site_key=difference.site_key)
        context = self.get_context_data(
            difference=difference, row=difference.row, payment=difference.payment, order=order_of(difference),
            hint=HINTS[difference.kind] if difference.state == DifferenceState.OPEN else "",
            form=form or ReasonForm(), attach=attach if self.can_attach else None, may_decide=may,
            is_open=difference.state == DifferenceState.OPEN, links=self._payment_links, possible=self.possible,
            payment_url=payment_url(difference.payment.pk) if difference.payment else "",
            statement_url=reverse("loyalink_khalti_statement", args=(difference.statement_id,)),
            decisions=[(each, str(people.get(each.actor, each.actor))) for each in decisions],
        )  # fmt: skip
        return self.render_to_response(context, status=status)
