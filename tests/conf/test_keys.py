"""Secret keys: where they come from, who can read them, and how they are retired and rotated."""

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials

from .conftest import LIVE_KEY, NEW, OLD, OTHER_KEY, choose_environment

# Keys


@pytest.mark.django_db
def test_a_saved_key_is_encrypted_and_readable(deployment):
    row = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    row.refresh_from_db()
    assert LIVE_KEY.encode() not in bytes(row.ciphertext)
    assert conf.secret_of(row) == Secret(LIVE_KEY)
    assert conf.credentials("default") == row


@pytest.mark.django_db
def test_a_new_key_retires_the_previous_one_which_stays_readable(deployment):
    first = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    second = conf.save_secret_key("default", conf.TEST, Secret(OTHER_KEY))

    first.refresh_from_db()
    assert first.retired_at
    assert conf.credentials("default") == second
    assert conf.secret_of(first) == Secret(LIVE_KEY)


@pytest.mark.django_db
def test_the_same_key_saved_again_is_encrypted_again_in_its_row(deployment):
    first = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=[NEW])

    again = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    assert again == first
    assert conf.secret_of(Credentials.objects.get()) == Secret(LIVE_KEY)


@pytest.mark.django_db
def test_the_newest_fernet_key_encrypts_and_every_one_decrypts(deployment):
    """L03"""
    before = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=[NEW, OLD])

    after = conf.save_secret_key("default", conf.LIVE, Secret(OTHER_KEY))

    assert conf.secret_of(before) == Secret(LIVE_KEY)
    assert Fernet(NEW).decrypt(bytes(after.ciphertext)).decode() == OTHER_KEY


@pytest.mark.django_db
def test_an_unreadable_key_raises_an_error_and_is_never_replaced_by_another(deployment):
    """L03"""
    conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=[NEW], KHALTI_SECRET_KEY=OTHER_KEY)
    row = conf.credentials("default")

    with pytest.raises(conf.SecretKeyUnreadable, match=Secret(LIVE_KEY).fingerprint):
        conf.secret_of(row)
    with pytest.raises(conf.SecretKeyUnreadable):
        conf.client_for(row)
    with pytest.raises(conf.SecretKeyUnreadable):
        conf.current_secret("default", conf.TEST)


@pytest.mark.django_db
@pytest.mark.parametrize("keys", [[], ["not a Fernet key"], [OLD[:-2]], [7]])
def test_without_usable_fernet_keys_no_key_is_saved(deployment, keys):
    deployment(FERNET_KEYS=keys)

    with pytest.raises(ImproperlyConfigured, match="LOYALINK_FERNET_KEYS"):
        conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    assert not Credentials.objects.exists()


@pytest.mark.django_db
def test_a_site_without_a_key_uses_the_deployments_and_stores_no_copy(deployment):
    deployment(KHALTI_SECRET_KEY=f"{LIVE_KEY}\n")

    row = conf.credentials("default")

    assert bytes(row.ciphertext) == b""
    assert row.fingerprint == Secret(LIVE_KEY).fingerprint
    assert conf.secret_of(row) == Secret(LIVE_KEY)
    assert conf.credentials("default") == row


@pytest.mark.django_db
def test_a_new_deployment_key_makes_a_new_row_and_retires_the_old_one(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    old = conf.credentials("default")
    deployment(KHALTI_SECRET_KEY=OTHER_KEY)

    new = conf.credentials("default")

    old.refresh_from_db()
    assert new != old
    assert old.retired_at
    assert not new.retired_at


@pytest.mark.django_db
def test_after_removing_a_key_the_deployments_is_used(deployment):
    deployment(KHALTI_SECRET_KEY=OTHER_KEY)
    own = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    assert conf.remove_secret_key("default", conf.TEST)

    assert conf.credentials("default").fingerprint == Secret(OTHER_KEY).fingerprint
    assert conf.secret_of(own) == Secret(LIVE_KEY)
    assert not conf.remove_secret_key("default", conf.TEST)


@pytest.mark.django_db
def test_each_environment_and_each_site_has_its_own_key(deployment):
    other = Site.objects.create(hostname="books.example", root_page=Site.objects.get().root_page)
    choose_environment(conf.LIVE)
    books = conf.site_key_of(other)
    choose_environment(conf.TEST, other)
    live = conf.save_secret_key("default", conf.LIVE, Secret(LIVE_KEY))
    test = conf.save_secret_key(books, conf.TEST, Secret(OTHER_KEY))

    assert conf.credentials("default") == live
    assert conf.credentials(books) == test


@pytest.mark.django_db
def test_a_stored_key_follows_the_deployment_to_another_server(deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    simulated = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment()

    row = conf.credentials("default")

    simulated.refresh_from_db()
    assert row.base_url == "https://dev.khalti.com/api/v2/"
    assert conf.secret_of(row) == Secret(LIVE_KEY)
    assert simulated.retired_at


@pytest.mark.django_db
def test_rotation_returns_a_result_for_every_key_and_skips_rows_without_one(deployment):
    """L03"""
    deployment(KHALTI_SECRET_KEY=OTHER_KEY)
    conf.credentials("books.example")
    old = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=[NEW, OLD])
    new = conf.save_secret_key("default", conf.LIVE, Secret(OTHER_KEY))

    results = list(conf.rotate_secret_keys())

    assert results == [(old, conf.RotationResult.ROTATED), (new, conf.RotationResult.UP_TO_DATE)]
    assert Credentials.objects.filter(ciphertext=b"").count() == 1
    deployment(FERNET_KEYS=[NEW])
    assert conf.secret_of(Credentials.objects.get(pk=old.pk)) == Secret(LIVE_KEY)


@pytest.mark.django_db
def test_logs_dumps_and_reprs_do_not_contain_the_key(deployment, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    row = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    conf.client_for(row)
    info = conf.secret_key_info("default", conf.TEST)
    dump = io.StringIO()

    call_command("dumpdata", "loyalink_khalti", stdout=dump)

    assert row.fingerprint in dump.getvalue()
    for text in (dump.getvalue(), caplog.text, repr(info), repr(row), str(row), repr(conf.client_for(row)[0])):
        assert LIVE_KEY not in text
        assert LIVE_KEY[-20:] not in text
    assert info.mask == "live_…ffee"
