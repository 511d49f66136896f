"""The registry of payment methods and the settings by which a site chooses among them, without a host."""

from dataclasses import dataclass
from typing import Any

import pytest

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import HostCheckout, PaymentChoice, method_to_place
from loyalink_khalti.hosts.common.payment_choice import PaymentMethodForm
from loyalink_khalti.hosts.common.payment_methods import (
    TEXT,
    HostSettings,
    MethodSettings,
    Placement,
    method_options,
)
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Costs, Line, PaymentMethod

HERE = "tests.hosts.common.test_payment_methods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(MethodSettings):
    prefix: str = ""


options = HostSettings("stall", Options, {"prefix": TEXT})


class Stall:
    """The open basket of a stall with one product of Rs 500."""

    site_key, member_id, origin = conf.DEFAULT_SITE, None, "basket-1"
    discount = 0

    def costs(self) -> Costs:
        total = Paisa(50_000 - self.discount)
        line = Line(id="1", sku="MOMO", title="Momo", quantity=1, unit=total, total=total)
        return Costs(lines=(line,), subtotal=total, shipping=Paisa(0))

    def methods(self, *, khalti_unavailable_reason: str) -> list[Any]:
        return method_options(options(), self, khalti_unavailable_reason=khalti_unavailable_reason)

    def freeze(self, **_choice: Any) -> Any:
        raise AssertionError("nothing here is frozen")


def why_no_cash(basket: Stall) -> str:
    return "Cash is for orders of Rs 1,000 or less." if basket.costs().total > 100_000 else ""


def never_today(_basket: Stall) -> str:
    return "Not today."


def breaks(_basket: Stall) -> str:
    raise ZeroDivisionError


def cannot_be_priced(_basket: Stall) -> str:
    raise CannotPay("The tax is not known yet.")


@pytest.fixture
def stall(settings: Any, db: None) -> Any:
    """Set the settings of the stall."""

    def configure(**chosen: Any) -> Stall:
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "STALL": chosen}
        return Stall()

    return configure


def test_each_method_says_what_happens_what_it_takes_and_what_is_awaited(stall: Any) -> None:
    """O1"""
    basket = stall(
        METHODS=["cod", "fonepay", "khalti", "bank_transfer"],
        OWN_METHODS={"fonepay": "Fonepay", "invoice": "Invoice"},
        TEXTS={"bank_transfer": "Nabil Bank 0123", "khalti": "Wallet or bank."},
    )

    found = basket.methods(khalti_unavailable_reason="Khalti is not responding.")

    methods = [options().method(option.method) for option in found]
    assert [(each.code, each.placement, each.takes_points, each.is_awaited) for each in methods] == [
        ("cod", Placement.AT_ONCE, True, True),
        ("fonepay", Placement.BY_SITE, False, False),
        ("khalti", Placement.KHALTI, True, False),
        ("bank_transfer", Placement.AT_ONCE, True, True),
        ("invoice", Placement.BY_SITE, False, False),
    ]
    assert [each.title for each in found][:2] == ["Cash on delivery", "Fonepay"]
    assert [each.text for each in found][2:] == ["Wallet or bank.", "Nabil Bank 0123", ""]
    assert [each.unavailable_reason for each in found] == ["", "", "Khalti is not responding.", "", ""]


def test_a_site_says_itself_when_a_method_is_not_offered(stall: Any, caplog: Any) -> None:
    """O1"""
    functions = {
        "cod": "why_no_cash",
        "khalti": "never_today",
        "bank_transfer": "cannot_be_priced",
        "fonepay": "breaks",
    }
    basket = stall(
        METHODS=["khalti", "cod", "bank_transfer", "fonepay"],
        OWN_METHODS={"fonepay": "Fonepay"},
        UNAVAILABLE_REASONS={code: f"{HERE}.{name}" for code, name in (functions | {"fonepay": "breaks"}).items()},
    )

    found = basket.methods(khalti_unavailable_reason="")
    basket.discount = -60_000
    dear = basket.methods(khalti_unavailable_reason="")

    assert [each.unavailable_reason for each in found] == [
        "Not today.",
        "",
        "The tax is not known yet.",
        "This payment method is not available at the moment.",
    ]
    assert dear[1].unavailable_reason == "Cash is for orders of Rs 1,000 or less."
    assert "ZeroDivisionError" in caplog.text
    assert options.faults() == []


