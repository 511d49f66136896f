"""``khalti_reconcile``: one look at everything, or a look again and again, said in a line."""

import re
import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.khalti.gate import SILENCES
from loyalink_khalti.management.commands.khalti_reconcile import Command
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


class Terminal(StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


class EndOfTheLoop(Exception):
    """It would go on for ever."""


def begin(shop: FakeShop, ref: str = "order-1") -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref)))


def paid(shop: FakeShop, khalti: Khalti, number: int = 3) -> None:
    """So many shoppers have paid and closed the page."""
    for each in range(number):
        khalti.pay(begin(shop, f"order-{each}").pidx)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command has paused; the third pause ends it."""
    taken: list[float] = []

    def pause(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == 3:
            raise EndOfTheLoop

    monkeypatch.setattr(time, "sleep", pause)
    return taken


def loop(*words: str) -> tuple[str, str]:
    """What the loop says on both streams until it is ended."""
    out, err = StringIO(), StringIO()
    with pytest.raises(EndOfTheLoop):
        call_command("khalti_reconcile", "--loop", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


# One pass


def test_a_pass_over_nothing_says_so(run: Run, shop: FakeShop) -> None:
    assert run("khalti_reconcile") == "nothing was waiting\n"


def test_a_pass_says_in_a_line_what_it_found(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """G03, I3"""
    paid(shop, khalti)
    begin(shop, "order-3")
    khalti.says(begin(shop, "order-4").pidx, "Expired")

    first, second = run("khalti_reconcile"), run("khalti_reconcile")

    assert first == "1 confirming, 1 expired, 3 paid\n"
    assert second == "1 confirming, 1 expired, 3 paid before\n"


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_any_number_of_workers_find_the_same(run: Run, shop: FakeShop, khalti: Khalti, workers: int) -> None:
    """G01"""
    paid(shop, khalti, 5)

    assert run("khalti_reconcile", "--workers", workers) == "5 paid\n"
    assert sorted(khalti.asked) == [f"pidx{number}" for number in range(1, 6)]


def test_one_by_one_it_says_what_became_of_each_payment(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 2)

    lines = run("khalti_reconcile", "-v2").splitlines()

    assert sorted(lines[:-1]) == ["order-0-1: paid", "order-1-1: paid"]
    assert lines[-1] == "2 paid"


def test_a_server_that_falls_silent_is_left_alone_and_that_is_said(shop: FakeShop, khalti: Khalti) -> None:
    """C01, G05"""
    paid(shop, khalti, SILENCES + 3)
    khalti.next_lookup = [requests.ConnectionError("refused") for _time in range(100)]
    out, err = StringIO(), StringIO()

    call_command("khalti_reconcile", "--workers", "1", stdout=out, stderr=err)

    assert len(khalti.asked) == SILENCES
    assert out.getvalue() == f"{SILENCES} confirming, 3 not asked: Khalti does not answer\n"
    assert "Khalti does not answer just now; the next pass asks about what is left." in err.getvalue()


@pytest.mark.parametrize("option", ["--workers", "--pause"])
@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5", ""])
def test_a_number_that_is_none_is_refused_in_words(run: Run, option: str, value: str) -> None:
    with pytest.raises(CommandError, match=rf"argument {option}: '{value}' is not a whole number above 0"):
        run("khalti_reconcile", f"{option}={value}")


# The bar


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_goes(shop: FakeShop, khalti: Khalti) -> None:
    """G03"""
    paid(shop, khalti, 3)
    out, screen = StringIO(), Terminal()

    call_command("khalti_reconcile", stdout=out, stderr=screen)

    assert re.findall(r"payments [█·]{30} (\d/\d)", screen.getvalue()) == ["1/3", "2/3", "3/3"]
    assert re.search(r"\r +\r$", screen.getvalue())
    assert out.getvalue() == "3 paid\n"


def test_the_bar_is_no_error_and_not_written_in_red(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    screen = Terminal()

    call_command(Command(stdout=StringIO(), stderr=screen, force_color=True))  # type: ignore[arg-type]

    assert "1/1" in screen.getvalue()
    assert "\x1b[" not in screen.getvalue()


def test_where_each_payment_has_a_line_there_is_no_bar_between_them(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    screen = Terminal()

    call_command("khalti_reconcile", "-v2", stdout=screen, stderr=screen)

    assert screen.getvalue() == "order-0-1: paid\n1 paid\n"


def test_nobody_watches_a_log_and_so_there_is_no_bar(shop: FakeShop, khalti: Khalti) -> None:
    paid(shop, khalti, 1)
    err = StringIO()

    call_command("khalti_reconcile", stdout=StringIO(), stderr=err)

    assert err.getvalue() == ""


# Again and again


def test_the_loop_asks_about_each_when_it_is_due_and_is_silent_when_nothing_was(
    shop: FakeShop, khalti: Khalti, pauses: list[float]
) -> None:
    paid(shop, khalti, 2)
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        said = loop()

    assert said == ("2 paid\n", "")
    assert len(khalti.asked) == 2


def test_the_pauses_are_spread(shop: FakeShop, pauses: list[float]) -> None:
    """G05: many shops on one machine do not ask all at one second."""
    loop("--pause", "100")

    assert all(90 <= pause <= 110 for pause in pauses)
    assert len(set(pauses)) == 3


def test_the_loop_goes_on_after_the_database_was_away(shop: FakeShop, khalti: Khalti, pauses: list[float]) -> None:
    """H01"""
    paid(shop, khalti, 1)

    def away(execute: Any, *statement: Any) -> Any:
        if not pauses:
            raise OperationalError("server closed the connection; password=hunter2")
        return execute(*statement)

    with time_machine.travel(timezone.now() + timedelta(minutes=10)), connection.execute_wrapper(away):
        out, err = loop()

    assert out == "1 paid\n"
    assert err.startswith("the database: OperationalError in ")
    assert "hunter2" not in err


def test_ctrl_c_ends_the_loop_without_a_word(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", press)
    out, err = StringIO(), StringIO()

    call_command("khalti_reconcile", "--loop", stdout=out, stderr=err)

    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_a_pass_without_a_loop_says_that_the_database_is_away_by_failing(run: Run, shop: FakeShop) -> None:
    """H01: whatever scheduled it hears of it."""

    def away(*_statement: Any) -> Any:
        raise OperationalError("server closed the connection")

    with connection.execute_wrapper(away), pytest.raises(OperationalError):
        run("khalti_reconcile")
