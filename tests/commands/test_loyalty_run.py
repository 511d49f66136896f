"""``loyalty_run``: what points do on their dates, however often it runs."""

from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.outbox import Message
from loyalink_khalti.signals import points_expiring
from tests.loyalty.conftest import nepal

from .conftest import Run, bought

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

DAY = timedelta(days=1)
START = nepal(2026, 2, 25, 12)
"""Points of that day can be used until 25 February 2027."""
GONE = nepal(2027, 2, 26)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sita(clock: Any, user: Any) -> str:
    """A member with an address and 120 points."""
    give(str(user.pk), 120)
    return str(user.pk)


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    """The arguments of each signal."""
    received: list[dict[str, Any]] = []

    def receive(**arguments: Any) -> None:
        received.append(
            {name: arguments[name] for name in ("site_key", "member_id", "points", "points_value", "last_day")}
        )

    points_expiring.connect(receive)
    yield received
    points_expiring.disconnect(receive)


def give(member_id: str, points: int) -> None:
    key = f"{member_id} {points} {timezone.now()}"
    ledger.adjust(site_key="default", member_id=member_id, points=points, key=key, reason="test")


def test_due_points_expire_and_one_line_says_so(run: Run, sita: str, clock: time_machine.Traveller) -> None:
    give("8", 30)
    clock.move_to(GONE)

    assert run("loyalty_run") == "2 accounts expired (150 points)\n"
    assert run("loyalty_run") == "nothing was due\n"
    assert list(Account.objects.values_list("available", flat=True)) == [0, 0]


def test_pending_points_become_available(run: Run, shop: Any, clock: time_machine.Traveller) -> None:
    ledger.set_rules("default", Rules(pending_days=14))
    bought(shop, member_id="7")
    clock.move_to(START + 14 * DAY)

    assert run("loyalty_run") == "1 account activated (250 points)\n"
    assert Account.objects.get().available == 250


def test_a_tier_lapses_when_its_grace_is_over(run: Run, shop: Any, clock: time_machine.Traveller) -> None:
    ledger.set_rules("default", Rules(tier_grace_days=30))
    purchase = bought(shop, member_id="7", subtotal=600_000)
    ledger.refund(purchase=purchase.key, refund_ref="r", refunded_so_far=purchase.total, subtotal=purchase.total)
    before = Account.objects.get().tier
    clock.move_to(START + 31 * DAY)

    assert run("loyalty_run") == "1 account changed tier\n"
    assert (before, Account.objects.get().tier) == ("Gold", "")


def test_a_member_is_notified_once_by_signal_and_mail(
    run: Run, sita: str, clock: time_machine.Traveller, received: list[dict[str, Any]], settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SITE_URL": "https://shop.example"}
    clock.move_to(GONE - 14 * DAY - timedelta(seconds=1))
    early = run("loyalty_run")
    clock.move_to(GONE - 14 * DAY)

    assert (early, run("loyalty_run"), run("loyalty_run")) == (
        "nothing was due\n", "1 account notified (120 points)\n", "nothing was due\n",
    )  # fmt: skip
    assert received == [
        {"site_key": "default", "member_id": sita, "points": 120, "points_value": 1200, "last_day": date(2027, 2, 25)}
    ]
    (message,) = mail.outbox
    assert (message.to, message.subject) == (
        ["sita@example.com"],
        "120 of your points can be used until 25 February 2027",
    )
    assert "worth Rs 12.00" in message.body
    assert "https://shop.example" in message.body
    assert "25 February 2027" in str(message.alternatives[0][0])  # type: ignore[attr-defined]


def test_points_that_expire_later_are_another_notice(
    run: Run, sita: str, clock: time_machine.Traveller, received: list[dict[str, Any]]
) -> None:
    """Each lot is notified once: points redeemed in between are no new notice, another lot is."""
    clock.move_to(START + DAY)
    give(sita, 50)
    clock.move_to(GONE - 14 * DAY)
    run("loyalty_run")
    give(sita, -20)
    run("loyalty_run")
    clock.move_to(GONE - 13 * DAY)
    run("loyalty_run")

    assert [arguments["points"] for arguments in received] == [120, 150]
    assert [arguments["last_day"].day for arguments in received] == [25, 25]


def test_a_member_without_an_address_gets_the_signal_alone(
    run: Run, clock: time_machine.Traveller, received: list[dict[str, Any]], django_user_model: Any
) -> None:
    member = django_user_model.objects.create_user(username="no-address")
    give(str(member.pk), 120)
    give("99999", 120)  # a user who has been deleted
    clock.move_to(GONE - DAY)

    assert run("loyalty_run") == "2 accounts notified (240 points)\n"
    assert ([arguments["points"] for arguments in received], mail.outbox) == ([120, 120], [])
    assert not Message.objects.filter(sent_at=None).exists()


@pytest.mark.parametrize("days", [0, 30])
def test_the_notice_period_is_a_rule(days: int, run: Run, sita: str, clock: time_machine.Traveller) -> None:
    ledger.set_rules("default", Rules(notice_days=days))
    clock.move_to(GONE - 30 * DAY)

    assert run("loyalty_run") == ("1 account notified (120 points)\n" if days else "nothing was due\n")


def test_blocked_merged_and_erased_accounts_are_not_notified(run: Run, clock: time_machine.Traveller) -> None:
    for member in ("1", "2", "3", "4"):
        give(member, 100)
    ledger.set_blocked(site_key="default", member_id="1", blocked=True)
    ledger.erase(site_key="default", member_id="2")
    ledger.merge(site_key="default", member_id="3", into="4")
    clock.move_to(GONE - DAY)

    assert run("loyalty_run") == "1 account notified (200 points)\n"


def test_a_notice_whose_mail_fails_is_sent_later(
    run: Run, sita: str, clock: time_machine.Traveller, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "nowhere.Backend"
    clock.move_to(GONE - DAY)
    run("loyalty_run")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    clock.shift(timedelta(hours=1))

    list(flow.reconcile())

    assert [message.to for message in mail.outbox] == [["sita@example.com"]]


def test_an_inconsistent_account_does_not_stop_the_others(run: Run, clock: time_machine.Traveller) -> None:
    give("1", 10)
    give("2", 20)
    Account.objects.filter(member_id="1").update(available=5)  # its lot has 10: expiring them breaks a constraint
    clock.move_to(GONE)

    with pytest.raises(SystemExit):
        run("loyalty_run")

    assert list(Account.objects.order_by("pk").values_list("available", flat=True)) == [5, 0]


def test_a_progress_bar_is_shown_on_a_terminal_only(sita: str, clock: time_machine.Traveller) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    screen, log = Terminal(), StringIO()
    give("8", 30)
    clock.move_to(GONE)
    call_command("loyalty_run", stdout=StringIO(), stderr=screen)
    Lot.objects.update(expires_at=None)
    call_command("loyalty_run", stdout=StringIO(), stderr=log)

    assert "2/2" in screen.getvalue()
    assert screen.getvalue().endswith("\r")
    assert log.getvalue() == ""
