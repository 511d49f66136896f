"""What ``check`` reports about a shop on Oscar."""

from typing import Any

import pytest
from django.core.checks import run_checks

from loyalink_khalti.hosts.oscar import checks
from loyalink_khalti.hosts.oscar.settings import options
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, payment_of

pytestmark = pytest.mark.sampled


def found() -> list[str]:
    return [str(message.id).rpartition(".")[2] for message in checks.messages()]


def test_the_sandbox_has_no_message() -> None:
    assert found() == []


WRONG = [
    ({"METHODS": ["khaltii"]}, "'khaltii' is no payment method. Did you mean 'khalti'?"),
    ({"METHODS": ["khalti", "barter"]}, "'barter' is no payment method: they are bank_transfer, cod, khalti."),
    ({"METHODS": []}, '["METHODS"] must be a list of payment methods, ["khalti", "cod"], not [].'),
    ({"METHODS": "khalti"}, 'must be a list of payment methods, ["khalti", "cod"], not \'khalti\'.'),
    ({"METHODS": None}, "must be a list of payment methods"),
    ({"METHODS": [1]}, "must be a list of payment methods"),
    ({"HELDD": "Waiting"}, "has no key 'HELDD'. Did you mean 'HELD'?"),
    ({"held": "Awaiting payment"}, "has no key 'held'. Did you mean 'HELD'?"),
    ({7: "x"}, "has no key 7: they are "),
    ({"PAID": None}, '["PAID"] must be the name of an order status, not None.'),
    ({"PAID": ""}, '["PAID"] must be the name of an order status'),
    ({"CANCELLED": ["Cancelled"]}, '["CANCELLED"] must be the name of an order status'),
    ({"OWN_METHODS": ["fonepay"]}, '["OWN_METHODS"] must be a dict of codes and titles'),
    ({"OWN_METHODS": {"fonepay": 7}}, '["OWN_METHODS"] must be a dict of codes and titles'),
    ({"OWN_METHODS": {"cod": "Cash"}}, "['cod'] is a method of ours"),
    ({"TEXTS": {"bank_transfers": "Nabil"}}, "'bank_transfers' is no payment method. Did you mean 'bank_transfer'?"),
    ({"TEXTS": "Nabil"}, '["TEXTS"] must be a dict of payment methods and texts'),
    ({"NUMBER_PREFIX": 7}, '["NUMBER_PREFIX"] must be text in quotation marks'),
    ("khalti", 'LOYALINK_KHALTI["OSCAR"] must be a dict'),
    (None, 'LOYALINK_KHALTI["OSCAR"] must be a dict'),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=[str(wrong) for wrong, _sentence in WRONG])
def test_a_setting_of_the_host_that_cannot_be_used_is_one_error_that_says_what_is_meant(
    settings: Any, wrong: Any, sentence: str
) -> None:
    """H7"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    messages = list(checks.messages())

    assert [str(message.id) for message in messages] == ["loyalink_khalti.E027"]
    assert sentence in messages[0].msg
    assert messages[0].hint


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=[str(wrong) for wrong, _sentence in WRONG])
def test_what_cannot_be_used_has_its_default_so_that_no_checkout_fails(
    settings: Any, wrong: Any, sentence: str
) -> None:
    """H7: servers such as gunicorn run no checks."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    assert options().methods == ("khalti",)
    assert (options().held, options().paid, options().cancelled) == ("Awaiting payment", "Paid", "Cancelled")
    assert options().offered == ("khalti",)


@pytest.mark.parametrize("status", ["Paid", "Refunded", "Awaiting payment"])
def test_a_status_that_only_a_payment_sets_is_no_exit_for_staff(settings: Any, status: str) -> None:
    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, "Pending": (status, "Shipped")}

    assert found() == ["W028"]


@pytest.fixture
def in_the_database() -> Any:
    """Run the checks that read the database: {number: message}, of ours."""

    def run() -> dict[str, Any]:
        found = run_checks(databases=["default"])
        return {str(each.id).rpartition(".")[2]: each for each in found if str(each.id).startswith("loyalink_khalti")}

    return run


def test_products_in_another_currency_are_named(store: Store, guest: Customer, in_the_database: Any) -> None:
    """H6: the checkout said "only Nepalese rupees", and the checks nothing."""
    before = in_the_database()
    pencil = store.add("Pencil", "PENCIL-1", rupees="3.00", stock=10, currency="GBP")
    guest.add(pencil)

    message = in_the_database()["W055"]

    assert "W055" not in before
    assert "not in NPR: 1. Open baskets with such a product: 1." in message.msg
    assert message.msg.endswith("“Pencil” (PENCIL-1, GBP)")


def test_of_many_products_in_another_currency_some_are_named_and_all_counted(
    store: Store, in_the_database: Any
) -> None:
    """H6"""
    for number in range(30):
        store.add(f"Pencil {number}", f"PENCIL-{number}", rupees="3.00", stock=10, currency="GBP")

    message = in_the_database()["W055"].msg

    assert "not in NPR: 30." in message
    assert message.count("“") == 5
    assert message.endswith(", and 25 more")


def test_what_the_hint_says_mends_products_and_baskets(
    store: Store, guest: Customer, khalti: Simulator, in_the_database: Any
) -> None:
    """H6"""
    guest.add(store.add("Pencil", "PENCIL-1", rupees="30.00", stock=10, currency="GBP"))
    hint = in_the_database()["W055"].hint

    exec(hint.partition('-c "')[2].removesuffix('"'))

    assert "W055" not in in_the_database()
    assert payment_of(guest.buy(store.pen)).amount == 6_500
