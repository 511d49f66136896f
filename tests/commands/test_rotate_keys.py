"""``loyalink_rotate_keys``: a new Fernet key replaces the old one, and no secret key is lost."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials
from loyalink_khalti.testing import FakeShop
from tests.cutting import Way, in_every_way, sweep
from tests.purchases import Khalti, khalti

__all__ = ["khalti"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
KEYS = [Secret(f"test_secret_key_00000000000040008000000000c0ff{number:02}") for number in range(4)]
Deploy = Callable[..., None]


@pytest.fixture
def deploy(shop: FakeShop, settings: Any) -> Deploy:
    """Run the shop with these Fernet keys, the newest first, and no key in the environment."""

    def with_keys(*keys: str) -> None:
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "FERNET_KEYS": keys, "KHALTI_SECRET_KEY": ""}

    return with_keys


@pytest.fixture
def kept(deploy: Deploy) -> list[Credentials]:
    """Four secret keys, encrypted with the old Fernet key; two of them are retired."""
    deploy(OLD)
    rows = [conf.save_secret_key(f"site-{number % 2}", conf.TEST, secret) for number, secret in enumerate(KEYS)]
    deploy(NEW, OLD)
    return rows


def rotate() -> tuple[str, str, int]:
    """The output of the command, its errors, and its exit code."""
    out, err = StringIO(), StringIO()
    try:
        call_command("loyalink_rotate_keys", stdout=out, stderr=err)
    except SystemExit as end:
        return out.getvalue(), err.getvalue(), int(end.code or 0)
    return out.getvalue(), err.getvalue(), 0


def readable(rows: list[Credentials]) -> list[Secret | None]:
    return [conf.secret_of(Credentials.objects.get(pk=row.pk)) for row in rows]


def test_after_a_rotation_the_old_fernet_key_can_be_removed(kept: list[Credentials], deploy: Deploy) -> None:
    """L03"""
    result = rotate()

    assert result[0].splitlines() == [
        "4 keys encrypted again, 0 up to date.",
        "Only the first of LOYALINK_FERNET_KEYS is needed now; the others can be removed.",
    ]
    assert result[1:] == ("", 0)

    deploy(NEW)
    assert readable(kept) == KEYS


def test_a_second_rotation_has_nothing_to_do(kept: list[Credentials]) -> None:
    rotate()
    before = list(Credentials.objects.order_by("pk").values_list("ciphertext", flat=True))

    assert rotate()[0].startswith("0 keys encrypted again, 4 up to date.")

    assert list(Credentials.objects.order_by("pk").values_list("ciphertext", flat=True)) == before


def test_with_the_old_fernet_key_removed_too_early_nothing_is_sent_to_khalti(
    kept: list[Credentials], deploy: Deploy, shop: FakeShop, khalti: Khalti
) -> None:
    """L03"""
    deploy(OLD)
    conf.save_secret_key("default", conf.TEST, KEYS[0])
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    deploy(NEW)

    flow.verify_payment(payment, ignore_back_off=True)
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart("order-2")))
    with pytest.raises(conf.SecretKeyUnreadable):
        readable(kept)

    assert (len(khalti.opened), khalti.looked_up) == (1, [])


@in_every_way("lost")
def test_a_rotation_interrupted_anywhere_loses_no_key_and_the_next_continues(
    way: Way, few: int | None, kept: list[Credentials], deploy: Deploy
) -> None:
    """B12"""
    for cut in sweep(way, few):
        Credentials.objects.all().delete()
        deploy(OLD)
        rows = [conf.save_secret_key(f"site-{n % 2}", conf.TEST, secret) for n, secret in enumerate(KEYS)]
        deploy(NEW, OLD)

        cut(rotate)

        assert readable(rows) == KEYS
        assert rotate()[1:] == ("", 0)
        deploy(NEW)
        assert readable(rows) == KEYS


def test_a_key_that_cannot_be_read_is_named_and_stays_as_it_is(kept: list[Credentials], deploy: Deploy) -> None:
    unreadable = Fernet(LOST).encrypt(KEYS[1].reveal().encode())
    Credentials.objects.filter(pk=kept[1].pk).update(ciphertext=unreadable)

    output, errors, code = rotate()

    assert output == "3 keys encrypted again, 0 up to date, 1 unreadable.\n"
    assert f"The secret key {KEYS[1].fingerprint} of site 'site-1' cannot be read" in errors
    assert code == 1
    assert bytes(Credentials.objects.get(pk=kept[1].pk).ciphertext) == unreadable
    deploy(NEW)
    assert readable([kept[0], *kept[2:]]) == [KEYS[0], *KEYS[2:]]


def test_a_key_saved_during_the_rotation_is_not_overwritten(kept: list[Credentials], deploy: Deploy) -> None:
    """Another process, which still has the old list, saves a key: the next rotation encrypts it again."""
    other = Fernet(OLD).encrypt(KEYS[3].reveal().encode())
    saved: list[int] = []

    def save_meanwhile(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not saved:
            saved.append(kept[0].pk)
            Credentials.objects.filter(pk=kept[0].pk).update(ciphertext=other)
        return execute(sql, *rest)

    with connection.execute_wrapper(save_meanwhile):
        output, _errors, code = rotate()

    assert (saved, code) == ([kept[0].pk], 0)
    assert output.startswith("4 keys encrypted again")
    deploy(NEW)
    assert readable(kept) == [KEYS[3], *KEYS[1:]]


@pytest.mark.parametrize(
    ("keys", "message"), [((), "LOYALINK_FERNET_KEYS is not set"), (("nonsense",), "not a Fernet key")]
)
def test_without_usable_fernet_keys_it_says_so_and_changes_nothing(
    keys: tuple[str, ...], message: str, kept: list[Credentials], deploy: Deploy
) -> None:
    """L03"""
    deploy(*keys)

    with pytest.raises(CommandError, match=message):
        call_command("loyalink_rotate_keys")

    deploy(OLD)
    assert readable(kept) == KEYS


def test_a_rotation_shows_no_key(kept: list[Credentials]) -> None:
    """L01"""
    output, errors, _code = rotate()

    assert not [key for key in KEYS if key.reveal() in output + errors]
    assert OLD not in output + errors
