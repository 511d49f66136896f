"""The refund form as the trade knows it, and a second person above the limit, on the pages of the desk."""

from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti import outbox
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.refund_approvals import RefundApproval
from loyalink_khalti.staff.refund_form import RefundForm
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, accountant, staff_user
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

REFUND, APPROVAL = "loyalink_khalti_payment_refund", "loyalink_khalti_refund_approval"


def setting(**values: Any) -> None:
    KhaltiSettings.objects.update_or_create(site=Site.objects.get(is_default_site=True), defaults=values)


def fields(page: Any) -> dict[str, str]:
    """What the page's form would send, without its buttons."""
    form = page.select_one("main form.desk-form")
    sent = {}
    for field in form.select("input[name], select[name], textarea[name]"):
        if field.get("type") == "checkbox" and not field.has_attr("checked"):
            continue
        if field.name == "select":
            chosen = field.select_one("option[selected]")
            sent[field["name"]] = chosen["value"] if chosen else ""
        else:
            default = "on" if field.get("type") == "checkbox" else ""
            sent[field["name"]] = field.text.strip() if field.name == "textarea" else field.get("value", default)
    return sent


def actions() -> list[str]:
    return list(ModelLogEntry.objects.order_by("pk").values_list("action", flat=True))


def typed(paid: Payment, **data: Any) -> RefundForm:
    form = RefundForm({"seen_refund": "0", **data}, purchase=paid.purchase)
    form.is_valid()
    return form


def test_staff_choose_a_reason_of_the_list_or_of_the_shops_own_and_other_needs_a_note(
    desk: Desk, paid: Payment
) -> None:
    """U10"""
    setting(refund_reasons="Colour differs\nFestival return\n")

    choices = [label for _value, label in typed(paid).fields["reason"].choices]  # type: ignore[attr-defined]
    own = typed(paid, amount="10", reason="Festival return", note="Came back on Tuesday.").refund_request

    assert choices[-3:] == ["Colour differs", "Festival return", "Other reason"]
    assert (own.reason, own.note) == ("Festival return", "Came back on Tuesday.")
    assert "note" in typed(paid, amount="10", reason="other").errors
    assert "reason" in typed(paid, amount="10", reason="made up").errors


def test_a_form_goes_back_with_all_that_was_entered_then_is_confirmed_and_logged_once(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """U11, C16, C18: product, order and customer are named; the customer's mail is shown before it is sent."""
    entered = {"quantity_0": "1", "amount": "1000", "reason": "damaged", "note": "Cracked cap.", "seen_refund": "0"}
    preview = desk.post(REFUND, paid.pk, **entered)
    text = page_text(preview)
    cart = paid.purchase.frozen_cart
    assert all(words in text for words in (cart.lines[0].name, "N-1001", "Damaged or faulty", "Cracked cap."))
    assert "not restocked" in text
    assert "Refund of your order" in text or "None: the shop knows no address." in text

    changed = fields(desk.post(REFUND, paid.pk, **fields(preview), change="1"))
    assert {name: changed.get(name) for name in entered} == entered
    assert "restock_0" not in changed
    confirmed = fields(desk.post(REFUND, paid.pk, **changed))
    for _click in range(2):
        desk.post(REFUND, paid.pk, **confirmed, confirm="1")

    refund = Refund.objects.get()
    assert (refund.reason, refund.note, refund.lines[0][2], len(khalti.refunded)) == (
        "damaged",
        "Cracked cap.",
        False,
        1,
    )
    assert actions() == ["loyalink_khalti.refund"]


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        ({"quantity_0": "1"}, None),
        ({"quantity_0": "1", "amount": "1"}, "is kept."),
        ({"amount": "1"}, "No product is chosen"),
        ({"amount": "2500"}, "No product is chosen"),
    ],
    ids=["fits", "less", "no product", "all the money"],
)
def test_a_product_and_an_amount_that_do_not_fit_are_warned_about(
    paid: Payment, data: dict[str, str], warning: str | None
) -> None:
    """U12"""
    found = typed(paid, **data).warnings

    assert (found == []) if warning is None else any(warning in each for each in found)


