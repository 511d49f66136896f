"""Settings in, live objects out: where a key comes from, who can read it, and what becomes of it."""

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import RequestFactory
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials

KEY = "live_secret_key_00000000000040008000000000c0ffee"
OTHER = "live_secret_key_0000000000004000800000000badcafe"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def deployment(settings, monkeypatch):
    """Say how the shop is deployed: nothing but what is given."""

    def deploy(**given):
        settings.LOYALINK_KHALTI = {"FERNET_KEYS": [OLD], **given}

    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    deploy()
    return deploy


def choose(environment, site=None):
    site = site or Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"environment": environment})


# Where settings come from


def test_the_environment_is_read_where_the_settings_are_silent(deployment, settings, monkeypatch):
    settings.LOYALINK_KHALTI = {}
    monkeypatch.setenv("KHALTI_SECRET_KEY", KEY)
    monkeypatch.setenv("KHALTI_BASE_URL", "http://127.0.0.1:9911/api/v2")
    monkeypatch.setenv("LOYALINK_FERNET_KEYS", f" {NEW} ,{OLD},")

    assert conf.get("KHALTI_SECRET_KEY") == KEY
    assert conf.base_url(conf.LIVE) == "http://127.0.0.1:9911/api/v2/"
    assert conf.get("FERNET_KEYS") == [NEW, OLD]


def test_the_settings_come_before_the_environment(deployment, monkeypatch):
    monkeypatch.setenv("KHALTI_SECRET_KEY", KEY)
    deployment(KHALTI_SECRET_KEY=OTHER)

    assert conf.get("KHALTI_SECRET_KEY") == OTHER


def test_the_editors_environment_decides_the_server_where_the_deployment_does_not(deployment):
    assert conf.base_url(conf.TEST) == "https://dev.khalti.com/api/v2/"
    assert conf.base_url(conf.LIVE) == "https://khalti.com/api/v2/"
    assert not conf.is_simulated()


@pytest.mark.parametrize(
    ("url", "simulated"),
    [
        ("http://127.0.0.1:9911/api/v2/", True),
        ("https://khalti.com.example/api/v2/", True),
        ("https://dev.khalti.com/api/v2/", False),
    ],
)
def test_a_server_that_is_not_khaltis_is_called_simulated(deployment, url, simulated):
    deployment(KHALTI_BASE_URL=url)

    assert conf.is_simulated() is simulated


@pytest.mark.django_db
def test_the_default_site_is_named_default_and_any_other_by_its_host():
    default = Site.objects.get(is_default_site=True)
    other = Site.objects.create(hostname="books.example", root_page=default.root_page)

    assert conf.key_of_site(default) == "default"
    assert conf.key_of_site(other) == "books.example"
    assert conf.site_key(RequestFactory().get("/", headers={"host": "books.example"})) == "books.example"
    assert conf.site_key(None) == "default"


# Keys


@pytest.mark.django_db
def test_a_saved_key_is_kept_encrypted_and_read_again(deployment):
    row = conf.save_key("default", conf.TEST, Secret(KEY))

    row.refresh_from_db()
    assert KEY.encode() not in bytes(row.ciphertext)
    assert conf.secret_of(row) == Secret(KEY)
    assert conf.credentials("default") == row


@pytest.mark.django_db
def test_another_key_retires_the_one_before_which_stays_readable_for_its_payments(deployment):
    first = conf.save_key("default", conf.TEST, Secret(KEY))

    second = conf.save_key("default", conf.TEST, Secret(OTHER))

    first.refresh_from_db()
    assert first.retired_at
    assert conf.credentials("default") == second
    assert conf.secret_of(first) == Secret(KEY)


@pytest.mark.django_db
def test_the_same_key_saved_again_is_encrypted_anew_in_its_row(deployment):
    first = conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(FERNET_KEYS=[NEW])

    again = conf.save_key("default", conf.TEST, Secret(KEY))

    assert again == first
    assert conf.secret_of(Credentials.objects.get()) == Secret(KEY)


@pytest.mark.django_db
def test_the_newest_fernet_key_encrypts_and_every_one_decrypts(deployment):
    """L03"""
    before = conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(FERNET_KEYS=[NEW, OLD])

    after = conf.save_key("default", conf.LIVE, Secret(OTHER))

    assert conf.secret_of(before) == Secret(KEY)
    assert Fernet(NEW).decrypt(bytes(after.ciphertext)).decode() == OTHER


