"""Khalti is added beside the payment methods that a shop has."""

from typing import Any

import pytest
from oscar.apps.payment.exceptions import UnableToTakePayment
from oscar.core.loading import get_model
from pytest_django import Settings

from loyalink_khalti.hosts.oscar.settings import Options, faults
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import Simulator

from . import equal
from .conftest import Customer, Store, available, only_order, payment_of, text

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

taken: list[Any] = []


class TakesInvoices:
    """The shop's own payment method, as Oscar's documentation writes one."""

    def handle_payment(self, order_number: str, total: Any, **kwargs: Any) -> None:
        if total.incl_tax > 900:
            raise UnableToTakePayment("We do not trust you with that much.")
        kind, _created = get_model("payment", "SourceType").objects.get_or_create(name="Invoice")
        source = get_model("payment", "Source")(source_type=kind, currency="NPR", amount_allocated=total.incl_tax)
        self.add_payment_source(source)  # type: ignore[attr-defined]
        taken.append((str(order_number), total.incl_tax))


@pytest.fixture
def own(settings: Settings) -> None:
    """A shop that takes invoices, and has added Khalti."""
    taken.clear()
    settings.ROOT_URLCONF = equal.shops_with(TakesInvoices).ours
    own = {"OWN_METHODS": {"invoice": "Pay on invoice"}, "TEXTS": {"invoice": "Within 30 days."}}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": own}


def test_only_khalti_is_added_unless_the_shop_names_more(store: Store, sita: Customer, settings: Settings) -> None:
    """M20"""
    assert Options().offered == ("khalti",)
    settings.LOYALINK_KHALTI = {name: value for name, value in settings.LOYALINK_KHALTI.items() if name != "OSCAR"}
    sita.add(store.notebook)

    page = sita.go_to_payment()

    assert [option.method for option in page.context["form"].options] == ["khalti"]
    for method in ("cod", "bank_transfer"):
        assert "Please choose one of the payment methods below." in text(sita.choose(method))


def test_a_method_that_is_offered_no_longer_counts_as_not_chosen(
    store: Store, sita: Customer, settings: Settings
) -> None:
    """M20: the session still has it."""
    sita.add(store.notebook)
    sita.go_to_payment()
    assert sita.choose("cod").status_code == 302
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": {"METHODS": ["khalti"]}}

    placed = sita.place()

    assert placed["Location"] == "/shop/checkout/payment-method/"
    assert not Purchase.objects.exists()
    assert sita.lines() == [("Lokta notebook", 1)]


def test_an_order_by_a_shops_own_method_is_oscars_and_the_shops(own: None, store: Store, sita: Customer) -> None:
    """M20"""
    sita.add(store.notebook)
    page = text(sita.go_to_payment())
    assert "Pay on invoice Within 30 days. Neither uses nor earns points." in page
    assert page.index("Khalti") < page.index("Pay on invoice")

    chosen = sita.choose("invoice")
    details = sita.browser.get(chosen["Location"])
    preview = sita.browser.get("/shop/checkout/preview/")
    placed = sita.place()

    assert (chosen["Location"], details.status_code) == ("/shop/checkout/payment-details/", 200)  # Oscar's own page
    assert "Pay on invoice" in text(preview)
    assert "You earn" not in text(preview)
    assert placed["Location"] == "/shop/checkout/thank-you/"
    assert sita.browser.get(placed["Location"]).status_code == 200
    order = only_order()
    assert taken == [(order.number, 500)]
    assert order.number == str(100_000 + order.basket_id)
    assert (order.status, order.sources.get().source_type.name) == ("Pending", "Invoice")
    assert not Purchase.objects.exists()


def test_a_shops_own_refusal_is_shown_and_the_basket_is_kept(own: None, store: Store, sita: Customer) -> None:
    """M20"""
    sita.add(store.notebook, 2)
    sita.go_to_payment()
    sita.choose("invoice")

    answer = sita.place()

    assert "We do not trust you with that much." in text(answer)
    assert sita.lines() == [("Lokta notebook", 2)]


def test_points_cannot_be_used_with_a_shops_own_method(own: None, store: Store, sita: Customer) -> None:
    """M20"""
    sita.add(store.notebook)
    sita.go_to_payment()

    answer = sita.choose("invoice", points=500)

    assert "Points cannot be used with this payment method." in text(answer)
    sita.choose("khalti", points=500)
    sita.choose("invoice")
    sita.place()
    assert only_order().total_incl_tax == 500
    assert available(sita) == 1200


def test_khalti_works_beside_a_shops_own_method(own: None, store: Store, sita: Customer, khalti: Simulator) -> None:
    """M20"""
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose("invoice")
    payment = payment_of(sita.choose("khalti") and sita.place())
    khalti.pay(payment.pidx or "")

    sita.return_from_khalti(payment)

    assert (taken, only_order().status) == ([], "Paid")


@pytest.mark.parametrize("wrong", [{"OWN_METHODS": {"cod": "Cash"}}, {"METHODS": ["invoice"]}])
def test_a_wrong_setting_of_own_methods_is_named(settings: Settings, wrong: dict[str, Any]) -> None:
    """M20"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    assert "OSCAR" in faults()[0]


def in_the_valley_only(basket: Any) -> str:
    return "" if basket.request.GET.get("valley") else "Cash is taken in the valley only."


def test_a_shop_says_itself_for_which_basket_a_method_is_not_offered(
    store: Store, sita: Customer, settings: Settings
) -> None:
    """O1"""
    cod = {"METHODS": ["khalti", "cod"]}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": cod}
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose("cod")
    reasons = {"UNAVAILABLE_REASONS": {"cod": f"{__name__}.in_the_valley_only"}}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": cod | reasons}

    placed = sita.place()
    page = text(sita.browser.get(placed["Location"]))
    chosen_again = text(sita.choose("cod"))

    assert placed["Location"] == "/shop/checkout/payment-method/"
    assert "Cash is taken in the valley only." in page
    assert "Cash is taken in the valley only." in chosen_again
    assert not Purchase.objects.exists()
    assert sita.lines() == [("Lokta notebook", 1)]
