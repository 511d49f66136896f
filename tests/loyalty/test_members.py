"""Adjust, block and erase members, award the sign-up bonus, and export personal data."""

import json

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti.errors import AccountBlocked, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    balances,
    check_ledger,
    entry_kinds,
    hold,
    redeem,
    refund,
    release,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db]


def test_a_blocked_member_earns_and_cannot_redeem_until_unblocked() -> None:
    award(250_000)
    ledger.set_blocked(site_key=SITE, member_id=MEMBER, blocked=True)

    award(10_000, "shop:2")
    with pytest.raises(AccountBlocked):
        hold(100, "shop:3")
    ledger.set_blocked(site_key=SITE, member_id=MEMBER, blocked=False)
    hold(100, "shop:3")

    assert balances() == (160, 100, 0)


def test_an_adjustment_has_an_actor_a_reason_and_a_note() -> None:
    ledger.adjust(
        site_key=SITE, member_id=MEMBER, points=50, key="1", reason="goodwill", note="Late parcel", actor="3"
    )

    entry = Entry.objects.get()
    assert (entry.actor, entry.reason_code, entry.note.text) == ("3", "goodwill", "Late parcel")


def test_a_key_belongs_to_its_site() -> None:
    adjust(50, "1")
    ledger.adjust(site_key="another.example", member_id=MEMBER, points=70, key="1", reason="example")

    assert sorted(Account.objects.values_list("available", flat=True)) == [50, 70]


def test_erasing_a_member_keeps_the_history_and_writes_the_points_off() -> None:
    """F15, L05, M8"""
    ledger.adjust(site_key=SITE, member_id=MEMBER, points=50, key="1", reason="goodwill", note="Sita called")

    assert ledger.erase(site_key=SITE, member_id=MEMBER)

    account = Account.objects.get()
    assert (account.member_id, account.available, EntryNote.objects.count()) == (None, 0, 0)
    assert entry_kinds() == [("adjust", 50), ("write_off", 50)]
    assert not ledger.erase(site_key=SITE, member_id=MEMBER)
    check_ledger()


def test_an_erased_member_starts_again_and_old_refunds_stay_with_the_old_account() -> None:
    award(100_000)
    ledger.erase(site_key=SITE, member_id=MEMBER)
    award(50_000, "shop:2")

    assert refund(100_000, 100_000) == (0, 100)
    assert sorted(Account.objects.values_list("available", flat=True)) == [0, 50]
    check_ledger()


def test_members_with_held_points_are_not_erased() -> None:
    adjust(100)
    hold(100)

    with pytest.raises(LedgerError, match="held for a payment"):
        ledger.erase(site_key=SITE, member_id=MEMBER)
    release()
    assert ledger.erase(site_key=SITE, member_id=MEMBER)


def test_personal_data_is_complete_and_ready_for_json() -> None:
    """L05"""
    ledger.adjust(site_key=SITE, member_id=MEMBER, points=300, key="1", reason="goodwill", note="Late parcel")
    award(100_000)
    redeem(100, "shop:2")

    data = json.loads(json.dumps(ledger.personal_data(site_key=SITE, member_id=MEMBER)))

    assert data["balances"] == {"available": 300, "pending": 0, "held": 0, "owed": 0}
    assert [(entry["kind"], entry["points"]) for entry in data["entries"]] == [
        ("adjust", 300),
        ("earn", 100),
        ("hold", 100),
        ("capture", 100),
    ]
    assert (data["entries"][0]["note"], len(data["lots"])) == ("Late parcel", 2)


def test_personal_data_of_a_member_without_points_is_empty() -> None:
    assert ledger.personal_data(site_key=SITE, member_id="unknown") == {"member": "unknown", "entries": [], "lots": []}


def test_deleting_a_user_keeps_their_points() -> None:
    """F15"""
    user = get_user_model().objects.create(username="sita")
    adjust(50, "1", member_id=str(user.pk))
    user.delete()

    assert Account.objects.get().available == 50