@pytest.mark.django_db
def test_a_key_that_cannot_be_read_is_a_named_error_and_never_another_key_or_none(deployment):
    """L03"""
    conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(FERNET_KEYS=[NEW], KHALTI_SECRET_KEY=OTHER)
    row = conf.credentials("default")

    with pytest.raises(conf.KeyUnreadable, match=Secret(KEY).fingerprint):
        conf.secret_of(row)
    with pytest.raises(conf.KeyUnreadable):
        conf.khalti(row)
    with pytest.raises(conf.KeyUnreadable):
        conf.secret_in_use("default", conf.TEST)


@pytest.mark.django_db
@pytest.mark.parametrize("keys", [[], ["not a Fernet key"], [OLD[:-2]], [7]])
def test_without_usable_fernet_keys_no_key_is_saved(deployment, keys):
    deployment(FERNET_KEYS=keys)

    with pytest.raises(ImproperlyConfigured, match="LOYALINK_FERNET_KEYS"):
        conf.save_key("default", conf.TEST, Secret(KEY))

    assert not Credentials.objects.exists()


@pytest.mark.django_db
def test_a_site_without_a_key_uses_the_deployments_and_keeps_no_copy_of_it(deployment):
    deployment(KHALTI_SECRET_KEY=f"{KEY}\n")

    row = conf.credentials("default")

    assert bytes(row.ciphertext) == b""
    assert row.fingerprint == Secret(KEY).fingerprint
    assert conf.secret_of(row) == Secret(KEY)
    assert conf.credentials("default") == row


