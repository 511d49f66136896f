"""What staff do with a member's points, and what a person may ask."""

import json

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti.errors import Frozen, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote

from .conftest import MEMBER, SITE, adjust, award, balances, hold, refund, release, rules, sound, spend, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db]


def test_a_frozen_member_earns_but_does_not_spend_until_let_again() -> None:
    award(250_000)
    ledger.freeze(site_key=SITE, member_id=MEMBER, frozen=True)

    award(10_000, "shop:2")
    with pytest.raises(Frozen):
        hold(100, "shop:3")
    ledger.freeze(site_key=SITE, member_id=MEMBER, frozen=False)
    hold(100, "shop:3")

    assert balances() == (160, 100, 0)


def test_an_adjustment_says_who_made_it_and_why() -> None:
    ledger.adjust(
        site_key=SITE, member_id=MEMBER, points=50, key="1", reason="goodwill", note="Late parcel", actor="3"
    )

    entry = Entry.objects.get()
    assert (entry.actor, entry.reason_code, entry.note.text) == ("3", "goodwill", "Late parcel")


def test_a_key_belongs_to_its_site() -> None:
    adjust(50, "1")
    ledger.adjust(site_key="another.example", member_id=MEMBER, points=70, key="1", reason="example")

    assert sorted(Account.objects.values_list("available", flat=True)) == [50, 70]


@pytest.mark.parametrize("later", [100, 200])
def test_a_member_has_the_sign_up_bonus_once_whatever_it_is_later(later: int) -> None:
    rules(sign_up_bonus=100)
    first = ledger.sign_up(site_key=SITE, member_id=MEMBER)
    rules(sign_up_bonus=later)

    assert (first, ledger.sign_up(site_key=SITE, member_id=MEMBER)) == (100, 0)
    assert (balances(), stands().lifetime_earned) == ((100, 0, 0), 0)


def test_without_a_bonus_or_while_earning_is_paused_signing_up_gives_nothing() -> None:
    without = ledger.sign_up(site_key=SITE, member_id=MEMBER)
    rules(sign_up_bonus=100, earn_paused=True)

    assert (without, ledger.sign_up(site_key=SITE, member_id=MEMBER), Account.objects.count()) == (0, 0, 0)


def test_an_erased_person_leaves_numbers_alone() -> None:
    """F15, L05"""
    ledger.adjust(site_key=SITE, member_id=MEMBER, points=50, key="1", reason="goodwill", note="Sita called")

    assert ledger.erase(site_key=SITE, member_id=MEMBER)

    account = Account.objects.get()
    assert (account.member_id, account.available, EntryNote.objects.count()) == (None, 50, 0)
    assert not ledger.erase(site_key=SITE, member_id=MEMBER)
    sound()


def test_who_was_erased_begins_anew_and_old_refunds_stay_with_the_old_numbers() -> None:
    award(100_000)
    ledger.erase(site_key=SITE, member_id=MEMBER)
    award(50_000, "shop:2")

    assert refund(100_000, 100_000) == (0, 100)
    assert sorted(Account.objects.values_list("available", flat=True)) == [0, 50]
    sound()


def test_while_points_are_held_nobody_is_erased() -> None:
    adjust(100)
    hold(100)

    with pytest.raises(LedgerError, match="held for a payment"):
        ledger.erase(site_key=SITE, member_id=MEMBER)
    release()
    assert ledger.erase(site_key=SITE, member_id=MEMBER)


def test_a_persons_data_is_all_there_and_can_be_written_down() -> None:
    """L05"""
    ledger.adjust(site_key=SITE, member_id=MEMBER, points=300, key="1", reason="goodwill", note="Late parcel")
    award(100_000)
    spend(100, "shop:2")

    told = json.loads(json.dumps(ledger.data_of(site_key=SITE, member_id=MEMBER)))

    assert told["balances"] == {"available": 300, "pending": 0, "held": 0, "owed": 0}
    assert [(entry["kind"], entry["points"]) for entry in told["entries"]] == [
        ("adjust", 300),
        ("earn", 100),
        ("hold", 100),
        ("capture", 100),
    ]
    assert (told["entries"][0]["note"], len(told["lots"])) == ("Late parcel", 2)


def test_of_a_person_without_points_nothing_is_told() -> None:
    assert ledger.data_of(site_key=SITE, member_id="unknown") == {"member": "unknown", "entries": [], "lots": []}


def test_no_deletion_of_a_user_touches_their_points() -> None:
    """F15"""
    user = get_user_model().objects.create(username="sita")
    adjust(50, "1", member_id=str(user.pk))
    user.delete()

    assert Account.objects.get().available == 50
