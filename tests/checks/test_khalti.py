"""Checks of Khalti's server and of the secret keys for it."""

import pytest
from cryptography.fernet import Fernet

from loyalink_khalti import conf
from loyalink_khalti.khalti import Secret

from .conftest import KEY

SIMULATED = "http://127.0.0.1:9911/api/v2/"


@pytest.mark.parametrize(
    "url", ["http://pay.example/api/v2/", "ftp://khalti.com/", "khalti.com/api/v2", "https://a@b/"]
)
def test_a_server_that_must_not_be_called(deploy, messages, url):
    deploy(KHALTI_BASE_URL=url)

    assert url.rstrip("/") in messages()["E001"]


def test_a_server_that_is_not_khaltis_in_production(deploy, messages, settings):
    deploy(KHALTI_BASE_URL=SIMULATED)

    assert SIMULATED in messages()["E002"]

    settings.DEBUG = True
    assert messages() == {}


@pytest.mark.django_db
def test_no_secret_key(deploy, messages):
    deploy(KHALTI_SECRET_KEY="")

    assert messages() == {}
    assert set(messages(databases=["default"])) == {"W003"}

    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    assert messages(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_stored_key_that_is_unreadable(deploy, messages):
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    deploy(FERNET_KEYS=[Fernet.generate_key().decode()])

    assert messages() == {}
    assert Secret(KEY).fingerprint in messages(databases=["default"])["E004"]


@pytest.mark.django_db
def test_an_unreadable_key_without_payments_is_no_problem_once_retired(deploy, messages):
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    conf.remove_secret_key("default", conf.TEST)
    deploy(FERNET_KEYS=[Fernet.generate_key().decode()])

    assert messages(databases=["default"]) == {}


def test_an_invalid_key_of_the_deployment(deploy, messages):
    deploy(KHALTI_SECRET_KEY="with spaces")

    assert "with spaces" not in messages()["E005"]


def test_invalid_fernet_keys(deploy, messages):
    deploy(FERNET_KEYS=["short"])

    assert set(messages()) == {"E006"}


def test_no_fernet_keys_when_editors_enter_the_key(deploy, messages):
    deploy(FERNET_KEYS=[], KHALTI_SECRET_KEY="")
    assert set(messages()) == {"W007"}

    deploy(FERNET_KEYS=[])
    assert messages() == {}
