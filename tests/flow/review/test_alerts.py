"""Staff get an e-mail about new Flags: each Flag once, all of an hour in one mail."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone, translation

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.review import alerts
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.flags import raise_flag, resolve_flags
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags

pytestmark = [
    pytest.mark.money,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_mails_to_customers"),
]

HOUR = timedelta(hours=1)
TO = "maya@example.com"


class BackendThatDies(EmailBackend):
    """Sends the mail, and is killed before that is recorded."""

    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise SystemExit


@pytest.fixture
def staff(settings: Any, shop: FakeShop) -> str:
    """The address that receives alerts."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": [TO]}
    settings.DEFAULT_FROM_EMAIL = "Saraswati Stationery <shop@saraswati.example>"
    return TO


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.fromisoformat("2026-02-25T06:15:00+00:00"), tick=False) as traveller:
        yield traveller


def flagged(shop: FakeShop, khalti: Khalti, ref: str = "order-1") -> Payment:
    """A payment of which Khalti captured a different amount than was due."""
    payment = flow.begin_payment(shop.freeze(shop.cart(ref)))
    khalti.pay(payment.pidx, total_amount=100)
    flow.verify_payment(payment)
    return payment


def subjects() -> list[str]:
    """The subjects of the mails."""
    return [message.subject for message in mail.outbox]


def test_a_new_flag_is_mailed_with_how_to_find_the_payment(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """I16"""
    flagged(shop, khalti)

    (message,) = mail.outbox
    assert (message.to, message.subject) == ([staff], "1 payment needs review")
    flag = Flag.objects.get()
    assert f"#{flag.pk}  order-1-1, Rs 2,500.00, 25 February 2026, 12:00" in message.body
    assert "Khalti captured a different amount than was due." in message.body
    assert f"python manage.py khalti_flags {flag.pk}\n" in message.body
    assert message.body.rstrip().endswith("https://shop.example")
    assert flag.mailed_at == timezone.now()


def test_what_is_about_money_comes_first_in_the_mail_and_counted_flags_say_how_often(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """D4: a real flag does not drown."""
    khalti.next_initiate = [(400, {}, '{"detail": "no"}')] * 3
    mail.outbox.clear()
    for number in range(3):
        with pytest.raises(CannotPay):
            flow.begin_payment(shop.freeze(shop.cart(f"refused-{number}")))
    flagged(shop, khalti)
    Flag.objects.update(mailed_at=None)
    clock.shift(2 * HOUR)
    list(flow.reconcile())

    body = mail.outbox[-1].body
    assert body.index("order-1-1") < body.index("refused-0-1")
    assert "Khalti refused to create a payment. (3 times)" in body


def test_in_a_shop_with_wagtails_admin_the_mail_links_to_the_payments_to_review(
    staff: str, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    settings.ROOT_URLCONF = "sandbox.urls"

    flagged(shop, khalti)

    (message,) = mail.outbox
    assert message.body.rstrip().endswith("https://shop.example/admin/khalti/reports/review/")


def test_the_mail_names_no_customer(staff: str, shop: FakeShop, khalti: Khalti) -> None:
    """I11, L01: a mail is read on many a screen."""
    flagged(shop, khalti)

    (message,) = mail.outbox
    for private in ("Sita", "sita@example.com", "9800000001", "pidx1", "T-pidx1"):
        assert private not in message.subject + message.body


def test_each_flag_is_mailed_once(staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller) -> None:
    payment = flagged(shop, khalti)
    for _hour in range(3):
        clock.shift(HOUR)
        flow.verify_payment(payment, ignore_back_off=True)
        list(flow.reconcile())

    assert (flags(), subjects()) == (["amount_mismatch"], ["1 payment needs review"])


def test_new_flags_within_an_hour_wait_for_one_mail(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    start = timezone.now()
    for number in range(4):
        clock.move_to(start + number * timedelta(minutes=10))
        flagged(shop, khalti, f"order-{number}")
    clock.move_to(start + HOUR - timedelta(seconds=1))
    outbox.deliver()
    within = subjects()
    clock.move_to(start + HOUR)
    outbox.deliver()

    assert within == ["1 payment needs review"]
    assert subjects() == [*within, "3 payments need review"]
    assert [f"order-{number}-1" in mail.outbox[1].body for number in range(4)] == [False, True, True, True]


def test_twenty_concurrent_flags_are_one_mail_and_one_an_hour_later(
    staff: str, shop: FakeShop, khalti: Khalti
) -> None:
    """G08"""
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))) for number in range(20)]
    for payment in payments:
        khalti.pay(payment.pidx, total_amount=100)

    outcomes = at_once(20, lambda index: flow.verify_payment(payments[index]))
    at_first = len(mail.outbox)
    with time_machine.travel(timezone.now() + HOUR, tick=False):
        list(flow.reconcile(due_only=True))

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert (at_first, len(mail.outbox)) == (1, 2)
    assert Flag.objects.filter(mailed_at=None).count() == 0