def test_a_colleague_approves_what_was_asked_for_on_the_form_and_each_deed_is_one_entry(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """U14, U16, C13: an accountant, too, needs another one."""
    setting(approval_above=100_000)
    bina = Desk(accountant())
    preview = bina.post(REFUND, paid.pk, amount="2000", reason="goodwill", seen_refund="0")
    assert "A colleague has to approve this refund. More than Rs 1,000.00 of one order" in page_text(preview)
    for _click in range(2):
        asked = page_text(bina.post(REFUND, paid.pk, **fields(preview), ask="1"))
    assert "No money has moved" in asked, asked
    row = RefundApproval.objects.get()
    assert bina.open(APPROVAL, row.pk).select_one("[name=approve]") is None
    bina.post(APPROVAL, row.pk, approve="1", status=403)
    desk.post(APPROVAL, row.pk, approve="1", status=403)  # an editor has no permission to approve

    other = Desk(accountant("hari"))
    assert "Refunds to approve" in page_text(other.open("wagtailadmin_home"))
    assert "Rs 1,960.00" in page_text(other.open("loyalink_khalti_order", paid.purchase_id))
    for _click in range(2):
        done = page_text(other.post(APPROVAL, row.pk, approve="1"))

    assert "Approved" in done
    assert (len(khalti.refunded), Refund.objects.get().amount) == (1, 196_000)
    assert actions() == ["loyalink_khalti.request_refund", "loyalink_khalti.approve_refund"]
    assert "Refunds to approve" not in page_text(other.open("wagtailadmin_home"))


def test_khalti_is_switched_off_and_on_with_one_entry_and_one_mail_for_each_change(
    desk: Desk, paid: Payment, settings: Any
) -> None:
    """U18: an accountant may not edit the settings."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["owner@shop.example"]}
    site = Site.objects.get(is_default_site=True)
    home = desk.open("wagtailadmin_home")
    assert home.find("a", string=lambda text: text and "Khalti off now" in text) is not None
    assert "Khalti off now" not in page_text(Desk(accountant()).open("wagtailadmin_home"))
    assert desk.open("loyalink_khalti_switch", site.pk).select_one("button[name=enabled]")["value"] == "0"  # type: ignore[index]
    mail.outbox.clear()

    for enabled in ("0", "0", "1"):
        desk.post("loyalink_khalti_switch", site.pk, enabled=enabled)
    outbox.deliver()

    assert KhaltiSettings.objects.get().enabled
    assert [entry.data["enabled"] for entry in ModelLogEntry.objects.order_by("pk")] == [False, True]
    told = [each.subject for each in mail.outbox if each.to == ["owner@shop.example"]]
    assert told == ["Khalti is switched off", "Khalti is switched on"]


def test_the_evidence_of_a_payment_has_all_that_is_on_record_and_no_key(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """U19"""
    desk.post(REFUND, paid.pk, amount="10", reason="goodwill", key="k", seen_refund="0", confirm="1")
    paid.refresh_from_db()
    url = reverse("loyalink_khalti_payment_evidence", args=[paid.pk])

    pdf, data = desk.client.get(url), desk.client.get(url, {"format": "json"}).json()

    titles = {section["title"] for section in data["sections"]}
    assert {"Payment", "Order", "Products", "Khalti's answers", "History", "Refunds"} <= titles
    assert (data["figures"]["captured"], data["figures"]["refunded"]) == (paid.captured, paid.refunded)
    assert [answer["status"] for answer in data["lookups"]] == [each["status"] for each in paid.lookup_history]
    assert "Goodwill" in str(data["sections"])
    assert paid.token not in str(data)
    assert pdf.content.startswith(b"%PDF")
    assert actions()[-2:] == ["loyalink_khalti.export_evidence"] * 2
    viewer = Desk(staff_user("viewer", "view_payment"))
    assert viewer.client.get(url).status_code == 403
