"""The client for a payment, and whether the checkout offers Khalti, depend on the keys that exist."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.khalti import Secret

from .conftest import LIVE_KEY, NEW, OLD, OTHER_KEY, choose_environment


@pytest.mark.django_db
def test_a_payment_whose_key_is_gone_uses_the_sites_current_key(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    old = conf.credentials("default")
    deployment(KHALTI_SECRET_KEY=OTHER_KEY)

    client, same_key = conf.client_for(old)

    assert not same_key
    assert conf.secret_of(old) is None
    assert str(Secret(OTHER_KEY)) in repr(client)


@pytest.mark.django_db
def test_the_current_key_is_of_the_payments_environment(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    choose_environment(conf.TEST)
    opened = conf.credentials("default")
    deployment()
    conf.save_secret_key("default", conf.TEST, Secret(OTHER_KEY))
    conf.save_secret_key("default", conf.LIVE, Secret(LIVE_KEY.replace("c0ffee", "5ec2e7")))
    choose_environment(conf.LIVE)

    client, same_key = conf.client_for(opened)

    assert not same_key
    assert client.base_url == "https://dev.khalti.com/api/v2/"
    assert str(Secret(OTHER_KEY)) in repr(client)


@pytest.mark.django_db
def test_a_key_that_moved_from_the_environment_to_the_settings_is_found_by_its_fingerprint(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    opened = conf.credentials("default")
    deployment()
    conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    _client, same_key = conf.client_for(opened)

    assert same_key


@pytest.mark.django_db
def test_a_payment_without_any_key_is_a_misconfiguration(deployment):
    """D7"""
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    opened = conf.credentials("default")
    deployment()

    with pytest.raises(conf.NoKeyInThisProcess, match="KHALTI_SECRET_KEY is not set"):
        conf.client_for(opened)


@pytest.mark.django_db
def test_a_payment_opened_at_a_simulator_is_looked_up_at_the_current_simulator(deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    row = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9922/api/v2/")

    client, same_key = conf.client_for(row)

    assert same_key
    assert client.base_url == "http://127.0.0.1:9922/api/v2/"


@pytest.mark.django_db
def test_a_payment_opened_at_khalti_is_looked_up_there(deployment):
    row = conf.save_secret_key("default", conf.LIVE, Secret(LIVE_KEY))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")

    assert conf.client_for(row)[0].base_url == "https://khalti.com/api/v2/"


@pytest.mark.django_db
def test_a_server_that_must_not_be_called_is_a_misconfiguration(deployment):
    deployment(KHALTI_BASE_URL="http://pay.example/api/v2/", KHALTI_SECRET_KEY=LIVE_KEY)

    with pytest.raises(ImproperlyConfigured, match=r"pay\.example"):
        conf.client_for(conf.credentials("default"))


# What the checkout shows


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "saved", "reason"),
    [
        ({}, None, "not set up"),
        ({"KHALTI_SECRET_KEY": LIVE_KEY}, None, ""),
        ({"KHALTI_SECRET_KEY": "नमस्ते"}, None, "not set up"),
        ({}, [OLD], ""),
        ({}, [NEW], "not set up"),
    ],
)
def test_khalti_is_available_only_with_a_usable_key(deployment, given, saved, reason):
    if saved:
        conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=saved or [OLD], **given)

    options = conf.khalti_options("default")

    assert reason in options.unavailable_reason
    assert bool(options.unavailable_reason) is bool(reason)


@pytest.mark.django_db
def test_without_the_deployments_key_khalti_becomes_unavailable(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    conf.credentials("default")
    deployment()

    assert "not set up" in conf.khalti_options("default").unavailable_reason


@pytest.mark.django_db
def test_khalti_is_unavailable_when_editors_switch_it_off(deployment):
    deployment(KHALTI_SECRET_KEY=LIVE_KEY)
    choose_environment(conf.TEST)
    KhaltiSettings.objects.update(enabled=False)

    assert "switched off" in conf.khalti_options("default").unavailable_reason
