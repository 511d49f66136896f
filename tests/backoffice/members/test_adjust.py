"""Points are adjusted in two steps, once however often somebody clicks, never below zero, never past a limit alone."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote
from loyalink_khalti.testing import FakeShop
from tests.purchases import at_once

from .conftest import Desk, logged, member, person, url_of, words

pytestmark = pytest.mark.django_db(transaction=True)


def typed(points: int, **changes: Any) -> dict[str, Any]:
    """The form as an editor fills it in."""
    direction = "take" if points < 0 else "add"
    form = {"direction": direction, "points": abs(points), "reason": "goodwill", "note": "", "key": str(uuid4())}
    return {**form, **changes}


def available(account: Account) -> int:
    account.refresh_from_db()
    return account.available


def adjustments(account: Account) -> list[tuple[int, str, str]]:
    """What was booked by hand since the opening: signed points, reason, by whom."""
    entries = account.entries.filter(kind="adjust").exclude(reason_code="opening balance").order_by("seq")
    signed = [(entry.amount if entry.dst == "available" else -entry.amount, entry) for entry in entries]
    return [(points, entry.reason_code, entry.actor or "") for points, entry in signed]


def limit(points: int) -> None:
    LoyaltySettings.objects.create(site=Site.objects.get(is_default_site=True), adjust_limit=points)


def test_first_it_is_shown_what_would_come_of_it_and_nothing_is_booked(editor: Desk, sita: Account) -> None:
    page = editor.post(sita, "adjust", **typed(250, step="preview", note="a torn book"))

    said = words(page)
    assert "+250 points are added. Reason: Goodwill." in said
    assert "Note to colleagues: a torn book" in said
    assert "Available 1,000 1,250" in said
    assert "Worth Rs 100.00 Rs 125.00" in said
    assert "What is added can be spent until the end of" in said
    assert page.select_one("button[value=confirm]").get_text(strip=True) == "Add 250 points"
    assert available(sita) == 1000


def test_what_is_confirmed_is_booked_with_reason_note_and_actor_and_logged(editor: Desk, sita: Account) -> None:
    page = editor.post(sita, "adjust", **typed(-250, step="confirm", reason="complaint", note="a torn book"))

    assert "Took 250 points." in words(page)
    assert available(sita) == 750
    assert adjustments(sita) == [(-250, "complaint", str(editor.user.pk))]
    assert EntryNote.objects.get().text == "a torn book"
    assert logged() == [("maya", "adjust", {"points": -250, "reason": "complaint"})]


def test_the_form_of_the_preview_is_what_is_confirmed(editor: Desk, sita: Account) -> None:
    page = editor.post(sita, "adjust", **typed(250, step="preview", note="=1+1 <b>"))
    fields = {field["name"]: field["value"] for field in page.select("main form input[name]")}
    fields.pop("csrfmiddlewaretoken", None)

    editor.post(sita, "adjust", **fields, step="confirm")

    assert (available(sita), EntryNote.objects.get().text) == (1250, "=1+1 <b>")


def test_change_brings_the_form_back_as_it_was_typed(editor: Desk, sita: Account) -> None:
    page = editor.post(sita, "adjust", **typed(250, step="edit", note="a torn book"))

    assert page.select_one("input[name=points]")["value"] == "250"
    assert "a torn book" in page.select_one("textarea[name=note]").text
    assert available(sita) == 1000


def test_a_second_click_books_and_logs_nothing(editor: Desk, sita: Account) -> None:
    form = typed(250, step="confirm")

    editor.post(sita, "adjust", **form)
    second = editor.post(sita, "adjust", **form)

    assert "nothing was booked twice" in words(second)
    assert (available(sita), len(logged())) == (1250, 1)


def test_the_same_form_with_other_figures_is_refused(editor: Desk, sita: Account) -> None:
    form = typed(250, step="confirm")
    editor.post(sita, "adjust", **form)

    second = editor.post(sita, "adjust", **{**form, "points": 300})

    assert "booked before, with other figures" in words(second)
    assert (available(sita), len(logged())) == (1250, 1)


@pytest.mark.money
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_clicks_at_the_same_moment_book_once(editor: Desk, sita: Account) -> None:
    form = typed(250, step="confirm")

    answers = at_once(4, lambda _number: Desk(editor.user).client.post(url_of(sita, "adjust"), form).status_code)

    assert answers == [302] * 4
    assert (available(sita), len(logged())) == (1250, 1)


@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_nobody_goes_below_zero(editor: Desk, sita: Account, step: str) -> None:
    page = editor.post(sita, "adjust", **typed(-1001, step=step))

    assert "Only 1,000 points are there to be taken" in words(page)
    assert (available(sita), logged()) == (1000, [])


def test_what_is_owed_is_repaid_first_and_the_preview_says_so(
    editor: Desk, shop: FakeShop, owing: Callable[[Account, int], None]
) -> None:
    account = member(person("Ram"))
    owing(account, 40)

    page = editor.post(account, "adjust", **typed(100, step="preview"))
    editor.post(account, "adjust", **typed(100, step="confirm"))

    said = words(page)
    assert "Available 0 60" in said
    assert "Owed 40 0" in said
    assert "40 of them go to what the member owes first." in said
    account.refresh_from_db()
    assert (account.available, account.owed) == (60, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": 0}, "greater than or equal to 1"),
        ({"points": "-5"}, "greater than or equal to 1"),
        ({"points": 1_000_001}, "less than or equal to 1000000"),
        ({"points": "1.5"}, "whole number"),
        ({"points": "9" * 400}, "less than or equal to 1000000"),
        ({"reason": ""}, "required"),
        ({"reason": "because"}, "not one of the available choices"),
        ({"direction": "steal"}, "not one of the available choices"),
        ({"key": "import:1"}, "This form cannot be used any more"),
        ({"note": "x" * 1001}, "at most 1000"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_makes_no_sense_is_told_and_not_booked(
    editor: Desk, sita: Account, changes: dict[str, Any], said: str
) -> None:
    page = editor.post(sita, "adjust", **{**typed(5, step="confirm"), **changes})

    assert said in words(page)
    assert (available(sita), logged()) == (1000, [])


@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_beyond_the_limit_it_needs_somebody_who_may(editor: Desk, sita: Account, step: str) -> None:
    limit(100)

    page = editor.post(sita, "adjust", status=403, **typed(101, step=step))

    assert "You may move 100 points of one member in a day" in words(page)
    assert (available(sita), logged()) == (1000, [])


def test_many_small_ones_come_to_the_limit_too(editor: Desk, sita: Account) -> None:
    limit(100)
    editor.post(sita, "adjust", **typed(60, step="confirm"))
    editor.post(sita, "adjust", **typed(-40, step="confirm"))

    page = editor.post(sita, "adjust", status=403, **typed(1, step="confirm"))

    assert "in a day" in words(page)
    assert available(sita) == 1020


def test_a_second_click_on_what_reached_the_limit_is_no_refusal(editor: Desk, sita: Account) -> None:
    limit(100)
    form = typed(100, step="confirm")
    editor.post(sita, "adjust", **form)

    assert "nothing was booked twice" in words(editor.post(sita, "adjust", **form))


@pytest.mark.money
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_the_limit_holds_against_clicks_at_the_same_moment(editor: Desk, sita: Account) -> None:
    limit(100)

    answers = at_once(
        3,
        lambda _number: Desk(editor.user).client.post(url_of(sita, "adjust"), typed(60, step="confirm")).status_code,
    )

    assert sorted(answers, key=str) == [302, 403, 403]
    assert available(sita) == 1060


def test_an_accountant_may_go_beyond_the_limit(accountant: Desk, sita: Account) -> None:
    limit(100)

    accountant.post(sita, "adjust", **typed(5000, step="confirm"))

    assert available(sita) == 6000


def test_who_was_merged_or_erased_is_adjusted_no_more(admin: Desk, sita: Account) -> None:
    ram = member(person("Ram"))
    Account.objects.filter(pk=sita.pk).update(successor=ram)
    merged = words(admin.post(sita, "adjust", **typed(5, step="confirm")))
    Account.objects.filter(pk=sita.pk).update(successor=None, member_id=None)
    erased = words(admin.post(sita, "adjust", **typed(5, step="confirm")))

    assert "merged into another" in merged
    assert "was erased" in erased
    assert not Entry.objects.exclude(reason_code="opening balance").exists()


def test_the_site_history_says_what_was_done_and_leads_to_the_member(admin: Desk, sita: Account) -> None:
    admin.post(sita, "adjust", **typed(1250, step="confirm", note="a secret about her"))

    page = admin.client.get("/admin/reports/site-history/").content.decode()

    assert "Added 1,250 points: Goodwill" in page
    assert f'href="{url_of(sita)}"' in page
    assert "secret" not in page
    assert "Sita" not in ModelLogEntry.objects.get(action="loyalink_khalti.adjust").label


def test_what_cannot_be_logged_is_not_booked(editor: Desk, sita: Account) -> None:
    def no_room(**_kwargs: Any) -> None:
        raise OSError("no room for the log")

    editor.client.raise_request_exception = False
    pre_save.connect(no_room, sender=ModelLogEntry)
    try:
        answer = editor.client.post(url_of(sita, "adjust"), typed(5, step="confirm"))
    finally:
        pre_save.disconnect(no_room, sender=ModelLogEntry)

    assert answer.status_code == 500
    assert available(sita) == 1000
