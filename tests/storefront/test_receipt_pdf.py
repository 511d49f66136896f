"""The receipt as a PDF file: who may open it, and what is in it, in both scripts."""

import re
import zlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone, translation

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Line
from loyalink_khalti.storefront.receipts import pdf_path
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytest.importorskip("fpdf")
pytest.importorskip("uharfbuzz")

pytestmark = [pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

LINE = Line(
    id="pen", sku="pen", title="Fountain pen", titles={"ne": "फाउन्टेन कलम"}, quantity=1, unit=Paisa(250_000),
    total=Paisa(250_000),
)  # fmt: skip


@pytest.fixture
def purchase(shop: FakeShop, khalti: Khalti) -> Purchase:
    payment = flow.begin_payment(shop.freeze(shop.cart(lines=(LINE,), member_id="7")))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Purchase.objects.get()


def characters(content: bytes) -> set[str]:
    """The characters that the fonts of a PDF file map their glyphs to, which is what a search in it finds."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    texts = []
    for stream in streams:
        try:
            texts.append(zlib.decompress(stream))
        except zlib.error:
            texts.append(stream)
    codes = re.findall(rb"<([0-9A-Fa-f]{4,})>", b"".join(text for text in texts if b"begincmap" in text))
    return {bytes.fromhex(code.decode()).decode("utf-16-be", "ignore") for code in codes if len(code) % 4 == 0}


def test_the_link_of_a_page_opens_the_receipt_in_its_language(purchase: Purchase) -> None:
    with translation.override("ne"):
        path = pdf_path(flow.receipt(purchase))

    response = Client().get(path)

    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response["Content-Disposition"] == f'inline; filename="{purchase.number}.pdf"'
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert response.content.startswith(b"%PDF-")
    found = "".join(characters(response.content))
    assert set("फाउन्टेन कलम") - set("्") <= set(found)  # a conjunct is one glyph
    assert set("Rs2,50.") <= set(found)


def test_an_old_link_opens_for_its_own_customer_alone(purchase: Purchase, django_user_model: Any) -> None:
    """T30"""
    path = pdf_path(flow.receipt(purchase))
    member = Client()
    member.force_login(django_user_model.objects.create_user(pk=7, username="sita"))

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert Client().get(path).status_code == 404
        assert member.get(path).status_code == 200


@pytest.mark.parametrize("token", ["x", "WzEsImVuIl0:1vXYZ:forged", "eyJhIjoxfQ:1"])
def test_a_forged_link_opens_nothing(purchase: Purchase, token: str) -> None:
    """T30"""
    assert Client().get(f"/khalti/receipt/{token}.pdf").status_code == 404


def test_only_a_placed_order_has_a_receipt_and_only_with_the_libraries(
    shop: FakeShop, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    assert pdf_path(flow.receipt(payment.purchase)) == ""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    placed = flow.receipt(Purchase.objects.get())
    assert pdf_path(placed)

    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)  # the extra is not installed

    assert pdf_path(placed) == ""


def test_the_status_page_has_the_link_for_its_own_customer(shop: FakeShop, khalti: Khalti) -> None:
    """The same rule as for the lines of the order."""
    own = Client()
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    session = own.session
    session["loyalink_khalti"] = [payment.token]
    session.save()
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    path = f"/khalti/status/{Payment.objects.get().token}/"

    assert "/khalti/receipt/" in own.get(path).content.decode()
    assert "Fountain pen" in own.get(path).content.decode()
    assert "/khalti/receipt/" not in Client().get(path).content.decode()
    assert "Fountain pen" not in Client().get(path).content.decode()
