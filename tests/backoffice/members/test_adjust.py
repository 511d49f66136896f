"""Points are adjusted in two steps, once per form, never below zero and never beyond the limit without permission."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti.backoffice.members.adjust import AdjustForm
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text
from tests.purchases import at_once

from .conftest import MemberDesk, customer, logged_actions, member, url_of

pytestmark = pytest.mark.django_db(transaction=True)


def form_data(points: int, **changes: Any) -> dict[str, Any]:
    """Return the data of a filled-in form."""
    direction = "deduct" if points < 0 else "add"
    form = {"direction": direction, "points": abs(points), "reason": "goodwill", "note": "", "key": str(uuid4())}
    return {**form, **changes}


def available(account: Account) -> int:
    account.refresh_from_db()
    return account.available


def adjustments(account: Account) -> list[tuple[int, str, str]]:
    """Return the adjustments since the opening balance: signed points, reason, actor."""
    entries = account.entries.filter(kind="adjust").exclude(reason_code="opening balance").order_by("seq")
    signed = [(entry.amount if entry.dst == "available" else -entry.amount, entry) for entry in entries]
    return [(points, entry.reason_code, entry.actor or "") for points, entry in signed]


def limit(points: int) -> None:
    LoyaltySettings.objects.create(site=Site.objects.get(is_default_site=True), adjust_limit=points)


def test_the_preview_shows_the_effect_and_changes_nothing(editor: MemberDesk, sita: Account) -> None:
    page = editor.submit(sita, "adjust", **form_data(250, step="preview", note="a torn book"))

    text = page_text(page)
    assert "+250 points will be added. Reason: Goodwill." in text
    assert "Note for staff: a torn book" in text
    assert "Available 1,000 1,250" in text
    assert "Worth Rs 100.00 Rs 125.00" in text
    assert "The added points can be used until the end of" in text
    assert page.select_one("button[value=confirm]").get_text(strip=True) == "Add 250 points"
    assert available(sita) == 1000


def test_a_confirmed_adjustment_has_reason_note_and_actor_and_is_logged(editor: MemberDesk, sita: Account) -> None:
    page = editor.submit(sita, "adjust", **form_data(-250, step="confirm", reason="complaint", note="a torn book"))

    assert "Deducted 250 points." in page_text(page)
    assert available(sita) == 750
    assert adjustments(sita) == [(-250, "complaint", str(editor.user.pk))]
    assert EntryNote.objects.get().text == "a torn book"
    assert logged_actions() == [("maya", "adjust", {"points": -250, "reason": "complaint"})]


def test_the_preview_submits_what_it_shows(editor: MemberDesk, sita: Account) -> None:
    page = editor.submit(sita, "adjust", **form_data(250, step="preview", note="=1+1 <b>"))
    fields = {field["name"]: field["value"] for field in page.select("main form input[name]")}
    fields.pop("csrfmiddlewaretoken", None)

    editor.submit(sita, "adjust", **fields, step="confirm")

    assert (available(sita), EntryNote.objects.get().text) == (1250, "=1+1 <b>")


def test_change_shows_the_form_with_its_values(editor: MemberDesk, sita: Account) -> None:
    page = editor.submit(sita, "adjust", **form_data(250, step="edit", note="a torn book"))

    assert page.select_one("input[name=points]")["value"] == "250"
    assert "a torn book" in page.select_one("textarea[name=note]").text
    assert available(sita) == 1000


def test_a_second_click_changes_and_logs_nothing(editor: MemberDesk, sita: Account) -> None:
    form = form_data(250, step="confirm")

    editor.submit(sita, "adjust", **form)
    second = editor.submit(sita, "adjust", **form)

    assert "already made. Nothing was changed." in page_text(second)
    assert (available(sita), len(logged_actions())) == (1250, 1)


def test_the_same_form_with_other_figures_is_refused(editor: MemberDesk, sita: Account) -> None:
    form = form_data(250, step="confirm")
    editor.submit(sita, "adjust", **form)

    second = editor.submit(sita, "adjust", **{**form, "points": 300})

    assert "An adjustment with other figures was already made with this form." in page_text(second)
    assert (available(sita), len(logged_actions())) == (1250, 1)


@pytest.mark.money
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_simultaneous_clicks_adjust_once(editor: MemberDesk, sita: Account) -> None:
    form = form_data(250, step="confirm")

    statuses = at_once(
        4, lambda _number: MemberDesk(editor.user).client.post(url_of(sita, "adjust"), form).status_code
    )

    assert statuses == [302] * 4
    assert (available(sita), len(logged_actions())) == (1250, 1)


@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_a_balance_does_not_go_below_zero(editor: MemberDesk, sita: Account, step: str) -> None:
    page = editor.submit(sita, "adjust", **form_data(-1001, step=step))

    assert "Only 1,000 points are available to deduct." in page_text(page)
    assert (available(sita), logged_actions()) == (1000, [])


def test_added_points_repay_a_debt_first_also_in_the_preview(
    editor: MemberDesk, shop: FakeShop, owe: Callable[[Account, int], None]
) -> None:
    account = member(customer("Ram"))
    owe(account, 40)

    page = editor.submit(account, "adjust", **form_data(100, step="preview"))
    editor.submit(account, "adjust", **form_data(100, step="confirm"))

    text = page_text(page)
    assert "Available 0 60" in text
    assert "Owed 40 0" in text
    assert "40 of them repay what the member owes." in text
    account.refresh_from_db()
    assert (account.available, account.owed) == (60, 0)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"points": 0}, "points", "At least 1."),
        ({"points": "-5"}, "points", "At least 1."),
        ({"points": 1_000_001}, "points", "At most 10,00,000."),
        ({"points": "1.5"}, "points", "whole number"),
        ({"points": "9" * 400}, "points", "At most 10,00,000."),
        ({"reason": ""}, "reason", "required"),
        ({"reason": "because"}, "reason", "not one of the available choices"),
        ({"direction": "steal"}, "direction", "not one of the available choices"),
        ({"key": "import:1"}, "key", "This form has expired. Open it again."),
        ({"note": "x" * 1001}, "note", "at most 1000"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_value_is_an_error_of_its_field(changes: dict[str, Any], field: str, message: str) -> None:
    form = AdjustForm({**form_data(5), **changes})

    assert list(form.errors) == [field]
    assert message in form.errors[field][0]


@pytest.mark.parametrize("changes", [{"points": 0}, {"key": "import:1"}])
def test_an_invalid_form_shows_its_errors_and_changes_nothing(
    editor: MemberDesk, sita: Account, changes: dict[str, Any]
) -> None:
    data = {**form_data(5, step="confirm"), **changes}

    page = page_text(editor.submit(sita, "adjust", **data))

    assert all(error in page for errors in AdjustForm(data).errors.values() for error in errors)
    assert (available(sita), logged_actions()) == (1000, [])


@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_an_adjustment_beyond_the_limit_is_refused_without_permission(
    editor: MemberDesk, sita: Account, step: str
) -> None:
    limit(100)

    page = editor.submit(sita, "adjust", status=403, **form_data(101, step=step))

    assert "You may adjust up to 100 points of one member per day" in page_text(page)
    assert (available(sita), logged_actions()) == (1000, [])


def test_several_small_adjustments_count_together(editor: MemberDesk, sita: Account) -> None:
    limit(100)
    editor.submit(sita, "adjust", **form_data(60, step="confirm"))
    editor.submit(sita, "adjust", **form_data(-40, step="confirm"))

    page = editor.submit(sita, "adjust", status=403, **form_data(1, step="confirm"))

    assert "per day" in page_text(page)
    assert available(sita) == 1020


def test_a_second_click_on_the_adjustment_that_reached_the_limit_is_not_refused(
    editor: MemberDesk, sita: Account
) -> None:
    limit(100)
    form = form_data(100, step="confirm")
    editor.submit(sita, "adjust", **form)

    assert "already made. Nothing was changed." in page_text(editor.submit(sita, "adjust", **form))


@pytest.mark.money
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_simultaneous_adjustments_do_not_exceed_the_limit(editor: MemberDesk, sita: Account) -> None:
    limit(100)

    statuses = at_once(
        3,
        lambda _number: (
            MemberDesk(editor.user).client.post(url_of(sita, "adjust"), form_data(60, step="confirm")).status_code
        ),
    )

    assert sorted(statuses, key=str) == [302, 403, 403]
    assert available(sita) == 1060


def test_an_accountant_may_exceed_the_limit(accountant: MemberDesk, sita: Account) -> None:
    limit(100)

    accountant.submit(sita, "adjust", **form_data(5000, step="confirm"))

    assert available(sita) == 6000


def test_a_merged_or_erased_member_is_not_adjusted(admin: MemberDesk, sita: Account) -> None:
    ram = member(customer("Ram"))
    Account.objects.filter(pk=sita.pk).update(successor=ram)
    merged = page_text(admin.submit(sita, "adjust", **form_data(5, step="confirm")))
    Account.objects.filter(pk=sita.pk).update(successor=None, member_id=None)
    erased = page_text(admin.submit(sita, "adjust", **form_data(5, step="confirm")))

    assert "merged into another" in merged
    assert "was erased" in erased
    assert not Entry.objects.exclude(reason_code="opening balance").exists()


def test_the_site_history_shows_the_adjustment_with_a_link_to_the_member(admin: MemberDesk, sita: Account) -> None:
    admin.submit(sita, "adjust", **form_data(1250, step="confirm", note="a secret about her"))

    page = admin.client.get("/admin/reports/site-history/").content.decode()

    assert "Added 1,250 points: Goodwill" in page
    assert f'href="{url_of(sita)}"' in page
    assert "secret" not in page
    assert "Sita" not in ModelLogEntry.objects.get(action="loyalink_khalti.adjust").label


def test_an_adjustment_that_cannot_be_logged_is_not_made(editor: MemberDesk, sita: Account) -> None:
    def fail(**_kwargs: Any) -> None:
        raise OSError("disk full")

    editor.client.raise_request_exception = False
    pre_save.connect(fail, sender=ModelLogEntry)
    try:
        response = editor.client.post(url_of(sita, "adjust"), form_data(5, step="confirm"))
    finally:
        pre_save.disconnect(fail, sender=ModelLogEntry)

    assert response.status_code == 500
    assert available(sita) == 1000
