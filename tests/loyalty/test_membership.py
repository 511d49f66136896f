"""A member leaves the programme and joins it again; the terms that they accept are recorded."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import AccountMerged, InsufficientPoints, LedgerError, MemberLeft
from loyalink_khalti.loyalty import audit, ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.terms import MembershipEvent, TermsText

from .conftest import (
    MEMBER,
    SITE,
    account_of,
    adjust,
    award,
    balances,
    capture,
    check_ledger,
    entry_kinds,
    hold,
    late_capture,
    nepal,
    order_of,
    redeem,
    refund,
    release,
    set_rules,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def leave(member_id: str = MEMBER) -> int:
    return ledger.leave(site_key=SITE, member_id=member_id)


def accept(version: str = "1", *, member_id: str = MEMBER, language: str = "en") -> bool:
    return ledger.accept_terms(
        site_key=SITE, member_id=member_id, version=version, sentences=["You earn 1 point."], language=language
    )


def test_leaving_writes_off_available_and_pending_points_once() -> None:
    """T21"""
    adjust(1_000)
    set_rules(pending_days=14)
    award(40_000)
    preview = ledger.preview_leaving(SITE, MEMBER)

    assert (leave(), leave()) == (1_040, 0)

    assert (preview.available, preview.pending, preview.points_value) == (1_000, 40, 10_000)
    assert balances() == (0, 0, 0)
    assert entry_kinds() == [("adjust", 1000), ("earn", 40), ("write_off", 40), ("write_off", 1000)]
    assert MembershipEvent.objects.count() == 1
    check_ledger()


def test_who_has_left_earns_nothing_by_an_order_or_a_bonus_and_staff_cannot_add_points() -> None:
    set_rules(signup_bonus=50, first_order_bonus=100)
    with time_machine.travel(NOW, tick=False) as clock:
        older = order_of(100_000)
        clock.shift(timedelta(minutes=1))
        leave()

        def award_older() -> int:
            return ledger.award(site_key=SITE, member_id=MEMBER, purchase="shop:1", order=older)

        assert (award_older(), award_older(), award(50_000, "shop:2")) == (0, 0, 0)
        assert ledger.award_signup_bonus(site_key=SITE, member_id=MEMBER) == 0
        with pytest.raises(MemberLeft):
            adjust(10)
        with pytest.raises(MemberLeft):
            list(ledger.import_points([_row()], site_key=SITE, digest="x"))
    assert OrderAward.objects.count() == 2  # of 0 points each: the audit finds an award for every paid order
    assert not Entry.objects.exists()
    check_ledger()


def _row() -> ledger.ImportRow:
    return ledger.ImportRow(number=1, member_id=MEMBER, points=5)  # type: ignore[arg-type]


def test_who_joins_again_earns_from_then_on_and_has_nothing_of_before() -> None:
    """An order that began before does not earn, whenever its money arrives: its customer was told so."""
    with time_machine.travel(NOW, tick=False) as clock:
        award(60_000, "shop:1")
        before = order_of(100_000)
        clock.shift(timedelta(minutes=1))
        leave()
        clock.shift(timedelta(minutes=1))
        meanwhile = order_of(100_000)
        clock.shift(timedelta(minutes=1))

        assert accept()

        late = [
            ledger.award(site_key=SITE, member_id=MEMBER, purchase=f"shop:{number}", order=order)
            for number, order in enumerate((before, meanwhile), 2)
        ]
        assert (late, award(30_000, "shop:9")) == ([0, 0], 30)
    account = account_of()
    assert (account.available, account.left_at, account.lifetime_earned) == (30, None, 90)
    check_ledger()


def test_points_held_for_a_payment_are_used_if_it_is_paid_after_leaving() -> None:
    """T21"""
    adjust(500)
    hold(200)

    assert leave() == 300
    assert capture() == 200

    assert balances() == (0, 0, 200)
    check_ledger()


def test_points_held_for_a_payment_are_lost_if_it_is_not_paid() -> None:
    """T21"""
    adjust(500)
    hold(200)
    leave()

    release()

    assert balances() == (0, 0, 0)
    assert account_of().forfeited == 500
    check_ledger()
    with pytest.raises(InsufficientPoints):
        hold(200)


def test_what_a_refund_restores_after_leaving_is_lost_and_what_it_claws_back_is_no_debt() -> None:
    """The points that the order had earned were lost by leaving already."""
    adjust(300)
    redeem(300, "shop:1")
    award(50_000, "shop:2")
    leave()

    assert refund(10_000, 10_000, "shop:1") == (300, 0)
    assert refund(50_000, 50_000, "shop:2") == (0, 50)

    account = account_of()
    assert (account.available, account.owed, account.forfeited) == (0, 0, 300)
    check_ledger()


def test_leaving_and_joining_again_gets_nobody_rid_of_a_debt() -> None:
    """T21"""
    award(50_000, "shop:1")
    redeem(50, "shop:2")
    leave()
    refund(50_000, 50_000, "shop:1")  # 50 points that were earned, and used before the member left
    assert account_of().owed == 50

    accept()
    award(20_000, "shop:3")

    assert (account_of().available, account_of().owed) == (0, 30)
    check_ledger()


def test_pending_points_that_are_lost_repay_a_debt() -> None:
    late_capture(40)
    set_rules(pending_days=14)
    award(30_000, "shop:2")

    assert ledger.preview_leaving(SITE, MEMBER).owed == 10
    leave()

    account = account_of()
    assert (account.pending, account.owed, account.forfeited) == (0, 10, 0)
    check_ledger()


def test_points_that_expired_before_are_not_counted_as_lost_by_leaving() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(100)
        clock.shift(timedelta(days=400))

        assert ledger.preview_leaving(SITE, MEMBER).available == 0
        assert leave() == 0
    assert entry_kinds() == [("adjust", 100), ("expire", 100)]
    check_ledger()


def test_a_refund_after_joining_again_claws_back_points_that_were_lost_without_a_debt() -> None:
    award(50_000, "shop:1")
    leave()
    accept()
    award(10_000, "shop:2")

    refund(50_000, 50_000, "shop:1")

    account = account_of()
    assert (account.available, account.owed) == (10, 0)  # those of the order since: the others were lost already
    assert account.forfeited == 0
    check_ledger()


def take_back(of: int, purchase: str, *, leaves: int = 0) -> None:
    """Take back refunds of a purchase, so that ``leaves`` paisa of it stay refunded."""
    parts = ledger.RefundedParts(refunded_subtotal=leaves, subtotal=of, refunded_shipping=0, shipping=0)  # type: ignore[arg-type]
    ledger.reverse_refund(purchase=purchase, refund_ref=f"back to {leaves}", parts=parts)


def has() -> tuple[int, int, int]:
    """What the member has: points available, owed, and lost by leaving. The books are right."""
    account = account_of()
    check_ledger()
    return account.available, account.owed, account.forfeited


def test_a_refund_that_was_not_made_gives_back_no_points_to_who_has_left() -> None:
    award(50_000, "shop:1")
    leave()
    refund(50_000, 50_000, "shop:1", ref="r1")

    take_back(50_000, "shop:1")

    assert has() == (0, 0, 50)


def test_points_lost_by_leaving_do_not_repay_debts_made_since() -> None:
    """T37"""
    adjust(1_000)
    leave()
    accept()
    award(50_000, "shop:1")
    redeem(50, "shop:2")

    refund(50_000, 50_000, "shop:1")

    assert has() == (0, 50, 1_000)
    adjust(20, "2")
    assert has() == (0, 30, 1_000)


def test_points_lost_by_leaving_do_not_repay_the_debts_of_a_member_merged_since() -> None:
    """T37"""
    adjust(1_000, member_id="8")
    leave("8")
    accept(member_id="8")
    late_capture(40)  # by MEMBER, who had no points

    ledger.merge(site_key=SITE, member_id="8", into=MEMBER)

    assert has() == (0, 40, 1_000)


@pytest.mark.parametrize("refunded_after", ["leaving", "joining again"])
def test_an_older_order_that_is_earned_again_gives_back_no_points_that_were_lost(refunded_after: str) -> None:
    """T37"""
    award(50_000, "shop:1")
    leave()
    if refunded_after == "joining again":
        accept()
        award(10_000, "shop:2")
    refund(50_000, 50_000, "shop:1")
    if refunded_after == "leaving":
        accept()
        award(10_000, "shop:2")
    assert has() == (10, 0, 0)

    take_back(50_000, "shop:1", leaves=20_000)
    assert has() == (10, 0, 30)
    take_back(50_000, "shop:1")

    assert has() == (10, 0, 50)


def test_points_of_now_that_an_older_order_took_come_back_before_those_that_were_lost() -> None:
    """T37"""
    award(50_000, "shop:1")
    redeem(20, "shop:2")
    leave()
    accept()
    award(15_000, "shop:3")
    refund(50_000, 50_000, "shop:1")
    assert has() == (0, 5, 0)  # 30 were lost, 15 are of now, 5 are owed

    take_back(50_000, "shop:1", leaves=40_000)
    assert has() == (5, 0, 0)
    take_back(50_000, "shop:1", leaves=20_000)
    assert has() == (15, 0, 10)
    take_back(50_000, "shop:1")

    assert has() == (15, 0, 30)


def test_points_that_were_restored_and_lost_are_used_again_without_a_debt() -> None:
    """T37: a refund that was not made is taken back after its member has left and joined again."""
    adjust(300)
    redeem(300, "shop:1")
    leave()
    refund(30_000, 30_000, "shop:1")
    accept()
    award(10_000, "shop:2")
    assert has() == (10, 0, 300)

    take_back(30_000, "shop:1")

    assert has() == (10, 0, 0)


def test_points_that_were_restored_since_are_used_again_by_what_the_member_has() -> None:
    """T37"""
    adjust(400)
    redeem(300, "shop:1")
    leave()
    accept()
    refund(30_000, 30_000, "shop:1")
    redeem(250, "shop:3")
    assert has() == (50, 0, 100)

    take_back(30_000, "shop:1")

    assert has() == (0, 250, 100)


def test_a_late_payment_of_an_older_order_uses_the_points_that_it_had_held_and_that_were_lost() -> None:
    """T37"""
    adjust(300)
    hold(200, "shop:1")
    leave()
    release("shop:1")
    accept()
    award(10_000, "shop:2")

    late_capture(200)

    assert has() == (10, 0, 100)


def test_what_a_member_gave_up_does_not_come_back_by_a_merge() -> None:
    """T37: their own account knows when they left, not that which stays."""
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(10, member_id="8")
        leave("8")
        clock.shift(timedelta(minutes=1))
        accept(member_id="8")
        award(20_000, "shop:1", member_id="7")
        adjust(10, "2", member_id="7")
        clock.shift(timedelta(minutes=1))
        before = order_of(100_000)
        leave("7")
        clock.shift(timedelta(minutes=1))
        accept(member_id="7")
        since = order_of(100_000)
        ledger.merge(site_key=SITE, member_id="7", into="8")
        late = [
            ledger.award(site_key=SITE, member_id="7", purchase=f"shop:{number}", order=order)
            for number, order in enumerate((before, since), 2)
        ]
    assert late == [0, 100]
    check_ledger()


def test_what_was_merged_into_an_account_is_lost_when_that_member_leaves_later() -> None:
    """T37"""
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(10, member_id="8")
        leave("8")
        clock.shift(timedelta(minutes=1))
        accept(member_id="8")
        award(50_000, "shop:1", member_id="7")
        clock.shift(timedelta(minutes=1))
        order = order_of(40_000)
        ledger.merge(site_key=SITE, member_id="7", into="8")
        assert ledger.award(site_key=SITE, member_id="7", purchase="shop:2", order=order) == 40
        clock.shift(timedelta(minutes=1))
        leave("8")
        clock.shift(timedelta(minutes=1))
        accept(member_id="8")
        award(10_000, "shop:3", member_id="8")

        refund(50_000, 50_000, "shop:1")

        account = account_of("8")
        assert (account.available, account.owed, account.forfeited) == (10, 0, 50)
        assert ledger.award(site_key=SITE, member_id="7", purchase="shop:4", order=order) == 0
    check_ledger()


def test_who_has_left_is_not_merged_and_a_merged_account_neither_leaves_nor_accepts() -> None:
    adjust(10, member_id="8")
    adjust(10, "2", member_id="9")
    leave("7")

    for ending, staying in (("7", "8"), ("8", "7")):
        with pytest.raises(MemberLeft):
            ledger.merge(site_key=SITE, member_id=ending, into=staying)
    ledger.merge(site_key=SITE, member_id="9", into="8")
    for verb in (lambda: leave("9"), lambda: accept(member_id="9")):
        with pytest.raises(AccountMerged):
            verb()
    check_ledger()


def test_what_was_lost_moves_with_a_merge_and_an_erasure_keeps_the_books_right() -> None:
    award(50_000, "shop:1", member_id="7")
    adjust(10, member_id="8")
    leave("7")
    accept(member_id="7")
    ledger.merge(site_key=SITE, member_id="7", into="8")

    refund(50_000, 50_000, "shop:1")

    assert (account_of("8").available, account_of("8").owed) == (10, 0)
    leave("8")
    ledger.erase(site_key=SITE, member_id="8")
    check_ledger()


def test_points_that_the_version_before_has_added_are_written_off_by_the_sweep() -> None:
    """A worker of it does not know that a member can leave."""
    adjust(100)
    leave()
    Account.objects.update(left_at=None)
    adjust(30, "2")
    Account.objects.update(left_at=NOW)
    assert [invariant for _subject, invariant, _detail in audit.violations()] == ["L17"]

    assert sweep()["written off"] == 30

    assert account_of().forfeited == 130
    check_ledger()


def test_the_audit_finds_lost_points_that_no_entry_has(account: Account) -> None:
    Account.objects.update(forfeited=5)

    assert [invariant for _subject, invariant, _detail in audit.violations()] == ["L17"]


# Accepting the terms


def test_accepting_is_recorded_with_version_date_and_the_words_that_were_read() -> None:
    """T23"""
    with time_machine.travel(NOW, tick=False):
        assert (accept("12"), accept("12")) == (True, False)

    found = ledger.membership(account_of())
    assert (found.accepted_at, found.terms_version, found.left_at) == (NOW, "12", None)
    event = MembershipEvent.objects.get()
    assert event.terms is not None
    assert (event.terms.language, event.terms.sentences) == ("en", ["You earn 1 point."])


def test_each_version_is_accepted_once_and_its_words_are_kept_once_in_each_language() -> None:
    for member_id, version, language in (("7", "1", "en"), ("7", "2", "en"), ("8", "2", "en"), ("9", "2", "ne")):
        assert accept(version, member_id=member_id, language=language)

    kept = TermsText.objects.order_by("pk").values_list("version", "language")
    assert list(kept) == [("1", "en"), ("2", "en"), ("2", "ne")]
    assert ledger.membership(account_of("7")).terms_version == "2"


def test_terms_that_were_accepted_before_leaving_are_accepted_again_to_join() -> None:
    accept("1")
    leave()
    assert ledger.membership(account_of()).accepted_at is None

    assert accept("1")

    assert [event.kind for event in MembershipEvent.objects.order_by("pk")] == ["accepted", "left", "accepted"]
    assert ledger.membership(account_of()).joined_at == account_of().rejoined_at


def test_what_was_accepted_is_never_changed() -> None:
    """T23"""
    accept()

    for rows, change in ((MembershipEvent.objects, {"kind": "left"}), (TermsText.objects, {"version": "2"})):
        with pytest.raises(LedgerError):
            rows.update(**change)


def test_a_members_data_has_what_they_accepted_and_when_they_left() -> None:
    accept("3")
    leave()

    data = ledger.personal_data(site_key=SITE, member_id=MEMBER)

    shown = [(each["event"], each["terms_version"], each["terms"]) for each in data["membership"]]
    assert shown == [("accepted", "3", ["You earn 1 point."]), ("left", None, None)]
    assert data["left_at"] is not None
