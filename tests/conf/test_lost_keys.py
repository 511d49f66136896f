"""R6: a secret key that cannot be decrypted any more counts as gone, and the site's current key stands in for it."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.credentials import Credentials

from .conftest import LIVE_KEY, NEW, OLD, OTHER_KEY

pytestmark = pytest.mark.django_db
Deployment = Callable[..., None]


@pytest.fixture
def opened(deployment: Deployment) -> Credentials:
    """The row of a key that opened payments at Khalti's test server; its Fernet key is lost since."""
    deployment()
    row = conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))
    deployment(FERNET_KEYS=[NEW])
    return row


def test_the_sites_new_key_stands_in_for_one_that_cannot_be_read(opened: Credentials) -> None:
    """R6"""
    conf.save_secret_key("default", conf.TEST, Secret(OTHER_KEY))
    opened.refresh_from_db()

    client, same_key = conf.client_for(opened)

    assert (same_key, client.base_url) == (False, "https://dev.khalti.com/api/v2/")
    assert str(Secret(OTHER_KEY)) in repr(client)


def test_the_same_key_entered_again_is_the_same_key(opened: Credentials) -> None:
    """R6, R6a: its row has the new ciphertext, or another row has it."""
    retired = Credentials.objects.create(
        site_key="books", environment=conf.TEST, base_url=opened.base_url, fingerprint=opened.fingerprint,
        ciphertext=bytes(opened.ciphertext), retired_at=opened.created_at,
    )  # fmt: skip
    conf.save_secret_key("default", conf.TEST, Secret(LIVE_KEY))

    assert [conf.client_for(row)[1] for row in (Credentials.objects.get(pk=opened.pk), retired)] == [True, True]


@pytest.mark.parametrize("fernet_keys", [[NEW], []])
def test_an_unreadable_key_that_is_the_deployments_is_the_same_key(
    opened: Credentials, deployment: Deployment, fernet_keys: list[str]
) -> None:
    """R6"""
    deployment(FERNET_KEYS=fernet_keys, KHALTI_SECRET_KEY=LIVE_KEY)

    assert conf.client_for(opened)[1]


def test_no_key_of_another_environment_stands_in(opened: Credentials) -> None:
    """R6, R6a"""
    conf.save_secret_key("default", conf.LIVE, Secret(OTHER_KEY))

    with pytest.raises(conf.SecretKeyUnreadable):
        conf.client_for(opened)


def test_no_other_server_is_asked_about_a_payment_of_khaltis(opened: Credentials, deployment: Deployment) -> None:
    """R6, R6a: a simulator, or Khalti's other server, says nothing of it."""
    deployment(FERNET_KEYS=[NEW], KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    conf.save_secret_key("default", conf.TEST, Secret(OTHER_KEY))
    opened.refresh_from_db()

    with pytest.raises(ImproperlyConfigured):
        conf.client_for(opened)
    assert conf.replacement_client(opened, conf.Caller.JOB) is None


def test_after_half_a_rotation_each_key_is_read_with_what_is_left(opened: Credentials, deployment: Deployment) -> None:
    """R6, R6a: the first row is not encrypted again when the old Fernet key is removed; the second is."""
    second = conf.save_secret_key("default", conf.TEST, Secret(OTHER_KEY))
    opened.refresh_from_db()

    both = [conf.client_for(row)[1] for row in (opened, second)]
    deployment(FERNET_KEYS=[NEW, OLD])
    after = [conf.client_for(row)[1] for row in (opened, second)]

    assert (both, after) == ([False, True], [True, True])


def test_with_no_readable_key_at_all_this_process_has_no_key(opened: Credentials) -> None:
    """R6, D7: another process may have it."""
    with pytest.raises(conf.NoKeyInThisProcess):
        conf.client_for(opened)
