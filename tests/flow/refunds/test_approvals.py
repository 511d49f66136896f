"""A refund above the site's limit is requested by one colleague and made by another, once, with the same figures."""

from typing import Any

import pytest
import requests
from django.core import mail
from wagtail.models import Site

from loyalink_khalti import flow, outbox
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.errors import ApprovalNeeded, CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.payments.refund_approvals import RefundApproval
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SITA, RAM, MAYA = "31", "32", "33"


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500; above Rs 1,000 of an order a colleague approves."""
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"approval_above": 100_000})
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def refund(payment: Payment, rupees: int, key: str, **how: Any) -> Refund:
    how.setdefault("actor", SITA)
    return flow.refund_order(payment.purchase, subtotal=Paisa(rupees * 100), shipping=Paisa(0), key=key, **how)


def request(payment: Payment, rupees: int, key: str = "form", **how: Any) -> RefundApproval:
    how.setdefault("actor", SITA)
    subtotal = Paisa(rupees * 100)
    return flow.request_order_refund(payment.purchase, subtotal=subtotal, shipping=Paisa(0), key=key, **how)


def sent(khalti: Khalti) -> list[Any]:
    return [body for _id, body in khalti.refunded]


def test_what_is_above_the_limit_is_refused_in_parts_too_and_counts_no_approved_refund(
    paid: Payment, khalti: Khalti
) -> None:
    """U15: nobody refunds it alone, whatever their permissions; what a colleague approved does not count."""
    with pytest.raises(ApprovalNeeded, match=r"needs a second person: Rs 0\.00 of it is used"):
        refund(paid, 1_500, "a")
    refund(paid, 600, "b")
    with pytest.raises(ApprovalNeeded):
        refund(paid, 500, "c")

    flow.approve_refund(request(paid, 700), actor=RAM)
    refund(paid, 300, "d")

    assert len(sent(khalti)) == 3


def test_an_approved_request_is_refunded_with_its_own_figures_lines_reason_and_restock(
    paid: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """U16: the Refund is the approver's; the request names who asked."""
    left, note = shop.left("pen"), "Broken on the way."
    row = request(paid, 2_500, lines=[("pen", 1)], restock=frozenset(), reason="damaged", note=note)

    made = flow.approve_refund(row, actor=RAM)

    row.refresh_from_db()
    assert (row.state, row.decided_by, row.requested_by, row.refund_id) == ("approved", RAM, SITA, made.pk)
    assert (made.state, made.amount, made.actor, made.reason, made.note) == ("done", row.amount, RAM, "damaged", note)
    assert (made.lines, shop.left("pen")) == ([["pen", 1, False]], left)
    assert len(sent(khalti)) == 1


def test_the_requester_never_approves_and_a_request_is_made_once_per_form(paid: Payment, khalti: Khalti) -> None:
    """U16: also where they are known by nothing but the request."""
    row = request(paid, 1_500)
    again = request(paid, 1_500)

    with pytest.raises(CannotRefund, match="A colleague has to approve it"):
        flow.approve_refund(row, actor=SITA)
    with pytest.raises(CannotRefund, match="awaits a colleague's approval already"):
        request(paid, 1_200, key="another form", actor=MAYA)

    assert (again.pk, again.is_repeated, RefundApproval.objects.count()) == (row.pk, True, 1)
    assert sent(khalti) == []


def test_a_request_does_not_hold_once_another_refund_was_made_since_even_with_the_same_figures(
    paid: Payment, khalti: Khalti
) -> None:
    """U16: the colleague who asked had not seen it, and it may be the same money."""
    row = request(paid, 1_200)
    refund(paid, 300, "meanwhile", actor=MAYA)

    with pytest.raises(CannotRefund, match="The figures of this request no longer hold"):
        flow.approve_refund(row, actor=RAM)

    row.refresh_from_db()
    assert (row.state, len(sent(khalti))) == ("requested", 1)
    flow.reject_refund(row, actor=RAM, note="Another one was made.")
    flow.approve_refund(request(paid, 1_200, "again"), actor=RAM)
    assert len(sent(khalti)) == 2


