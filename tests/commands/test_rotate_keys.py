"""``loyalink_rotate_keys``: a new Fernet key takes the old one's place, and no key is lost on the way."""

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
    """Four keys, kept with the old Fernet key; two of them are retired."""
    deploy(OLD)
    rows = [conf.save_key(f"site-{number % 2}", conf.TEST, secret) for number, secret in enumerate(KEYS)]
    deploy(NEW, OLD)
    return rows


def rotate() -> tuple[str, str, int]:
    """What the command says, what it complains of, and how it ends."""
    out, err = StringIO(), StringIO()
    try:
        call_command("loyalink_rotate_keys", stdout=out, stderr=err)
    except SystemExit as end:
        return out.getvalue(), err.getvalue(), int(end.code or 0)
    return out.getvalue(), err.getvalue(), 0


def readable(rows: list[Credentials]) -> list[Secret | None]:
    return [conf.secret_of(Credentials.objects.get(pk=row.pk)) for row in rows]


def test_after_a_rotation_the_old_fernet_key_can_be_dropped(kept: list[Credentials], deploy: Deploy) -> None:
    """L03"""
    said = rotate()

    assert said[0].splitlines() == [
        "4 key(s) encrypted anew, 0 had been before.",
        "Only the first of LOYALINK_FERNET_KEYS is needed now; the others can be dropped.",
    ]
    assert said[1:] == ("", 0)

    deploy(NEW)
    assert readable(kept) == KEYS


def test_a_second_rotation_has_nothing_to_do(kept: list[Credentials]) -> None:
    rotate()
    before = list(Credentials.objects.order_by("pk").values_list("ciphertext", flat=True))

    assert rotate()[0].startswith("0 key(s) encrypted anew, 4 had been before.")

    assert list(Credentials.objects.order_by("pk").values_list("ciphertext", flat=True)) == before


def test_dropped_before_the_rotation_nothing_is_sent_to_khalti(
    kept: list[Credentials], deploy: Deploy, shop: FakeShop, khalti: Khalti
) -> None:
    """L03"""
    deploy(OLD)
    conf.save_key("default", conf.TEST, KEYS[0])
    payment = flow.begin(shop.freeze(shop.cart()))
    deploy(NEW)

    flow.finish(payment, insist=True)
    with pytest.raises(CannotPay):
        flow.begin(shop.freeze(shop.cart("order-2")))
    with pytest.raises(conf.KeyUnreadable):
        readable(kept)

    assert (len(khalti.opened), khalti.asked) == (1, [])


@in_every_way("lost")
def test_a_rotation_cut_off_anywhere_loses_no_key_and_the_next_goes_on(
    way: Way, few: int | None, kept: list[Credentials], deploy: Deploy
) -> None:
    """B12"""
    for cut in sweep(way, few):
        Credentials.objects.all().delete()
        deploy(OLD)
        rows = [conf.save_key(f"site-{n % 2}", conf.TEST, secret) for n, secret in enumerate(KEYS)]
        deploy(NEW, OLD)

        cut(rotate)

        assert readable(rows) == KEYS
        assert rotate()[1:] == ("", 0)
        deploy(NEW)
        assert readable(rows) == KEYS


def test_a_key_that_cannot_be_read_is_named_and_stays_as_it_is(kept: list[Credentials], deploy: Deploy) -> None:
    strange = Fernet(LOST).encrypt(KEYS[1].reveal().encode())
    Credentials.objects.filter(pk=kept[1].pk).update(ciphertext=strange)

    said, complained, code = rotate()

    assert said == "3 key(s) encrypted anew, 0 had been before, 1 could not be read.\n"
    assert f"The Khalti key {KEYS[1].fingerprint} of site 'site-1' cannot be read" in complained
    assert code == 1
    assert bytes(Credentials.objects.get(pk=kept[1].pk).ciphertext) == strange
    deploy(NEW)
    assert readable([kept[0], *kept[2:]]) == [KEYS[0], *KEYS[2:]]


def test_a_key_saved_meanwhile_is_not_written_over(kept: list[Credentials], deploy: Deploy) -> None:
    """By another process, which still has the old list: its key is rotated in its turn."""
    other = Fernet(OLD).encrypt(KEYS[3].reveal().encode())
    saved: list[int] = []

    def save_meanwhile(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not saved:
            saved.append(kept[0].pk)
            Credentials.objects.filter(pk=kept[0].pk).update(ciphertext=other)
        return execute(sql, *rest)

    with connection.execute_wrapper(save_meanwhile):
        said, _complained, code = rotate()

    assert (saved, code) == ([kept[0].pk], 0)
    assert said.startswith("4 key(s) encrypted anew")
    deploy(NEW)
    assert readable(kept) == [KEYS[3], *KEYS[1:]]


@pytest.mark.parametrize(
    ("keys", "said"), [((), "LOYALINK_FERNET_KEYS is not set"), (("nonsense",), "not a Fernet key")]
)
def test_without_usable_fernet_keys_it_says_so_and_changes_nothing(
    keys: tuple[str, ...], said: str, kept: list[Credentials], deploy: Deploy
) -> None:
    """L03"""
    deploy(*keys)

    with pytest.raises(CommandError, match=said):
        call_command("loyalink_rotate_keys")

    deploy(OLD)
    assert readable(kept) == KEYS


def test_a_rotation_tells_no_key(kept: list[Credentials]) -> None:
    """L01"""
    said, complained, _code = rotate()

    assert not [key for key in KEYS if key.reveal() in said + complained]
    assert OLD not in said + complained
