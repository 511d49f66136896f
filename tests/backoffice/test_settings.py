"""Khalti's settings: what editors can change, and that a saved key is never shown again."""

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.template import engines
from django.test import RequestFactory
from django.views.debug import SafeExceptionReporterFilter
from wagtail.log_actions import registry as log_registry
from wagtail.models import GroupSitePermission, Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.backoffice.settings.form import SecretKeyField
from loyalink_khalti.backoffice.settings.views import hide_key_in_error_reports
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials
from tests.backoffice.pages import form_errors

from .conftest import KEY, OTHER


@pytest.fixture
def may_exceed(editor):
    """The editor may exceed the refund limit, and so may change it."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="refund_beyond_limit"))


@pytest.fixture
def saved_key(site):
    """A key that is saved for the test server."""
    return conf.save_secret_key("default", conf.TEST, Secret(KEY))


def text_of(response):
    return response.content.decode()


def assert_hidden(*texts):
    for text in texts:
        assert KEY not in text
        assert KEY[-20:] not in text


def test_an_editor_saves_texts_and_a_key(browser, page, form):
    response = browser.post(page, form | {"title": "Khalti wallet", "secret_key": f" {KEY}\n"}, follow=True)

    assert "Khalti updated." in text_of(response)
    assert KhaltiSettings.objects.get().title == "Khalti wallet"
    assert conf.current_secret("default", conf.TEST) == Secret(KEY)


def test_an_empty_field_keeps_the_key(browser, page, form, saved_key):
    browser.post(page, form | {"title": "Another title"})

    assert Credentials.objects.count() == 1
    assert conf.current_secret("default", conf.TEST) == Secret(KEY)


def test_the_key_is_saved_for_the_selected_environment(browser, page, form):
    browser.post(page, form | {"environment": "live", "secret_key": KEY})

    assert conf.current_secret("default", conf.LIVE) == Secret(KEY)
    assert conf.current_secret("default", conf.TEST) is None


def test_the_page_identifies_a_key_without_showing_it(browser, page, saved_key):
    """L02"""
    shown = text_of(browser.get(page))

    assert "live_…ffee" in shown
    assert Secret(KEY).fingerprint in shown
    assert "entered here" in shown
    assert_hidden(shown)


def test_the_page_says_when_the_key_comes_from_the_server(browser, page, deployment):
    deployment(KHALTI_SECRET_KEY=KEY)

    shown = text_of(browser.get(page))

    assert "set on the server (KHALTI_SECRET_KEY)" in shown
    assert 'name="remove_key"' not in shown
    assert_hidden(shown)


def test_the_page_says_that_there_is_no_key(browser, page):
    assert "No key yet" in text_of(browser.get(page))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("   ", "only spaces"),
        ("Key " + KEY, "contains no spaces"),
        ("live_secret_key_०१२३४५६७८९०१२३४५६७८९०१२३४५६७८९०१", "plain English letters"),
        ("live_secret_key_0000\x0000000000000000000000000000", "plain English letters"),
        ("live_…ffee", "not the key itself"),
        ("test_secret_key_00000000000040008000000000c0ffee", "KPG-1"),
        ("live_public_key_00000000000040008000000000c0ffee", "public key"),
        ("c0ffee", "too short"),
        ("f" * 201, "too long"),
    ],
)
def test_an_invalid_key_is_refused_with_a_reason(typed, message):
    with pytest.raises(ValidationError, match=message):
        SecretKeyField().clean(typed)


def test_an_invalid_key_loses_no_other_value_and_keeps_the_current_key(browser, page, form, saved_key):
    response = browser.post(page, form | {"title": "Typed before", "secret_key": "c0ffee"})

    assert response.status_code == 200
    assert "too short" in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert not KhaltiSettings.objects.filter(title="Typed before").exists()
    assert conf.current_secret("default", conf.TEST) == Secret(KEY)


@pytest.mark.parametrize("keys", [[], ["not a Fernet key"]])
def test_without_fernet_keys_no_key_is_saved_and_the_current_key_is_kept(
    browser, page, form, deployment, settings, keys
):
    conf.save_secret_key("default", conf.TEST, Secret(OTHER))
    before = settings.LOYALINK_KHALTI["FERNET_KEYS"]
    deployment(FERNET_KEYS=keys)

    response = browser.post(page, form | {"title": "Typed before", "secret_key": KEY})

    assert "The key was not saved" in text_of(response)
    assert "LOYALINK_FERNET_KEYS" in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert_hidden(text_of(response))
    deployment(FERNET_KEYS=before)
    assert conf.current_secret("default", conf.TEST) == Secret(OTHER)


def test_a_key_that_cannot_be_decrypted_is_shown_and_can_be_entered_again(browser, page, form, saved_key, deployment):
    deployment(FERNET_KEYS=[Fernet.generate_key().decode()])

    shown = text_of(browser.get(page))
    browser.post(page, form | {"secret_key": KEY})

    assert "cannot be read with LOYALINK_FERNET_KEYS" in shown
    assert Secret(KEY).fingerprint in shown
    assert conf.current_secret("default", conf.TEST) == Secret(KEY)


def test_a_removed_key_is_replaced_by_the_deployments_key(browser, page, form, saved_key, settings):
    settings.LOYALINK_KHALTI["KHALTI_SECRET_KEY"] = OTHER

    browser.post(page, form | {"remove_key": "on"})

    assert conf.secret_key_info("default", conf.TEST).source == conf.DEPLOYMENT
    assert Credentials.objects.get(fingerprint=Secret(KEY).fingerprint).retired_at


def test_a_key_is_not_entered_and_removed_at_once(browser, page, form, saved_key):
    response = browser.post(page, form | {"secret_key": OTHER, "remove_key": "on"})

    assert "not both" in text_of(response)
    assert conf.current_secret("default", conf.TEST) == Secret(KEY)


def test_audience_and_limits_are_typed_in_rupees_and_stored_in_paisa(browser, page, form, may_exceed):
    browser.post(
        page,
        form
        | {"audience": "members", "minimum_order": "Rs 250", "maximum_order": "1,00,000.50", "refund_limit": "5,000"},
    )

    saved = KhaltiSettings.objects.get()
    assert (saved.audience, saved.minimum_order, saved.maximum_order) == ("members", 25_000, 10_000_050)
    assert conf.refund_limits("default").per_order == 500_000
    shown = text_of(browser.get(page))
    assert [f'value="{amount}"' in shown for amount in ("250", "1,00,000.50", "5,000")] == [True] * 3


def test_an_empty_field_means_no_limit(browser, page, form, may_exceed):
    browser.post(page, form | {"maximum_order": "500", "refund_limit": "0"})
    limited = KhaltiSettings.objects.get()
    browser.post(page, form)

    assert (limited.maximum_order, limited.refund_limit) == (50_000, 0)
    assert (KhaltiSettings.objects.get().maximum_order, conf.refund_limits("default").per_order) == (None, None)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"minimum_order": "9.99"}, "Minimum order: Khalti accepts no payment below Rs 10."),
        ({"minimum_order": ""}, "Minimum order: Enter an amount in rupees."),
        ({"minimum_order": "ten"}, "Minimum order: Enter an amount in rupees, for example 250 or 250.50."),
        ({"minimum_order": "500", "maximum_order": "499.99"}, "Maximum order: This is below the minimum order"),
        ({"maximum_order": "10.005"}, "Maximum order: Enter at most two decimals: paisa."),
        ({"maximum_order": "250,50"}, "Maximum order: Use a decimal point, as in 1.5."),
        ({"refund_limit": "-1"}, "Refund limit: At least Rs 0.00."),
        ({"refund_limit": "9" * 60}, "Refund limit: This amount is too large."),
        ({"audience": "martians"}, "Select a valid choice."),
    ],
)
def test_an_invalid_limit_is_an_error_of_its_field(site, editor, may_exceed, form, invalid, message):
    form_class = KhaltiSettings.edit_handler.bind_to_model(KhaltiSettings).get_form_class()

    assert message in form_errors(
        form_class(form | invalid, instance=KhaltiSettings(site=site), for_user=User.objects.get(pk=editor.pk))
    )


def test_an_invalid_limit_loses_no_other_value(browser, page, form):
    response = browser.post(page, form | {"title": "Typed before", "minimum_order": "9.99"})

    assert response.status_code == 200
    assert "Khalti accepts no payment below Rs 10." in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert not KhaltiSettings.objects.filter(title="Typed before").exists()


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (100_000, "Staff may refund up to Rs 1,000 per order. Only staff who may exceed the limit can change it."),
        (None, "Staff may refund any amount. Only staff who may exceed a limit can set one."),
    ],
)
def test_an_editor_who_may_not_exceed_the_refund_limit_reads_it_and_cannot_change_it(
    browser, page, form, site, limit, text
):
    KhaltiSettings.objects.create(site=site, refund_limit=limit)

    shown = text_of(browser.get(page))
    saved = browser.post(page, form | {"title": "Khalti wallet", "refund_limit": "99,999"})

    assert text in shown
    assert 'name="refund_limit"' not in shown
    assert saved.status_code == 302
    assert (KhaltiSettings.objects.get().title, conf.refund_limits("default").per_order) == ("Khalti wallet", limit)


def test_the_site_history_shows_who_changed_the_refund_limit(browser, page, form, editor, may_exceed, admin_client):
    browser.post(page, form | {"refund_limit": "1,000"})
    browser.post(page, form | {"refund_limit": "1,000", "title": "Khalti wallet"})
    browser.post(page, form | {"refund_limit": ""})

    entries = [
        (entry.user, entry.data)
        for entry in log_registry.get_logs_for_instance(KhaltiSettings.objects.get()).order_by("pk")
        if entry.action == "loyalink_khalti.change_refund_limit"
    ]
    assert entries == [
        (editor, {"old": None, "new": 100_000, "field": "refund_limit"}),
        (editor, {"old": 100_000, "new": None, "field": "refund_limit"}),
    ]
    assert "Change the refund limit: Rs 1,000.00 → no limit" in text_of(
        admin_client.get("/admin/reports/site-history/")
    )


def test_after_a_new_key_the_page_suggests_a_test_and_calls_nobody_by_itself(browser, page, form, khalti):
    with_key = browser.post(page, form | {"secret_key": KEY}, follow=True)
    without = browser.post(page, form, follow=True)

    hint = "A new key is in use. Press “Test this key” to check that Khalti accepts it."
    assert (hint in text_of(with_key), hint in text_of(without)) == (True, False)


def test_each_site_has_its_own_key(browser, page, form, saved_key, site):
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)

    browser.post(page.replace(f"/{site.pk}/", f"/{other.pk}/"), form | {"secret_key": OTHER})

    assert conf.current_secret("default", conf.TEST) == Secret(KEY)
    assert conf.current_secret(conf.site_key_of(other), conf.TEST) == Secret(OTHER)


def test_a_simulated_khalti_is_shown_as_a_warning(browser, page, deployment):
    real = text_of(browser.get(page))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")

    simulated = text_of(browser.get(page))

    assert "Simulated Khalti" not in real
    assert "Simulated Khalti" in simulated
    assert "127.0.0.1:9911" in simulated


def test_editors_choose_an_environment_and_never_a_url(browser, page, form):
    """K10"""
    browser.post(page, form | {"base_url": "https://evil.example/", "secret_key": KEY})

    assert Credentials.objects.get().base_url == "https://dev.khalti.com/api/v2/"


def test_staff_without_the_permission_see_and_change_nothing(browser, page, form, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    read = browser.get(page)
    written = browser.post(page, form | {"secret_key": KEY})

    assert (read.status_code, written.status_code) == (302, 302)
    assert not Credentials.objects.exists()


def test_a_permission_for_one_site_applies_to_that_site_only(browser, page, form, site, editor):
    group = editor.groups.get()
    group.permissions.set(Permission.objects.filter(codename="access_admin"))
    GroupSitePermission.objects.create(
        group=group, site=site, permission=Permission.objects.get(codename="change_khaltisettings")
    )
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)

    assert browser.get(page).status_code == 200
    assert browser.get(page.replace(f"/{site.pk}/", f"/{other.pk}/")).status_code == 302


def test_the_site_history_identifies_a_key_by_its_fingerprint(browser, page, form, editor):
    browser.post(page, form | {"secret_key": KEY})
    browser.post(page, form | {"remove_key": "on"})

    entries = [
        (entry.action, entry.user, entry.data)
        for entry in log_registry.get_logs_for_instance(KhaltiSettings.objects.get())
        if entry.action.startswith("loyalink_khalti.")
    ]
    data = {"environment": "test", "fingerprint": Secret(KEY).fingerprint}
    assert sorted(entries, key=lambda entry: entry[0]) == [
        ("loyalink_khalti.remove_key", editor, data),
        ("loyalink_khalti.save_key", editor, data),
    ]


def test_a_saved_key_is_in_no_page_log_history_dump_or_template(browser, page, form, caplog, admin_client):
    """L01, L02"""
    caplog.set_level(logging.DEBUG)
    saved = browser.post(page, form | {"secret_key": KEY}, follow=True)
    wrong = browser.post(page, form | {"title": "", "secret_key": KEY})
    history = admin_client.get("/admin/reports/site-history/")
    dump = io.StringIO()
    call_command("dumpdata", "loyalink_khalti", "wagtailcore", "sessions", stdout=dump)
    template = engines["django"].from_string("{{ settings.loyalink_khalti.KhaltiSettings.secret_key }}")
    seen_by_templates = template.render({}, RequestFactory().get("/"))

    assert wrong.status_code == 200
    assert "Save a Khalti key" in text_of(history)
    assert_hidden(
        *(text_of(response) for response in (saved, wrong, history, browser.get(page))),
        caplog.text,
        dump.getvalue(),
        seen_by_templates,
        repr(KhaltiSettings.objects.get().__dict__),
    )


def test_an_error_report_while_saving_does_not_contain_the_key(site, settings):
    settings.DEBUG = False
    request = RequestFactory().post("/", {"title": "Khalti", "secret_key": KEY})

    hide_key_in_error_reports(request, KhaltiSettings(site=site))

    reported = SafeExceptionReporterFilter().get_post_parameters(request)
    assert reported["title"] == "Khalti"
    assert_hidden(str(reported))
