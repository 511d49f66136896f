"""Invoices and credit notes: one unbroken series, one invoice per order, and figures that sum to the paisa."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from wagtail.models import Site

from loyalink_khalti import flow, outbox
from loyalink_khalti.append_only import lifted
from loyalink_khalti.backoffice.models import InvoiceSettings, ShopDetails
from loyalink_khalti.errors import CannotInvoice, LoyalinkError, SelfDealing
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.invoices import issue
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.outbox import CLAIM, Message
from loyalink_khalti.payments.invoices import Invoice, InvoicePrint
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

PAN = "301234567"


def switch_on(**values: Any) -> None:
    site = Site.objects.get(is_default_site=True)
    defaults = {"pan": PAN, "is_vat_registered": True, "prefix": "S-", **values}
    InvoiceSettings.objects.update_or_create(site=site, defaults=defaults)


@pytest.fixture(autouse=True)
def sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """After every test the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


def placed(
    shop: FakeShop, ref: str = "order-1", *, method: PaymentMethod = PaymentMethod.COD, **cart: Any
) -> Purchase:
    shop.stock(pen=50)
    purchase: Purchase = flow.place_order(shop.freeze(shop.cart(ref, **cart)), method=method)
    return Purchase.objects.get(pk=purchase.pk)


def paid(shop: FakeShop, ref: str = "order-1", **cart: Any) -> Purchase:
    purchase = placed(shop, ref, **cart)
    flow.mark_received(purchase, actor="1")
    return Purchase.objects.get(pk=purchase.pk)


def refund_of(purchase: Purchase, subtotal: int, shipping: int = 0, **more: Any) -> Refund:
    key = f"refund {Refund.objects.count()}"
    return flow.refund_order(purchase, subtotal=Paisa(subtotal), shipping=Paisa(shipping), key=key, actor="1", **more)


def rows() -> list[tuple[str, int, int, int]]:
    return list(Invoice.objects.order_by("pk").values_list("code", "taxable", "vat", "total"))


def test_without_a_pan_there_are_no_invoices(shop: FakeShop) -> None:
    """U41"""
    purchase = paid(shop)

    assert rows() == []
    assert "PAN" in flow.invoice_obstacle(purchase)
    with pytest.raises(CannotInvoice):
        flow.issue_invoice(purchase, actor="1")


def test_an_order_gets_its_invoice_when_it_is_paid_and_only_one(shop: FakeShop) -> None:
    """U42"""
    switch_on()
    with time_machine.travel(datetime(2026, 12, 1, 6, tzinfo=UTC)):
        purchase = placed(shop, shipping=11_000)
        assert rows() == []

        flow.mark_received(purchase, actor="1")
        issue.follow_purchase(purchase.pk)

        assert rows() == [("S-2083/84-00001", 230_973, 30_027, 261_000)]
        assert flow.issue_invoice(purchase, actor="1") == Invoice.objects.get()
    printed = Invoice.objects.get().document
    assert (printed["date_ad"], printed["date_bs"], printed["title"]) == ("2026-12-01", "2083-08-15", "invoice")
    assert printed["words"]["en"] == "Rupees two thousand six hundred ten only"
    assert [row["kind"] for row in printed["rows"]] == ["line", "delivery"]


@pytest.mark.parametrize(("issue_when", "after"), [("paid", 0), ("placed", 1), ("staff", 0)])
def test_the_setting_says_when_it_is_issued(shop: FakeShop, issue_when: str, after: int) -> None:
    """U42"""
    switch_on(issue_when=issue_when)
    purchase = placed(shop)
    assert len(rows()) == after

    flow.issue_invoice(purchase, actor="1", buyer=flow.Buyer(name="Himal Traders", pan="609876543"))

    invoice = Invoice.objects.get()
    assert invoice.buyer_pan == ("" if after else "609876543")  # what is issued does not change


def test_a_refund_gets_its_credit_note_while_the_message_of_an_earlier_event_is_not_marked_as_sent(
    shop: FakeShop,
) -> None:
    """U44: that message has looked before the refund, and looks no more."""
    switch_on()
    purchase = paid(shop)
    Message.objects.filter(function=issue.FOLLOW).update(sent_at=None, attempts=1, due_at=timezone.now() + CLAIM)

    refund_of(purchase, 50_000)

    Message.objects.filter(function=issue.FOLLOW, attempts=1, sent_at=None).update(sent_at=timezone.now())
    outbox.deliver(ignore_back_off=True)
    assert [code[:4] for code, *_rest in rows()] == ["S-20", "CN-S"]


