"""``loyalty_run``: what time does to points, any number of times."""

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
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.outbox import Message
from loyalink_khalti.signals import points_expiring
from tests.loyalty.conftest import nepal

from .conftest import Run, bought

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

DAY = timedelta(days=1)
START = nepal(2026, 2, 25, 12)
"""Points of that day can be spent until 25 February 2027."""
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
def heard() -> Iterator[list[dict[str, Any]]]:
    """What a listener of the signal was told."""
    told: list[dict[str, Any]] = []

    def listen(**words: Any) -> None:
        told.append({name: words[name] for name in ("site_key", "member_id", "points", "worth", "last_day")})

    points_expiring.connect(listen)
    yield told
    points_expiring.disconnect(listen)


def give(member_id: str, points: int) -> None:
    key = f"{member_id} {points} {timezone.now()}"
    ledger.adjust(site_key="default", member_id=member_id, points=points, key=key, reason="test")


def test_what_is_due_expires_and_one_line_says_so(run: Run, sita: str, clock: time_machine.Traveller) -> None:
    give("8", 30)
    clock.move_to(GONE)

    assert run("loyalty_run") == "2 expired (150 points)\n"
    assert run("loyalty_run") == "nothing was due\n"
    assert list(Account.objects.values_list("available", flat=True)) == [0, 0]


def test_points_whose_waiting_is_over_can_be_spent(run: Run, shop: Any, clock: time_machine.Traveller) -> None:
    programmes.change("default", Rules(waiting_days=14))
    bought(shop, member_id="7")
    clock.move_to(START + 14 * DAY)

    assert run("loyalty_run") == "1 activated (250 points)\n"
    assert Account.objects.get().available == 250


def test_a_tier_lapses_when_its_grace_is_over(run: Run, shop: Any, clock: time_machine.Traveller) -> None:
    programmes.change("default", Rules(tier_grace_days=30))
    purchase = bought(shop, member_id="7", goods=600_000)
    ledger.refund(purchase=purchase.key, refund_ref="r", so_far=purchase.total, goods_total=purchase.total)
    before = Account.objects.get().tier
    clock.move_to(START + 31 * DAY)

    assert run("loyalty_run") == "1 changed tier\n"
    assert (before, Account.objects.get().tier) == ("Gold", "")


def test_a_member_is_warned_once_by_a_signal_and_a_mail(
    run: Run, sita: str, clock: time_machine.Traveller, heard: list[dict[str, Any]], settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SITE_URL": "https://shop.example"}
    clock.move_to(GONE - 14 * DAY - timedelta(seconds=1))
    early = run("loyalty_run")
    clock.move_to(GONE - 14 * DAY)

    assert (early, run("loyalty_run"), run("loyalty_run")) == (
        "nothing was due\n", "1 warned (120 points)\n", "nothing was due\n",
    )  # fmt: skip
    assert heard == [
        {"site_key": "default", "member_id": sita, "points": 120, "worth": 1200, "last_day": date(2027, 2, 25)}
    ]
    (message,) = mail.outbox
    assert (message.to, message.subject) == (
        ["sita@example.com"],
        "120 of your points can be spent until 25 February 2027",
    )
    assert "worth Rs 12.00" in message.body
    assert "https://shop.example" in message.body
    assert "25 February 2027" in str(message.alternatives[0][0])  # type: ignore[attr-defined]


def test_points_that_come_to_be_near_their_end_later_are_another_warning(
    run: Run, sita: str, clock: time_machine.Traveller, heard: list[dict[str, Any]]
) -> None:
    """Of each lot once: what is spent of a set in between is no news, another lot is."""
    clock.move_to(START + DAY)
    give(sita, 50)
    clock.move_to(GONE - 14 * DAY)
    run("loyalty_run")
    give(sita, -20)
    run("loyalty_run")
    clock.move_to(GONE - 13 * DAY)
    run("loyalty_run")

    assert [told["points"] for told in heard] == [120, 150]
    assert [told["last_day"].day for told in heard] == [25, 25]


def test_who_has_no_address_is_told_by_the_signal_alone(
    run: Run, clock: time_machine.Traveller, heard: list[dict[str, Any]], django_user_model: Any
) -> None:
    nobody = django_user_model.objects.create_user(username="no-address")
    give(str(nobody.pk), 120)
    give("99999", 120)  # a user who has been deleted
    clock.move_to(GONE - DAY)

    assert run("loyalty_run") == "2 warned (240 points)\n"
    assert ([told["points"] for told in heard], mail.outbox) == ([120, 120], [])
    assert not Message.objects.filter(sent_at=None).exists()


@pytest.mark.parametrize("days", [0, 30])
def test_how_long_before_is_a_rule(days: int, run: Run, sita: str, clock: time_machine.Traveller) -> None:
    programmes.change("default", Rules(notice_days=days))
    clock.move_to(GONE - 30 * DAY)

    assert run("loyalty_run") == ("1 warned (120 points)\n" if days else "nothing was due\n")


def test_frozen_merged_and_erased_accounts_are_not_warned(run: Run, clock: time_machine.Traveller) -> None:
    for member in ("1", "2", "3", "4"):
        give(member, 100)
    ledger.freeze(site_key="default", member_id="1", frozen=True)
    ledger.erase(site_key="default", member_id="2")
    ledger.merge(site_key="default", member_id="3", into="4")
    clock.move_to(GONE - DAY)

    assert run("loyalty_run") == "1 warned (200 points)\n"


def test_a_warning_whose_mail_fails_is_sent_later(
    run: Run, sita: str, clock: time_machine.Traveller, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "nowhere.Backend"
    clock.move_to(GONE - DAY)
    run("loyalty_run")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    clock.shift(timedelta(hours=1))

    list(flow.reconcile())

    assert [message.to for message in mail.outbox] == [["sita@example.com"]]


def test_an_account_with_broken_books_keeps_no_other_waiting(run: Run, clock: time_machine.Traveller) -> None:
    give("1", 10)
    give("2", 20)
    Account.objects.filter(member_id="1").update(available=5)  # its lot has 10: expiring them breaks a constraint
    clock.move_to(GONE)

    with pytest.raises(SystemExit):
        run("loyalty_run")

    assert list(Account.objects.order_by("pk").values_list("available", flat=True)) == [5, 0]


def test_a_bar_is_drawn_on_a_terminal_alone(sita: str, clock: time_machine.Traveller) -> None:
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
