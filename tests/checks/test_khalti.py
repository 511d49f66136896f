"""Checks of Khalti's server and of the secret keys for it."""

import pytest
from cryptography.fernet import Fernet
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Payment

from .conftest import KEY
from .test_deployment import create_payment

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


@pytest.mark.parametrize("url", [SIMULATED, conf.SERVERS[conf.TEST]])
def test_a_test_server_for_all_sites_is_an_error_unless_it_is_a_staging_server(deploy, messages, settings, url):
    """M21: with Khalti's own test server nothing was reported."""
    deploy(KHALTI_BASE_URL=url)
    in_production = messages()
    deploy(KHALTI_BASE_URL=url, ALLOW_TEST_PAYMENTS=True)

    assert url in in_production.pop("E002")
    assert in_production == {}
    assert set(messages()) == {"W044"}

    settings.DEBUG = True
    assert messages() == {}


@pytest.mark.django_db
def test_the_test_environment_of_a_site_is_an_error_unless_it_is_a_staging_server(deploy, messages, settings):
    """M21: an editor chose it on a live shop, and nothing said so."""
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.create(site=site, environment=conf.TEST)
    deploy(KHALTI_BASE_URL="")
    in_production = messages(databases=["default"])
    deploy(KHALTI_BASE_URL="", ALLOW_TEST_PAYMENTS=True)
    on_staging = messages(databases=["default"])
    deploy(KHALTI_BASE_URL="", ALLOW_TEST_PAYMENTS="false")

    assert set(in_production) == {"E043"}
    assert set(on_staging) == {"W044"}
    assert set(messages(databases=["default"])) == {"E046"}  # a text allows nothing
    assert not conf.test_payments_allowed()

    settings.DEBUG = True
    deploy(KHALTI_BASE_URL="")
    assert messages(databases=["default"]) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"environment": "live"}, {"enabled": False}])
def test_a_site_in_the_live_environment_or_without_khalti_is_right(deploy, messages, change):
    KhaltiSettings.objects.create(site=Site.objects.get(is_default_site=True), **change)
    deploy(KHALTI_BASE_URL="")

    assert messages(databases=["default"]) == {}


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
    deploy(FERNET_KEYS=[Fernet.generate_key().decode()], KHALTI_SECRET_KEY="")

    assert set(messages()) == set()
    assert Secret(KEY).fingerprint in messages(databases=["default"])["E004"]


@pytest.mark.django_db
def test_an_unreadable_key_with_a_successor_is_a_warning_while_payments_of_it_are_open(deploy, messages):
    """R6, R6d: an error that nobody can mend would stop every migrate."""
    payment = create_payment()
    row = conf.save_secret_key("default", conf.TEST, Secret(KEY))
    Payment.objects.update(credentials=row)
    deploy(FERNET_KEYS=[Fernet.generate_key().decode()], KHALTI_SECRET_KEY="")
    conf.save_secret_key("default", conf.TEST, Secret(KEY.replace("c0ffee", "decade")))

    waiting = messages(databases=["default"])
    Payment.objects.filter(pk=payment.pk).update(state="released")

    assert (set(waiting), Secret(KEY).fingerprint in waiting["W045"]) == ({"W045"}, True)
    assert messages(databases=["default"]) == {}


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