def test_a_flag_resolved_before_the_mail_is_not_mailed(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    for ref in ("order-1", "order-2", "order-3"):
        flagged(shop, khalti, ref)
    Flag.objects.filter(payment__purchase__ref="order-2").update(resolved_at=timezone.now())
    clock.shift(HOUR)
    outbox.deliver()

    assert subjects() == ["1 payment needs review"] * 2
    assert "order-3-1" in mail.outbox[1].body


def test_a_mail_sent_twice_carries_the_same_id(staff: str, shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    """B09: killed after the mail had left, and before that was written down."""
    settings.EMAIL_BACKEND = f"{__name__}.BackendThatDies"
    with pytest.raises(SystemExit):
        flagged(shop, khalti)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        list(flow.reconcile(due_only=True))

    ids = [message.message()["Message-ID"] for message in mail.outbox]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert ids[0].endswith("@shop.example>")
    assert Flag.objects.get().mailed_at is not None


def test_flags_of_a_process_that_died_before_mailing_are_mailed_by_the_next_pass(
    staff: str, shop: FakeShop, khalti: Khalti
) -> None:
    """B03"""
    flagged(shop, khalti)
    mail.outbox.clear()
    Message.objects.all().delete()
    Flag.objects.update(mailed_at=None)

    list(flow.reconcile())
    list(flow.reconcile())

    assert subjects() == ["1 payment needs review"]


def test_a_flag_raised_while_a_mail_is_written_is_in_the_next_mail(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """Its message was not written: one was waiting, and has read its flags already."""
    flagged(shop, khalti)
    Flag.objects.create(payment=Payment.objects.get(), reason=FlagReason.LATE)
    clock.shift(HOUR)

    list(flow.reconcile(due_only=True))

    assert subjects() == ["1 payment needs review"] * 2
    assert "Paid after stock and points were released." in mail.outbox[1].body


def test_reconciling_one_payment_mails_flags_as_well(staff: str, shop: FakeShop, khalti: Khalti) -> None:
    """G06"""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    Flag.objects.create(payment=payment, reason=FlagReason.LATE)

    flow.reconcile_one()

    assert subjects() == ["1 payment needs review"]


def test_without_an_alert_address_the_managers_get_the_mail(settings: Any, shop: FakeShop, khalti: Khalti) -> None:
    settings.MANAGERS = [("Ram", "ram@example.com"), ("Gita", "gita@example.com")]

    flagged(shop, khalti)

    assert [message.to for message in mail.outbox] == [["ram@example.com", "gita@example.com"]]


def test_without_any_address_nothing_fails_and_nothing_piles_up(
    settings: Any, shop: FakeShop, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MANAGERS = []
    flagged(shop, khalti)

    list(flow.reconcile())

    assert (mail.outbox, caplog.records) == ([], [])
    assert (flags(), Message.objects.filter(sent_at=None).count()) == (["amount_mismatch"], 0)


def test_a_mail_that_cannot_be_sent_is_tried_again_and_the_payment_is_unchanged(
    staff: str, shop: FakeShop, khalti: Khalti, settings: Any, clock: time_machine.Traveller
) -> None:
    """G07"""
    settings.EMAIL_BACKEND = "nowhere.Backend"
    payment = flagged(shop, khalti)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    clock.shift(timedelta(minutes=1))

    outbox.deliver()

    payment.refresh_from_db()
    assert (payment.state, subjects()) == ("mismatched", ["1 payment needs review"])


def test_of_very_many_flags_the_first_fifty_are_listed_and_the_rest_counted(
    staff: str, shop: FakeShop, khalti: Khalti, django_assert_max_num_queries: Any
) -> None:
    for number in range(alerts.MOST + 2):
        with_flag = Payment.objects.create(
            purchase=flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))).purchase,
            credentials=Payment.objects.earliest("pk").credentials,
            environment="test",
            amount=100,
            attempt=2,
            state="released",
        )
        Flag.objects.create(payment=with_flag, reason=FlagReason.LATE)

    with django_assert_max_num_queries(3):
        alerts.send_digest(message_id=1)

    (message,) = mail.outbox
    assert message.subject == "52 payments need review"
    assert (message.body.count("Paid after stock and points"), "… and 2 more." in message.body) == (alerts.MOST, True)
    assert Flag.objects.filter(mailed_at=None).count() == 0


def test_the_mail_is_in_the_language_of_the_shop_not_of_the_customer(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    with translation.override("ne"):
        flagged(shop, khalti)

    assert subjects() == ["1 payment needs review"]
    assert "25 February 2026, 12:00" in mail.outbox[0].body


def test_a_flag_raised_again_after_it_was_resolved_automatically_is_mailed_again(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    payment = flagged(shop, khalti)
    resolve_flags(payment, [FlagReason.AMOUNT_MISMATCH], "paid")
    clock.shift(HOUR)

    raise_flag(payment, FlagReason.AMOUNT_MISMATCH, {"total_amount": 100})

    assert subjects() == ["1 payment needs review"] * 2
