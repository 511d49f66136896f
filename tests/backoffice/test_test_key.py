"""The button "Test this key": what Khalti says to it, and what the editor reads."""

import pytest
import requests
from django.contrib.auth.models import Permission

from loyalink_khalti import conf
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
def test_a_typed_key_that_khalti_knows_is_said_to_be_known_and_not_saved(browser, button, typed, khalti, status):
    khalti.post(LOOKUP, status=status, json=NOT_FOUND)

    response = browser.post(button, typed | {"secret_key": KEY})

    assert "Khalti knows the key live_…ffee at dev.khalti.com." in text_of(response)
    assert key_of(khalti.calls[0]) == KEY
    assert not Credentials.objects.exists()
    assert not Payment.objects.exists()


def test_the_stored_key_is_tested_where_none_is_typed(browser, button, typed, khalti):
    conf.save_key("default", conf.TEST, Secret(OTHER))
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    response = browser.post(button, typed)

    assert "live_…cafe" in text_of(response)
    assert key_of(khalti.calls[0]) == OTHER


def test_the_servers_key_is_tested_where_none_is_stored(browser, button, typed, khalti, deployment):
    deployment(KHALTI_SECRET_KEY=OTHER)
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    browser.post(button, typed)

    assert key_of(khalti.calls[0]) == OTHER


def test_the_chosen_environment_is_asked_before_it_is_saved(browser, button, typed, khalti):
    khalti.post("https://khalti.com/api/v2/epayment/lookup/", status=404, json=NOT_FOUND)

    response = browser.post(button, typed | {"environment": "live", "secret_key": KEY})

    assert "at khalti.com." in text_of(response)


def test_the_deployments_server_is_asked_where_it_names_one(browser, button, typed, khalti, deployment):
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")
    khalti.post("http://127.0.0.1:9911/api/v2/epayment/lookup/", status=404, json=NOT_FOUND)

    response = browser.post(button, typed | {"secret_key": KEY})

    assert "at 127.0.0.1:9911." in text_of(response)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 401, "json": INVALID}, "Khalti does not know the key live_…ffee at dev.khalti.com"),
        ({"status": 429, "json": {"detail": "Request was throttled."}}, "patience"),
        ({"status": 503, "body": "<h1>Unavailable</h1>"}, "No answer from dev.khalti.com"),
        ({"status": 404, "body": "<h1>Not found</h1>"}, "does not speak as Khalti does"),
        ({"status": 404, "json": {"detail": "No such page."}}, "did not refuse the key"),
        ({"body": requests.ConnectionError("refused")}, "No answer from dev.khalti.com"),
    ],
)
def test_every_other_answer_is_told_in_words(browser, button, typed, khalti, answer, words):
    khalti.post(LOOKUP, **answer)

    response = browser.post(button, typed | {"secret_key": KEY})

    assert response.status_code == 200
    assert words in text_of(response)
    assert "Khalti knows the key" not in text_of(response)
    assert KEY not in text_of(response)


def test_what_is_no_key_is_not_sent(browser, button, typed):
    assert "no spaces inside" in text_of(browser.post(button, typed | {"secret_key": "Key " + KEY}))
    assert "There is no key to test yet" in text_of(browser.post(button, typed))


def test_a_stored_key_that_cannot_be_read_is_not_sent(browser, button, typed, deployment):
    conf.save_key("default", conf.TEST, Secret(KEY))
    deployment()

    assert "cannot be read with LOYALINK_FERNET_KEYS" in text_of(browser.post(button, typed))


def test_a_server_that_may_not_be_called_is_named(browser, button, typed, deployment):
    deployment(KHALTI_BASE_URL="http://pay.example/api/v2/")

    assert "pay.example" in text_of(browser.post(button, typed | {"secret_key": KEY}))


def test_what_else_was_typed_is_still_there_after_the_test(browser, button, typed, khalti, page):
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    shown = text_of(browser.post(button, typed | {"title": "Typed before", "secret_key": KEY}))

    assert 'value="Typed before"' in shown
    assert f'action="{page}"' in shown
    assert KEY not in shown


def test_a_script_gets_the_answer_alone(browser, button, typed, khalti):
    khalti.post(LOOKUP, status=404, json=NOT_FOUND)

    response = browser.post(button, typed | {"secret_key": KEY}, headers={"accept": "application/json"})

    assert response.json() == {"level": "success", "text": "Khalti knows the key live_…ffee at dev.khalti.com."}


def test_the_page_has_the_button(browser, page, button):
    assert f'formaction="{button}"' in text_of(browser.get(page))


def test_the_address_of_the_button_leads_back_to_the_page(browser, page, button):
    assert browser.get(button).headers["Location"] == page


def test_who_may_not_edit_the_setting_may_not_test_keys(browser, button, typed, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    assert browser.post(button, typed | {"secret_key": KEY}).status_code == 403


def test_a_stranger_may_not_test_keys(client, button, typed):
    assert client.post(button, typed | {"secret_key": KEY}).status_code == 302
