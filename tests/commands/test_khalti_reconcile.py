"""``khalti_reconcile``: one pass or a loop, with a summary in one line."""

import re
import time
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import requests
import time_machine
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.flow.operations import reconcile
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD
from loyalink_khalti.khalti.credentials import Secret
from loyalink_khalti.management.commands.khalti_reconcile import Command
from loyalink_khalti.payments import servers
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class EndOfTheLoop(Exception):
    """Ends the loop."""


def begin(shop: FakeShop, ref: str = "order-1") -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref)))


def paid(shop: FakeShop, khalti: Khalti, number: int = 3) -> None:
    """Customers who have paid and closed the page."""
    for each in range(number):
        khalti.pay(begin(shop, f"order-{each}").pidx)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of the command in seconds; the third one ends it."""
    taken: list[float] = []

    def pause(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == 3:
            raise EndOfTheLoop

    monkeypatch.setattr(time, "sleep", pause)
    return taken


def loop(*options: str) -> tuple[str, str]:
    """The output of the loop on both streams."""
    out, err = StringIO(), StringIO()
    with pytest.raises(EndOfTheLoop):
        call_command("khalti_reconcile", "--loop", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


# One pass


def test_a_pass_without_payments_says_so(run: Run, shop: FakeShop) -> None:
    assert run("khalti_reconcile") == "nothing to look up\n"


def test_a_pass_summarises_in_one_line(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """G03, I3"""
    paid(shop, khalti)
    begin(shop, "order-3")
    khalti.says(begin(shop, "order-4").pidx, "Expired")

    first, second = run("khalti_reconcile"), run("khalti_reconcile")

    assert first == "1 confirming, 1 expired, 3 paid\n"
    assert second == "1 confirming, 1 expired, 3 unchanged\n"


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_any_number_of_workers_finds_the_same(run: Run, shop: FakeShop, khalti: Khalti, workers: int) -> None:
    """G01"""
    paid(shop, khalti, 5)

    assert run("khalti_reconcile", "--workers", workers) == "5 paid\n"
    assert sorted(khalti.looked_up) == [f"pidx{number}" for number in range(1, 6)]


def test_verbose_output_has_a_line_for_each_payment(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 2)

    lines = run("khalti_reconcile", "-v2").splitlines()

    assert sorted(lines[:2]) == ["order-0-1: paid", "order-1-1: paid"]
    assert lines[2] == "2 paid"
    assert re.fullmatch(r"2 looked up in \d+\.\d s, \d+ a second, by 1 × 16 workers", lines[3])


def test_if_khalti_stops_responding_the_pass_stops_and_says_so(shop: FakeShop, khalti: Khalti) -> None:
    """C01, G05"""
    paid(shop, khalti, FAILURE_THRESHOLD + 3)
    khalti.next_lookup = [requests.ConnectionError("refused") for _time in range(100)]
    out, err = StringIO(), StringIO()

    call_command("khalti_reconcile", "--workers", "1", stdout=out, stderr=err)

    assert len(khalti.looked_up) == FAILURE_THRESHOLD
    assert out.getvalue() == f"{FAILURE_THRESHOLD} confirming, 3 not looked up: Khalti is not responding\n"
    assert "Khalti is not responding; the next pass looks up the remaining payments." in err.getvalue()


def test_in_an_outage_the_command_says_since_when(shop: FakeShop, khalti: Khalti) -> None:
    """R1, R1c"""
    paid(shop, khalti, 2)
    with time_machine.travel(datetime.fromisoformat("2026-02-25T06:15:00+00:00"), tick=False):
        for _time in range(FAILURE_THRESHOLD):
            servers.record_failure("https://dev.khalti.com", "no answer from /api/v2/epayment/lookup/ (ReadTimeout)")
        khalti.next_lookup = [requests.ReadTimeout("silence")]
        out, err = StringIO(), StringIO()
        call_command("khalti_reconcile", stdout=out, stderr=err)

    assert out.getvalue() == "1 confirming, 1 not looked up: Khalti is not responding\n"
    assert (
        "https://dev.khalti.com has given no usable answer since 2026-02-25 12:00:"
        " no answer from /api/v2/epayment/lookup/ (ReadTimeout)." in err.getvalue()
    )


def test_a_loop_with_more_due_than_one_pass_takes_does_not_pause(
    shop: FakeShop, khalti: Khalti, settings: Any, pauses: list[float]
) -> None:
    """R1, R1d: each pass begins with what may be paid."""
    paid(shop, khalti, 5)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LOOKUPS_PER_SECOND": 2}
    with time_machine.travel(timezone.now() + timedelta(minutes=10)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "LONGEST_PASS", 1)
        out, _err = loop()

    assert out.splitlines() == ["2 paid", "2 paid", "1 paid"]
    assert len(pauses) == 3  # before which there is nothing more to look up


@pytest.mark.parametrize("stored_by_editors", [False, True])
def test_a_pass_without_the_servers_keys_says_so_changes_nothing_and_exits_2(
    shop: FakeShop, khalti: Khalti, settings: Any, caplog: pytest.LogCaptureFixture, *, stored_by_editors: bool
) -> None:
    """D7: under cron, without the server's environment."""
    with_keys = {**settings.LOYALINK_KHALTI, "FERNET_KEYS": [Fernet.generate_key().decode()]}
    settings.LOYALINK_KHALTI = with_keys
    if stored_by_editors:
        conf.save_secret_key("default", conf.TEST, Secret(KEY))
    paid(shop, khalti, 3)
    before = list(Payment.objects.order_by("pk").values())
    settings.LOYALINK_KHALTI = {**with_keys, "KHALTI_SECRET_KEY": "", "FERNET_KEYS": []}

    with pytest.raises(CommandError, match="this process has no key") as failed:
        call_command("khalti_reconcile", stdout=StringIO(), stderr=StringIO())

    assert failed.value.returncode == 2
    assert (list(Payment.objects.order_by("pk").values()), khalti.looked_up) == (before, [])
    assert not Flag.objects.exists()
    assert [record.message for record in caplog.records if "no payment of key" in record.message] == [
        record.message for record in caplog.records
    ][:1]

    settings.LOYALINK_KHALTI = with_keys
    out = StringIO()
    call_command("khalti_reconcile", stdout=out)
    assert out.getvalue() == "3 paid\n"


