"""The button "Test this key": the key is checked with Khalti, and the editor reads the result."""

import pytest
import requests
from django.contrib.auth.models import Permission

from loyalink_khalti import conf
from loyalink_khalti.flow.operations.key_check import KEY_FAILED, KEY_UNDECIDED, check_key
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials, Payment

from .conftest import KEY, LOOKUP, OTHER

NOT_FOUND = {"detail": "Not found.", "error_key": "validation_error"}
INVALID = {"detail": "Invalid token.", "status_code": 401}


def text_of(response):
    return response.content.decode()


def key_of(call):
    return call.request.headers["Authorization"].removeprefix("Key ")


@pytest.mark.parametrize("status", [400, 404])
def test_a_key_in_the_form_is_checked_and_not_saved(browser, button, form, khalti, status):
    khalti.post(LOOKUP, status=status, json=NOT_FOUND)

    response = browser.post(button, form | {"secret_key": KEY})

    assert "Khalti accepts the key live_…ffee at dev.khalti.com." in text_of(response)
    assert key_of(khalti.calls[0]) == KEY
    assert not Credentials.objects.exists()
    assert not Payment.objects.exists()


def test_the_current_key_is_checked_if_the_field_is_empty(browser, button, form, khalti):
    conf.save_secret_key("default", conf.TEST, Secret(OTHER))
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    response = browser.post(button, form)

    assert "live_…cafe" in text_of(response)
    assert key_of(khalti.calls[0]) == OTHER


def test_the_deployments_key_is_checked_if_no_key_is_saved(browser, button, form, khalti, deployment):
    deployment(KHALTI_SECRET_KEY=OTHER)
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    browser.post(button, form)

    assert key_of(khalti.calls[0]) == OTHER


def test_the_selected_environment_is_called_before_it_is_saved(browser, button, form, khalti):
    khalti.post("https://khalti.com/api/v2/epayment/lookup/", status=404, json=NOT_FOUND)

    response = browser.post(button, form | {"environment": "live", "secret_key": KEY})

    assert "at khalti.com." in text_of(response)


def test_the_deployments_server_is_called_if_it_has_one(browser, button, form, khalti, deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    khalti.post("http://127.0.0.1:9911/api/v2/epayment/lookup/", status=404, json=NOT_FOUND)

    response = browser.post(button, form | {"secret_key": KEY})

    assert "at 127.0.0.1:9911." in text_of(response)


@pytest.mark.parametrize(
    ("response", "level", "message"),
    [
        ({"status": 401, "json": INVALID}, KEY_FAILED, "Khalti rejects the key live_…ffee at dev.khalti.com"),
        ({"status": 429, "json": {"detail": "Request was throttled."}}, KEY_UNDECIDED, "too many requests"),
        ({"status": 503, "body": "<h1>Unavailable</h1>"}, KEY_UNDECIDED, "No answer from dev.khalti.com"),
        ({"status": 404, "body": "<h1>Not found</h1>"}, KEY_FAILED, "is not an answer of Khalti's API"),
        ({"status": 404, "json": {"detail": "No such page."}}, KEY_UNDECIDED, "did not reject the key"),
        ({"body": requests.ConnectionError("refused")}, KEY_UNDECIDED, "No answer from dev.khalti.com"),
    ],
)
def test_every_other_answer_has_a_message_of_its_own(deployment, khalti, response, level, message):
    khalti.post(LOOKUP, **response)

    result = check_key(conf.TEST, Secret(KEY))

    assert result.level == level
    assert message in result.text
    assert KEY not in result.text


def test_the_page_shows_that_a_key_is_rejected_and_does_not_repeat_it(browser, button, form, khalti):
    khalti.post(LOOKUP, status=401, json=INVALID)

    response = browser.post(button, form | {"secret_key": KEY})

    assert "Khalti rejects the key live_…ffee at dev.khalti.com" in text_of(response)
    assert KEY not in text_of(response)


def test_an_invalid_or_missing_key_is_not_sent(browser, button, form):
    assert "contains no spaces" in text_of(browser.post(button, form | {"secret_key": "Key " + KEY}))
    assert "There is no key to test." in text_of(browser.post(button, form))


def test_a_key_that_cannot_be_decrypted_is_not_sent(browser, button, form, deployment):
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    deployment()

    assert "cannot be read with LOYALINK_FERNET_KEYS" in text_of(browser.post(button, form))


def test_a_server_that_must_not_be_called_is_named(browser, button, form, deployment):
    deployment(KHALTI_BASE_URL="http://pay.example/api/v2/")

    assert "pay.example" in text_of(browser.post(button, form | {"secret_key": KEY}))


def test_the_other_values_are_kept_after_the_check(browser, button, form, khalti, page):
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    shown = text_of(browser.post(button, form | {"title": "Typed before", "secret_key": KEY}))

    assert 'value="Typed before"' in shown
    assert f'action="{page}"' in shown
    assert KEY not in shown


def test_a_script_gets_the_result_as_json(browser, button, form, khalti):
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    response = browser.post(button, form | {"secret_key": KEY}, headers={"accept": "application/json"})

    assert response.json() == {"level": "success", "text": "Khalti accepts the key live_…ffee at dev.khalti.com."}


def test_the_page_has_the_button(browser, page, button):
    assert f'formaction="{button}"' in text_of(browser.get(page))


def test_opening_the_buttons_url_redirects_to_the_page(browser, page, button):
    assert browser.get(button).headers["Location"] == page


def test_staff_without_the_permission_may_not_check_keys(browser, button, form, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    assert browser.post(button, form | {"secret_key": KEY}).status_code == 403


def test_anonymous_users_may_not_check_keys(client, button, form):
    assert client.post(button, form | {"secret_key": KEY}).status_code == 302