def test_an_approved_refund_that_was_not_made_after_all_raises_nobodys_limit(paid: Payment, khalti: Khalti) -> None:
    """U15: its reversal counts as little as itself."""
    silence = requests.ReadTimeout("silence")
    khalti.next_refund = [silence]
    made = flow.approve_refund(request(paid, 2_000), actor=RAM)
    khalti.next_lookup = [silence]
    flag = Flag.objects.select_related("payment__purchase").get()
    flow.resolve_flag(flag, flow.Resolution.CONFIRM_REFUND, actor=RAM, reason="looked")
    flow.reverse_refund(Refund.objects.select_related("payment").get(pk=made.pk), actor=RAM, reason="not there")

    with pytest.raises(ApprovalNeeded, match=r"Rs 0\.00 of it is used"):
        refund(paid, 1_100, "alone")


def test_figures_that_no_longer_hold_refund_nothing_and_the_request_stays(paid: Payment, khalti: Khalti) -> None:
    """U16: another refund was made since, so that less is left."""
    row = request(paid, 2_000)
    refund(paid, 900, "meanwhile")

    with pytest.raises(CannotRefund, match=r"Only Rs 1,600\.00 of the products is left"):
        flow.approve_refund(row, actor=RAM)

    row.refresh_from_db()
    assert (row.state, Refund.objects.count()) == ("requested", 1)
    RefundApproval.objects.update(amount=150_001, subtotal=150_000)
    with pytest.raises(CannotRefund, match="The figures of this request no longer hold"):
        flow.approve_refund(RefundApproval.objects.get(), actor=RAM)
    assert len(sent(khalti)) == 1


def test_a_rejected_or_withdrawn_request_refunds_nothing_and_can_be_made_again(paid: Payment, khalti: Khalti) -> None:
    """U16"""
    rejected = flow.reject_refund(request(paid, 1_500), actor=RAM, note="Ask for the parcel first.")
    withdrawn = flow.reject_refund(request(paid, 1_500, key="2"), actor=SITA, note="")

    assert (rejected.state, withdrawn.state) == ("rejected", "withdrawn")
    with pytest.raises(CannotRefund, match="decided already: Rejected"):
        flow.approve_refund(RefundApproval.objects.get(pk=rejected.pk), actor=MAYA)
    assert request(paid, 1_500, key="3").state == "requested"
    assert (sent(khalti), Refund.objects.count()) == ([], 0)


def test_a_request_is_mailed_to_the_alert_addresses_once_and_names_no_customer(paid: Payment, settings: Any) -> None:
    """U16"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["owner@shop.example"]}
    mail.outbox.clear()

    request(paid, 1_500)
    outbox.deliver()
    outbox.deliver()

    (alert,) = [each for each in mail.outbox if each.to == ["owner@shop.example"]]
    assert "to approve" in alert.subject
    assert "awaits the approval of a second person" in alert.body
    assert str(paid.purchase.frozen_cart.customer.email or "@nobody") not in alert.body


@pytest.mark.parametrize("other", ["approves too", "rejects"])
def test_of_two_colleagues_at_the_same_moment_one_decides(paid: Payment, khalti: Khalti, other: str) -> None:
    """U17: two approvals are one refund; an approval and a rejection are one of the two."""
    row = request(paid, 1_500)

    def decide(number: int) -> Any:
        again = RefundApproval.objects.get(pk=row.pk)
        if number and other == "rejects":
            return flow.reject_refund(again, actor=MAYA, note="No.")
        return flow.approve_refund(again, actor=(RAM, MAYA)[number])

    given = at_once(2, decide)

    row.refresh_from_db()
    assert len(sent(khalti)) == Refund.objects.count() == (1 if row.state == "approved" else 0)
    if other == "approves too":
        assert (row.state, [each.is_repeated for each in given].count(False)) == ("approved", 1)
    else:
        assert sum(isinstance(each, CannotRefund) for each in given) == 1