def test_a_method_that_is_not_offered_can_neither_be_chosen_nor_placed(stall: Any) -> None:
    """O1: the choice may be older, or typed."""
    basket = stall(METHODS=["khalti", "cod"], UNAVAILABLE_REASONS={"cod": f"{HERE}.never_today"})
    offered = basket.methods(khalti_unavailable_reason="")

    form = PaymentMethodForm({"payment_method": "cod"}, options=offered, is_member=False)
    assert form.errors == {"payment_method": ["Not today."]}

    for code, sentence in (
        ("cod", "Not today."),
        ("bank_transfer", "Please choose one of the payment methods below."),
        ("", "Please choose a payment method."),
    ):
        with pytest.raises(CannotPay, match=sentence):
            method_to_place(basket, PaymentChoice.of(code) if code else PaymentChoice())
    assert method_to_place(basket, PaymentChoice.of("khalti")) is PaymentMethod.KHALTI


def test_points_that_do_not_fit_are_an_error_of_their_field_and_a_free_basket_needs_no_method(stall: Any) -> None:
    basket = stall()
    offered = basket.methods(khalti_unavailable_reason="")
    form = PaymentMethodForm({"payment_method": "khalti", "points": "7"}, options=offered, is_member=True)

    assert form.is_valid()
    assert not form.fits(basket)
    assert list(form.errors) == ["points"]

    basket.discount = 50_000
    assert method_to_place(basket, PaymentChoice(points=Points(0))) is PaymentMethod.POINTS


def test_points_are_read_as_people_write_them(stall: Any) -> None:
    offered = stall().methods(khalti_unavailable_reason="")

    for typed, points in (("1,200", 1200), ("१२००", 1200), ("1,00,000", 100_000), ("", 0)):
        form = PaymentMethodForm({"payment_method": "khalti", "points": typed}, options=offered, is_member=True)
        assert (form.is_valid(), form.errors) == (True, {}), typed
        assert form.choice.points == points


def test_an_own_method_that_the_site_does_not_place_is_refused_in_words(stall: Any) -> None:
    class Checkout(HostCheckout):
        shop = "stall"
        order_page = basket_page = reopen_basket = None  # type: ignore[assignment]

    basket = stall(OWN_METHODS={"fonepay": "Fonepay"})

    with pytest.raises(CannotPay, match="another payment method"):
        Checkout().place_order(None, basket, PaymentChoice.of("fonepay"))  # type: ignore[arg-type]


def test_every_host_reads_the_same_keys_with_the_same_words(stall: Any) -> None:
    """H7, O1"""
    for wrong, sentence in (
        ({"METHOD": ["khalti"]}, "[\"STALL\"] has no key 'METHOD'. Did you mean 'METHODS'?"),
        ({"METHODS": ["cash"]}, "'cash' is no payment method"),
        ({"OWN_METHODS": {"cod": "Cash"}}, "['cod'] is a method of ours"),
        ({"TEXTS": 7}, '["TEXTS"] must be a dict of payment methods and texts'),
        ({"UNAVAILABLE_REASONS": {"cod": 7}}, '["UNAVAILABLE_REASONS"] must be a dict of payment methods and dotted'),
        ({"UNAVAILABLE_REASONS": {"cash": "a.b"}}, "'cash' is no payment method"),
        ({"UNAVAILABLE_REASONS": {"cod": f"{HERE}.why_no_cahs"}}, '["UNAVAILABLE_REASONS"]["cod"]: '),
        ({"PREFIX": 7}, '["PREFIX"] must be text in quotation marks'),
    ):
        stall(**wrong)
        assert sentence in options.faults()[0], wrong
        assert options().offered == ("khalti",)

    stall(PREFIX="ST-", METHODS=("cod",))
    assert (options().prefix, options().offered, options.faults()) == ("ST-", ("cod",), [])
