"""R6: the Fernet key that encrypted Khalti's secret key is lost, and the site has another secret key by now."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from loyalink_khalti import conf, flow
from loyalink_khalti.khalti import Secret
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti, flags, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
NEW_KEY = KEY.replace("c0ffee", "decade")
NOT_FOUND = (404, {}, '{"detail": "Not found.", "error_key": "validation_error"}')


@pytest.fixture
def lose(settings: Any) -> Callable[[], None]:
    """Replace the Fernet key; the secret keys that it encrypted cannot be read any more."""

    def lose() -> None:
        settings.LOYALINK_KHALTI = {
            **settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": "", "FERNET_KEYS": [Fernet.generate_key().decode()]
        }  # fmt: skip

    return lose


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, lose: Callable[[], None]) -> Payment:
    """A payment that an editors' key has opened; the Fernet key of that one is lost."""
    lose()
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    lose()
    return payment


def test_an_open_payment_settles_with_the_new_key(payment: Payment, khalti: Khalti) -> None:
    """R6"""
    conf.save_secret_key("default", conf.TEST, Secret(NEW_KEY))
    khalti.pay(payment.pidx)

    found = [result.outcome for result in flow.reconcile()]

    assert (found, states_of(payment), flags()) == ([Outcome.PAID], ("fulfilled", "placed"), [])


def test_what_the_new_key_does_not_find_says_nothing(payment: Payment, khalti: Khalti) -> None:
    """R6: it may be another merchant's."""
    conf.save_secret_key("default", conf.TEST, Secret(NEW_KEY))
    khalti.next_lookup = [NOT_FOUND] * 4

    outcomes = [flow.verify_payment(payment, ignore_back_off=True) for _ in range(4)]

    assert outcomes == [Outcome.CONFIRMING] * 4
    assert (flags(), states_of(payment)) == (["key_gone"], ("initiated", "open"))


def test_a_pass_that_can_read_no_key_touches_nothing_and_exits_with_2(
    payment: Payment, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """R6, D7, R6b: both keys are unreadable here; another process may read them."""
    before = Payment.objects.values().get()

    with pytest.raises(CommandError) as caught:
        call_command("khalti_reconcile")

    assert caught.value.returncode == 2
    assert (Payment.objects.values().get(), flags(), khalti.looked_up) == (before, [], [])
    assert caplog.text.count("no payment of key") == 1


def test_staff_see_a_payment_that_no_key_can_look_up(payment: Payment, khalti: Khalti) -> None:
    """R6: the page that they have open says so, by a flag."""
    answer = flow.refresh_payment(payment)

    assert (answer.status, flags(), khalti.looked_up) == ("", ["key_gone"], [])


def test_a_refund_is_sent_with_the_new_key(payment: Payment, khalti: Khalti, lose: Callable[[], None]) -> None:
    """R6, R6c"""
    conf.save_secret_key("default", conf.TEST, Secret(NEW_KEY))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    purchase = Payment.objects.get().purchase

    refund = flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="all", actor="1")

    assert (refund.state, [transaction for transaction, _body in khalti.refunded]) == ("done", [f"T-{payment.pidx}"])


def test_without_a_readable_key_no_refund_is_sent(payment: Payment, khalti: Khalti, lose: Callable[[], None]) -> None:
    """R6, R6c: it is refused with the reason, and can be made later."""
    conf.save_secret_key("default", conf.TEST, Secret(NEW_KEY))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    lose()
    purchase = Payment.objects.get().purchase

    refund = flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="all", actor="1")

    assert (refund.state, khalti.refunded) == ("refused", [])
    assert "LOYALINK_FERNET_KEYS" in refund.khalti_message
    assert states_of(payment) == ("fulfilled", "placed")
