"""``loyalty VERB``: adjust, block and merge the points of a member."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from wagtail.models import Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import AccountBlocked
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points

from .conftest import ACTOR, Run

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def editor(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user(username="editor", email="editor@example.com", is_staff=True)


def test_points_are_added_and_deducted_with_reason_note_and_actor(run: Run, user: Any, editor: Any) -> None:
    options = ("--reason", "goodwill", "--note", "a torn notebook", "--actor", "editor@example.com")

    assert run("loyalty", "adjust", "sita@example.com", 120, *options) == "sita@example.com has 120 points now.\n"
    assert run("loyalty", "adjust", user.pk, "-20", "--reason", "correction") == f"{user.pk} has 100 points now.\n"

    first, second = Entry.objects.order_by("seq")
    owner = User.objects.get(email=ACTOR)
    assert (first.reason_code, first.actor, first.note.text) == ("goodwill", str(editor.pk), "a torn notebook")
    assert (second.reason_code, second.actor, second.amount) == ("correction", str(owner.pk), 20)


def test_a_second_adjustment_with_the_same_key_changes_nothing(run: Run, user: Any) -> None:
    for _ in range(2):
        run("loyalty", "adjust", user.pk, 50, "--reason", "goodwill", "--key", "ticket 17")

    assert Account.objects.get().available == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adjust", "sita@example.com", "-1", "--reason", "x"), "Only 0 points are available to deduct. Nothing was"),
        (("adjust", "sita@example.com", "0", "--reason", "x"), "Add or deduct 1 to 1000000 points."),
        (("adjust", "sita@example.com", "1000001", "--reason", "x"), "Add or deduct 1 to 1000000 points"),
        (("adjust", "sita@example.com", "5", "--reason", "x" * 41), "A reason is a short code"),
        (("adjust", "sita@example.com", "five", "--reason", "x"), "invalid int value"),
        (("adjust", "sita@example.com", "5"), "required: --reason"),
        (("adjust", "sita", "5", "--reason", "x"), "There is no member 'sita'"),
        (("adjust", "sita@example.com", "5", "--reason", "x", "--site", "moon"), "There is no site 'moon'"),
        (("merge", "sita@example.com", "sita@example.com"), "These are the same member. Nothing was changed."),
        (("erase", "nobody@example.com"), "There is no member 'nobody@example.com'"),
        ((), "required: VERB"),
    ],
)  # fmt: skip
def test_an_impossible_command_says_why(arguments: tuple[str, ...], message: str, run: Run, user: Any) -> None:
    """F10"""
    with pytest.raises(CommandError) as caught:
        run("loyalty", *arguments)

    assert message in str(caught.value)
    assert not Entry.objects.exists()


def test_two_users_with_one_address_must_be_named_by_pk(run: Run, user: Any, django_user_model: Any) -> None:
    twin = django_user_model.objects.create_user(username="twin", email="twin@example.com")
    django_user_model.objects.filter(pk=twin.pk).update(email="SITA@example.com")

    with pytest.raises(CommandError, match=f"name one by its pk: {user.pk}, {twin.pk}"):
        run("loyalty", "block", "sita@example.com")


def test_blocked_points_cannot_be_redeemed_until_they_are_unblocked(run: Run, user: Any) -> None:
    run("loyalty", "adjust", user.pk, 200, "--reason", "test")
    run("loyalty", "block", "sita@example.com")
    with pytest.raises(AccountBlocked):
        ledger.hold(site_key="default", member_id=str(user.pk), purchase="a:1", points=Points(100))

    run("loyalty", "unblock", "sita@example.com")

    assert ledger.hold(site_key="default", member_id=str(user.pk), purchase="a:1", points=Points(100)).points == 100


def test_two_accounts_are_merged(run: Run, user: Any, editor: Any) -> None:
    run("loyalty", "adjust", user.pk, 200, "--reason", "test")
    run("loyalty", "adjust", editor.pk, 30, "--reason", "test")

    output = run("loyalty", "merge", "sita@example.com", "editor@example.com")

    assert output == "editor@example.com has 230 points now; the account of sita@example.com has ended.\n"
    assert run("loyalty", "merge", "sita@example.com", "editor@example.com") == output


@pytest.mark.parametrize("arguments", [("block",), ("unblock",), ("adjust", 5, "--reason", "x")], ids=lambda a: a[0])
def test_a_merged_member_is_not_changed_and_neither_is_the_one_who_has_the_points(
    arguments: tuple[Any, ...], run: Run, user: Any, editor: Any
) -> None:
    run("loyalty", "merge", user.pk, editor.pk)
    run("loyalty", "block" if arguments[0] == "unblock" else "unblock", editor.pk)
    before = list(Account.objects.order_by("pk").values())

    with pytest.raises(CommandError, match=r"merged into another member.* Nothing was changed\.$"):
        run("loyalty", arguments[0], user.pk, *arguments[1:])

    assert list(Account.objects.order_by("pk").values()) == before


def test_the_limit_of_the_site_does_not_apply_to_commands(run: Run, user: Any, editor: Any) -> None:
    site = Site.objects.get_or_create(is_default_site=True, defaults={"root_page_id": 1})[0]
    LoyaltySettings.objects.update_or_create(site=site, defaults={"adjust_limit": 100})

    run("loyalty", "adjust", user.pk, 500, "--reason", "test")
    run("loyalty", "merge", user.pk, editor.pk)

    assert Account.objects.get(member_id=editor.pk).available == 500


def test_a_member_with_held_points_is_not_erased(run: Run, user: Any) -> None:
    run("loyalty", "adjust", user.pk, 200, "--reason", "test")
    ledger.hold(site_key="default", member_id=str(user.pk), purchase="a:1", points=Points(100))

    with pytest.raises(CommandError, match=r"held for a payment.* Nothing was changed"):
        run("loyalty", "erase", "sita@example.com")


MOVES = [
    ("adjust", "sita@example.com", "5", "--reason", "x"),
    ("block", "sita@example.com"),
    ("merge", "sita@example.com", "editor@example.com"),
    ("unblock", "sita@example.com"),
]


@pytest.mark.parametrize("arguments", MOVES, ids=lambda each: each[0])
def test_a_command_that_moves_points_needs_an_actor(arguments: tuple[str, ...], user: Any, editor: Any) -> None:
    """M5: entries without an actor were counted against nobody and missing from the report."""
    with pytest.raises(CommandError, match="required: --actor"):
        call_command("loyalty", *arguments)


@pytest.mark.parametrize("actor", ["999", "gone@example.com", "customer@example.com"])
def test_the_actor_is_a_member_of_staff_who_exists(actor: str, run: Run, user: Any) -> None:
    """M5: also where the account of a deleted user still exists."""
    User.objects.create(username="customer", email="customer@example.com")
    ledger.adjust(site_key="default", member_id="999", points=5, key="k", reason="opening")

    with pytest.raises(CommandError, match=r"There is no user|is not a member of staff"):
        run("loyalty", "adjust", user.pk, 5, "--reason", "x", "--actor", actor)

    assert not Account.objects.filter(member_id=user.pk, available__gt=0).exists()


@pytest.mark.parametrize("arguments", [MOVES[0], MOVES[2]], ids=lambda each: each[0])
def test_a_command_is_refused_for_the_actors_own_account(
    arguments: tuple[str, ...], run: Run, user: Any, editor: Any
) -> None:
    """M5: commands are exempt from the limits, not from this rule."""
    with pytest.raises(CommandError, match=r"your own account.* Nothing was changed"):
        run("loyalty", *arguments, "--actor", "sita@example.com")