@pytest.mark.django_db
def test_another_key_of_the_deployment_makes_a_new_row_and_retires_the_old(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    old = conf.credentials("default")
    deployment(KHALTI_SECRET_KEY=OTHER)

    new = conf.credentials("default")

    old.refresh_from_db()
    assert new != old
    assert old.retired_at
    assert not new.retired_at


@pytest.mark.django_db
def test_a_payment_whose_key_is_gone_is_asked_about_with_the_sites_present_one(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    old = conf.credentials("default")
    deployment(KHALTI_SECRET_KEY=OTHER)

    client, same_key = conf.khalti(old)

    assert not same_key
    assert conf.secret_of(old) is None
    assert str(Secret(OTHER)) in repr(client)


@pytest.mark.django_db
def test_the_stand_in_is_of_the_payments_environment_not_of_the_one_chosen_since(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    choose(conf.TEST)
    opened = conf.credentials("default")
    deployment()
    conf.save_key("default", conf.TEST, Secret(OTHER))
    conf.save_key("default", conf.LIVE, Secret(KEY.replace("c0ffee", "5ec2e7")))
    choose(conf.LIVE)

    client, same_key = conf.khalti(opened)

    assert not same_key
    assert client.base_url == "https://dev.khalti.com/api/v2/"
    assert str(Secret(OTHER)) in repr(client)


@pytest.mark.django_db
def test_a_key_that_moved_from_the_environment_to_the_settings_is_found_by_its_fingerprint(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    opened = conf.credentials("default")
    deployment()
    conf.save_key("default", conf.TEST, Secret(KEY))

    _client, same_key = conf.khalti(opened)

    assert same_key


@pytest.mark.django_db
def test_a_payment_without_any_key_left_is_told_so(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    opened = conf.credentials("default")
    deployment()

    with pytest.raises(ImproperlyConfigured, match="is gone"):
        conf.khalti(opened)


@pytest.mark.django_db
def test_a_removed_key_leaves_the_deployments(deployment):
    deployment(KHALTI_SECRET_KEY=OTHER)
    own = conf.save_key("default", conf.TEST, Secret(KEY))

    assert conf.remove_key("default", conf.TEST)

    assert conf.credentials("default").fingerprint == Secret(OTHER).fingerprint
    assert conf.secret_of(own) == Secret(KEY)
    assert not conf.remove_key("default", conf.TEST)


@pytest.mark.django_db
def test_each_environment_and_each_site_has_a_key_of_its_own(deployment):
    other = Site.objects.create(hostname="books.example", root_page=Site.objects.get().root_page)
    choose(conf.LIVE)
    choose(conf.TEST, other)
    live = conf.save_key("default", conf.LIVE, Secret(KEY))
    test = conf.save_key("books.example", conf.TEST, Secret(OTHER))

    assert conf.credentials("default") == live
    assert conf.credentials("books.example") == test


@pytest.mark.django_db
def test_a_kept_key_follows_the_deployment_to_another_server(deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    simulated = conf.save_key("default", conf.TEST, Secret(KEY))
    deployment()

    row = conf.credentials("default")

    simulated.refresh_from_db()
    assert row.base_url == "https://dev.khalti.com/api/v2/"
    assert conf.secret_of(row) == Secret(KEY)
    assert simulated.retired_at


@pytest.mark.django_db
def test_a_payment_opened_at_a_simulator_is_asked_about_where_the_simulator_is_today(deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    row = conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9922/api/v2/")

    client, same_key = conf.khalti(row)

    assert same_key
    assert client.base_url == "http://127.0.0.1:9922/api/v2/"


@pytest.mark.django_db
def test_a_payment_opened_at_khalti_stays_there(deployment):
    row = conf.save_key("default", conf.LIVE, Secret(KEY))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")

    assert conf.khalti(row)[0].base_url == "https://khalti.com/api/v2/"


@pytest.mark.django_db
def test_a_server_that_may_not_be_called_is_a_misconfiguration(deployment):
    deployment(KHALTI_BASE_URL="http://pay.example/api/v2/", KHALTI_SECRET_KEY=KEY)

    with pytest.raises(ImproperlyConfigured, match=r"pay\.example"):
        conf.khalti(conf.credentials("default"))


@pytest.mark.django_db
def test_rotation_tells_of_every_key_what_became_of_it_and_leaves_rows_without_one_alone(deployment):
    """L03"""
    deployment(KHALTI_SECRET_KEY=OTHER)
    conf.credentials("books.example")
    old = conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(FERNET_KEYS=[NEW, OLD])
    new = conf.save_key("default", conf.LIVE, Secret(OTHER))

    told = list(conf.rotate_keys())

    assert told == [(old, conf.Rotated.NOW), (new, conf.Rotated.BEFORE)]
    assert Credentials.objects.filter(ciphertext=b"").count() == 1
    deployment(FERNET_KEYS=[NEW])
    assert conf.secret_of(Credentials.objects.get(pk=old.pk)) == Secret(KEY)


# What the checkout shows


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "saved", "off"),
    [
        ({}, None, "not set up"),
        ({"KHALTI_SECRET_KEY": KEY}, None, ""),
        ({"KHALTI_SECRET_KEY": "नमस्ते"}, None, "not set up"),
        ({}, [OLD], ""),
        ({}, [NEW], "not set up"),
    ],
)
def test_khalti_is_offered_only_with_a_key_that_can_be_used(deployment, given, saved, off):
    if saved:
        conf.save_key("default", conf.TEST, Secret(KEY))
    deployment(FERNET_KEYS=saved or [OLD], **given)

    options = conf.khalti_options("default")

    assert off in options.why_off
    assert bool(options.why_off) is bool(off)


@pytest.mark.django_db
def test_a_key_of_the_deployment_that_is_gone_again_does_not_leave_khalti_on(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    conf.credentials("default")
    deployment()

    assert "not set up" in conf.khalti_options("default").why_off


@pytest.mark.django_db
def test_switched_off_by_editors_is_off(deployment):
    deployment(KHALTI_SECRET_KEY=KEY)
    choose(conf.TEST)
    KhaltiSettings.objects.update(enabled=False)

    assert "switched off" in conf.khalti_options("default").why_off


@pytest.mark.django_db
def test_nothing_that_is_printed_logged_or_dumped_holds_the_key(deployment, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    row = conf.save_key("default", conf.TEST, Secret(KEY))
    conf.khalti(row)
    found = conf.key_in_use("default", conf.TEST)
    dump = io.StringIO()

    call_command("dumpdata", "loyalink_khalti", stdout=dump)

    assert row.fingerprint in dump.getvalue()
    for text in (dump.getvalue(), caplog.text, repr(found), repr(row), str(row), repr(conf.khalti(row)[0])):
        assert KEY not in text
        assert KEY[-20:] not in text
    assert found.mask == "live_…ffee"