def test_an_invoice_is_credited_also_after_invoices_are_switched_off(shop: FakeShop) -> None:
    """U44: and nothing new is invoiced."""
    switch_on()
    purchase = paid(shop)
    switch_on(pan="")

    refund_of(purchase, 50_000)
    paid(shop, "b")

    assert [code[:4] for code, *_rest in rows()] == ["S-20", "CN-S"]


def test_what_a_shop_says_of_the_buyer_that_is_no_pan_is_left_out(
    shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """U42: the invoice is issued all the same."""
    said = {"name": "Himal Traders", "pan": "VAT no. 609876543 (Kathmandu)"}
    monkeypatch.setattr(FakeShop, "invoice_buyer", lambda _shop, _ref: said, raising=False)
    switch_on()

    paid(shop)

    invoice = Invoice.objects.get()
    assert (invoice.buyer_name, invoice.buyer_pan) == ("Himal Traders", "")


def test_staff_issue_no_invoice_of_their_own_order(shop: FakeShop) -> None:
    """U42"""
    switch_on(issue_when="staff")
    purchase = placed(shop, member_id="1")

    with pytest.raises(SelfDealing):
        flow.issue_invoice(purchase, actor="1")
    assert rows() == []


def test_each_fiscal_year_has_a_series_that_begins_with_1_after_the_first(shop: FakeShop) -> None:
    """U40"""
    switch_on(first_number=51)
    with time_machine.travel(datetime(2027, 7, 16, 17, tzinfo=UTC)):  # 22:45 on the last of Asar in Nepal
        paid(shop, "a"), paid(shop, "b")
    with time_machine.travel(datetime(2027, 7, 16, 18, 30, tzinfo=UTC)):  # 0:15 on Shrawan 1
        paid(shop, "c")

    assert [code for code, *_rest in rows()] == ["S-2083/84-00051", "S-2083/84-00052", "S-2084/85-00001"]


def test_no_number_is_lost_by_a_rollback(shop: FakeShop) -> None:
    """U40"""
    switch_on(issue_when="staff")
    first, second = placed(shop, "a"), placed(shop, "b")
    with pytest.raises(IntegrityError):  # noqa: PT012, SIM117 - what is rolled back
        with transaction.atomic():
            issue._issue_first(Purchase.objects.get(pk=first.pk), [], actor="1", buyer=None)
            raise IntegrityError

    flow.issue_invoice(second, actor="1")
    flow.issue_invoice(first, actor="1")

    assert [code[-1] for code, *_rest in rows()] == ["1", "2"]


def test_many_at_once_take_unbroken_numbers(shop: FakeShop) -> None:
    """U40"""
    switch_on(issue_when="staff")
    purchases = [placed(shop, f"order-{n}") for n in range(4)]

    def work(index: int) -> Invoice:
        for _attempt in range(20):
            try:
                return flow.issue_invoice(purchases[index % 4], actor="1")
            except Exception:  # noqa: BLE001 - SQLite has one writer
                continue
        raise AssertionError("never issued")

    found = at_once(8, work)

    assert sorted(Invoice.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert {each.pk for each in found if isinstance(each, Invoice)} == set(
        Invoice.objects.values_list("pk", flat=True)
    )


def test_nothing_is_changed_or_deleted(shop: FakeShop) -> None:
    """U40"""
    switch_on()
    paid(shop)
    invoice = Invoice.objects.get()
    for change in (
        lambda: invoice.delete(),
        lambda: invoice.save(),
        lambda: Invoice.objects.update(total=1),
        lambda: Invoice.objects.all().delete(),
    ):
        with pytest.raises(LoyalinkError):
            change()
    for statement in ("UPDATE loyalink_khalti_invoice SET number = 7", "DELETE FROM loyalink_khalti_invoiceseries"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_hole_and_a_wrong_sum_are_found_by_the_audit(shop: FakeShop) -> None:
    """U40 U43"""
    switch_on(issue_when="staff")
    for ref in ("a", "b", "c"):
        flow.issue_invoice(placed(shop, ref), actor="1")
    with lifted(connection):
        gone, wrong = Invoice.objects.get(number=2), Invoice.objects.get(number=3)
        Invoice.objects.filter(pk=gone.pk)._raw_delete("default")
        Invoice._base_manager.filter(pk=wrong.pk)._update(
            [(Invoice._meta.get_field("document"), None, {**wrong.document, "total": 1})]
        )

    found = {(each["invariant"], each["subject"]) for each in audit()["violations"]}

    assert found == {("I24", f"invoice S-2083/84 of PAN {PAN}"), ("I25", "S-2083/84-00003")}
    with lifted(connection):
        Invoice.objects.all()._raw_delete("default")


@pytest.mark.parametrize("points_as", ["discount", "tender"])
def test_parts_of_a_refund_credit_the_invoice_to_the_paisa(shop: FakeShop, account: Account, points_as: str) -> None:
    """U44"""
    switch_on(points_as=points_as)
    purchase = paid(shop, subtotal=99_999, shipping=10_001, member_id=account.member_id, points_redeemed=Points(500))
    invoice = Invoice.objects.get()
    assert invoice.total == (105_000 if points_as == "discount" else 110_000)

    refund_of(purchase, 33_333)
    refund_of(purchase, 1, 10_001)
    refund_of(purchase, 66_665, lines=[("pen", 1)])

    notes = Invoice.objects.filter(kind="credit_note").order_by("number")
    assert [note.code[:14] for note in notes] == ["CN-S-2083/84-0"] * 3
    assert [note.number for note in notes] == [1, 2, 3]
    assert (sum(n.total for n in notes), sum(n.vat for n in notes)) == (invoice.total, invoice.vat)
    assert all(note.refund_id and note.invoice == invoice for note in notes)
    last = notes[2].document
    assert last["corrects"]["number"] == invoice.code
    assert (last["rows"][0]["key"], last["rows"][0]["quantity"]) == ("pen", 1)


def test_a_cancelled_order_is_credited_and_placed_again_it_is_invoiced_again(shop: FakeShop) -> None:
    """U45"""
    switch_on(issue_when="placed")
    purchase = placed(shop, method=PaymentMethod.BANK_TRANSFER)
    refund_of(purchase, 250_000)
    assert [(code, total) for code, _net, _vat, total in rows()] == [
        ("S-2083/84-00001", 250_000), ("CN-S-2083/84-00001", 250_000)
    ]  # fmt: skip

    today = issue.day_of(issue.database_now())
    flow.record_received(purchase, amount=Paisa(250_000), received_on=today, key="late", actor="1")

    assert [code for code, *_rest in rows()][2:] == ["S-2083/84-00002"]
    assert Invoice.objects.get(number=2).corrects == Invoice.objects.get(kind="credit_note")
    refund_of(Purchase.objects.get(), 250_000)
    assert [code for code, *_rest in rows()][3:] == ["CN-S-2083/84-00002"]


def test_an_order_that_is_over_before_its_invoice_gets_none(shop: FakeShop) -> None:
    """U45"""
    switch_on(issue_when="staff")
    purchase = paid(shop)
    refund_of(purchase, 250_000)

    with pytest.raises(CannotInvoice, match="refunded in full"):
        flow.issue_invoice(purchase, actor="1")
    assert rows() == []


def test_an_issued_invoice_does_not_change_with_the_shop_or_an_erased_customer(shop: FakeShop) -> None:
    """U46"""
    site = Site.objects.get(is_default_site=True)
    ShopDetails.objects.update_or_create(site=site, defaults={"shop_name": "Saraswati", "address": "Patan"})
    switch_on()
    paid(shop)
    before = Invoice.objects.get().document
    ShopDetails.objects.filter(site=site).update(shop_name="Lakshmi")
    switch_on(pan="", is_vat_registered=False)

    subject = flow.guest_subject("sita@example.com")
    assert subject is not None
    flow.erase_personal_data(subject)

    invoice = Invoice.objects.get()
    assert invoice.document == before
    assert (before["seller"]["name"], before["buyer"]["name"], invoice.buyer_name) == ("Saraswati", "Sita", "Sita")


def test_the_first_printing_is_the_original_and_a_repeated_form_is_the_same_one(shop: FakeShop) -> None:
    """U47"""
    switch_on()
    paid(shop)
    invoice = Invoice.objects.get()

    numbers = [flow.record_print(invoice, key=key, actor=None).number for key in ("a", "a", "b", "c")]

    assert numbers == [0, 0, 1, 2]
    assert InvoicePrint.objects.count() == 3


def test_a_printing_ends_so_that_there_is_one_original(shop: FakeShop) -> None:
    """U47: a page that is kept open prints a copy later."""
    switch_on()
    paid(shop)
    invoice = Invoice.objects.get()
    with time_machine.travel(datetime(2026, 12, 1, 6, tzinfo=UTC), tick=False):
        original = flow.record_print(invoice, key="a", actor=None)
        assert not flow.is_printed_long_ago(original)

    with time_machine.travel(datetime(2026, 12, 1, 6, 11, tzinfo=UTC), tick=False):
        assert flow.is_printed_long_ago(original)
        assert flow.record_print(invoice, key="a", actor=None).number == 1