def test_a_loop_without_the_servers_keys_says_so_in_each_pass_and_continues(
    shop: FakeShop, khalti: Khalti, settings: Any, pauses: list[float]
) -> None:
    """D7"""
    paid(shop, khalti, 1)
    Payment.objects.update(next_poll_at=timezone.now())
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    _out, err = loop()

    assert err.count("this process has no key") == 3
    assert not Flag.objects.exists()


@pytest.mark.parametrize("option", ["--workers", "--processes", "--pause"])
@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5", ""])
def test_an_invalid_number_is_refused_with_a_message(run: Run, option: str, value: str) -> None:
    with pytest.raises(CommandError, match=rf"argument {option}: '{value}' is not a whole number above 0"):
        run("khalti_reconcile", f"{option}={value}")


# The progress bar


def test_on_a_terminal_a_progress_bar_is_shown_and_removed(shop: FakeShop, khalti: Khalti) -> None:
    """G03"""
    paid(shop, khalti, 3)
    out, screen = StringIO(), Terminal()

    call_command("khalti_reconcile", stdout=out, stderr=screen)

    assert re.findall(r"payments [█·]{30} (\d/\d)", screen.getvalue()) == ["1/3", "2/3", "3/3"]
    assert re.search(r"\r +\r$", screen.getvalue())
    assert out.getvalue() == "3 paid\n"


def test_the_progress_bar_is_not_red(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    screen = Terminal()

    call_command(Command(stdout=StringIO(), stderr=screen, force_color=True))  # type: ignore[arg-type]

    assert "1/1" in screen.getvalue()
    assert "\x1b[" not in screen.getvalue()


def test_verbose_output_has_no_progress_bar(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    screen = Terminal()

    call_command("khalti_reconcile", "-v2", stdout=screen, stderr=screen)

    assert screen.getvalue().startswith("order-0-1: paid\n1 paid\n")


def test_without_a_terminal_there_is_no_progress_bar(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    err = StringIO()

    call_command("khalti_reconcile", stdout=StringIO(), stderr=err)

    assert err.getvalue() == ""


# The loop


def test_the_loop_looks_up_due_payments_and_is_silent_without_them(
    shop: FakeShop, khalti: Khalti, pauses: list[float]
) -> None:
    paid(shop, khalti, 2)
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        output = loop()

    assert output == ("2 paid\n", "")
    assert len(khalti.looked_up) == 2


def test_the_pauses_are_random(shop: FakeShop, pauses: list[float]) -> None:
    """G05: many shops on one machine do not all call in the same second."""
    loop("--pause", "100")

    assert all(90 <= pause <= 110 for pause in pauses)
    assert len(set(pauses)) == 3


def test_the_loop_continues_after_a_database_failure(shop: FakeShop, khalti: Khalti, pauses: list[float]) -> None:
    """H01"""
    paid(shop, khalti, 1)

    def fail(execute: Any, *statement: Any) -> Any:
        if not pauses:
            raise OperationalError("server closed the connection; password=hunter2")
        return execute(*statement)

    with time_machine.travel(timezone.now() + timedelta(minutes=10)), connection.execute_wrapper(fail):
        out, err = loop()

    assert out == "1 paid\n"
    assert err.startswith("the database: OperationalError in ")
    assert "hunter2" not in err


def test_ctrl_c_ends_the_loop_silently(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", press)
    out, err = StringIO(), StringIO()

    call_command("khalti_reconcile", "--loop", stdout=out, stderr=err)

    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_without_the_loop_a_database_failure_is_an_error(run: Run, shop: FakeShop) -> None:
    """H01: the scheduler sees the failure."""

    def fail(*_statement: Any) -> Any:
        raise OperationalError("server closed the connection")

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        run("khalti_reconcile")
