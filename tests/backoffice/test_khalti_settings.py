"""The page of Khalti's settings: what editors can do there, and that the key is never seen again."""

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.template import engines
from django.test import RequestFactory
from django.views.debug import SafeExceptionReporterFilter
from wagtail.log_actions import registry as log_registry
from wagtail.models import GroupSitePermission, Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.backoffice.views import keep_the_key_out_of_error_reports
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials

from .conftest import KEY, OTHER


@pytest.fixture
def beyond(editor):
    """The editor may give back more than the limit, and so may set it."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="refund_beyond_limit"))


def text_of(response):
    return response.content.decode()


def assert_hidden(*texts):
    for text in texts:
        assert KEY not in text
        assert KEY[-20:] not in text


def test_an_editor_saves_texts_and_a_key(browser, page, typed):
    response = browser.post(page, typed | {"title": "Khalti wallet", "secret_key": f" {KEY}\n"}, follow=True)

    assert "Khalti updated." in text_of(response)
    assert KhaltiSettings.objects.get().title == "Khalti wallet"
    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)


def test_an_empty_field_keeps_the_key(browser, page, typed):
    browser.post(page, typed | {"secret_key": KEY})

    browser.post(page, typed | {"title": "Another title"})

    assert Credentials.objects.count() == 1
    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)


def test_the_key_is_kept_for_the_environment_that_is_chosen(browser, page, typed):
    browser.post(page, typed | {"environment": "live", "secret_key": KEY})

    assert conf.secret_in_use("default", conf.LIVE) == Secret(KEY)
    assert conf.secret_in_use("default", conf.TEST) is None


def test_the_page_tells_a_key_apart_without_showing_it(browser, page, typed):
    """L02"""
    browser.post(page, typed | {"secret_key": KEY})

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
    ("nonsense", "words"),
    [
        ("   ", "only spaces"),
        ("Key " + KEY, "no spaces inside"),
        ("live_secret_key_०१२३४५६७८९०१२३४५६७८९०१२३४५६७८९०१", "plain English letters"),
        ("live_secret_key_0000\x0000000000000000000000000000", "plain English letters"),
        ("live_…ffee", "not the key itself"),
        ("test_secret_key_00000000000040008000000000c0ffee", "KPG-1"),
        ("live_public_key_00000000000040008000000000c0ffee", "public key"),
        ("c0ffee", "too short"),
        ("f" * 201, "too long"),
    ],
)
def test_what_is_no_key_is_refused_in_words_and_nothing_is_lost(browser, page, typed, nonsense, words):
    browser.post(page, typed | {"secret_key": KEY})

    response = browser.post(page, typed | {"title": "Typed before", "secret_key": nonsense})

    assert response.status_code == 200
    assert words in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert KhaltiSettings.objects.get().title == "Khalti"
    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)


@pytest.mark.parametrize("keys", [[], ["not a Fernet key"]])
def test_without_fernet_keys_the_form_says_so_and_the_key_there_is_stays(
    browser, page, typed, deployment, settings, keys
):
    browser.post(page, typed | {"secret_key": OTHER})
    before = settings.LOYALINK_KHALTI["FERNET_KEYS"]
    deployment(FERNET_KEYS=keys)

    response = browser.post(page, typed | {"title": "Typed before", "secret_key": KEY})

    assert "The key was not saved" in text_of(response)
    assert "LOYALINK_FERNET_KEYS" in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert_hidden(text_of(response))
    deployment(FERNET_KEYS=before)
    assert conf.secret_in_use("default", conf.TEST) == Secret(OTHER)


def test_a_key_that_cannot_be_read_is_named_and_replaced_by_entering_it_again(browser, page, typed, deployment):
    browser.post(page, typed | {"secret_key": KEY})
    deployment(FERNET_KEYS=[Fernet.generate_key().decode()])

    shown = text_of(browser.get(page))
    browser.post(page, typed | {"secret_key": KEY})

    assert "cannot be read with LOYALINK_FERNET_KEYS" in shown
    assert Secret(KEY).fingerprint in shown
    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)


def test_a_key_is_removed_by_a_tick_and_the_servers_takes_its_place(browser, page, typed, deployment, settings):
    browser.post(page, typed | {"secret_key": KEY})
    settings.LOYALINK_KHALTI["KHALTI_SECRET_KEY"] = OTHER

    browser.post(page, typed | {"remove_key": "on"})

    assert conf.key_in_use("default", conf.TEST).source == conf.DEPLOYMENT
    assert Credentials.objects.get(fingerprint=Secret(KEY).fingerprint).retired_at


def test_a_key_is_not_entered_and_removed_at_once(browser, page, typed):
    browser.post(page, typed | {"secret_key": KEY})

    response = browser.post(page, typed | {"secret_key": OTHER, "remove_key": "on"})

    assert "not both" in text_of(response)
    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)


def test_to_whom_and_for_which_orders_is_typed_in_rupees_and_kept_in_paisa(browser, page, typed, beyond):
    browser.post(
        page,
        typed
        | {"audience": "members", "minimum_order": "Rs 250", "maximum_order": "1,00,000.50", "refund_limit": "5,000"},
    )

    saved = KhaltiSettings.objects.get()
    assert (saved.audience, saved.minimum_order, saved.maximum_order) == ("members", 25_000, 10_000_050)
    assert conf.refund_limit("default") == 500_000
    shown = text_of(browser.get(page))
    assert [f'value="{amount}"' in shown for amount in ("250", "1,00,000.50", "5,000")] == [True] * 3


def test_no_limit_is_an_empty_field(browser, page, typed, beyond):
    browser.post(page, typed | {"maximum_order": "500", "refund_limit": "0"})
    limited = KhaltiSettings.objects.get()
    browser.post(page, typed)

    assert (limited.maximum_order, limited.refund_limit) == (50_000, 0)
    assert (KhaltiSettings.objects.get().maximum_order, conf.refund_limit("default")) == (None, None)


@pytest.mark.parametrize(
    ("nonsense", "words"),
    [
        ({"minimum_order": "9.99"}, "Khalti itself takes nothing below Rs 10."),
        ({"minimum_order": ""}, "Enter an amount in rupees."),
        ({"minimum_order": "ten"}, "Enter an amount in rupees, 250 or 250.50 say."),
        ({"minimum_order": "500", "maximum_order": "499.99"}, "This is below the smallest order"),
        ({"maximum_order": "10.005"}, "Rupees have two decimals"),
        ({"maximum_order": "250,50"}, "Write 1.5 with a point."),
        ({"refund_limit": "-1"}, "At least Rs 0.00."),
        ({"refund_limit": "9" * 60}, "This is more than any shop takes."),
        ({"audience": "nobody"}, "Select a valid choice."),
    ],
)
def test_limits_that_cannot_be_are_refused_in_words_and_nothing_is_lost(browser, page, typed, nonsense, words, beyond):
    response = browser.post(page, typed | {"title": "Typed before"} | nonsense)

    assert response.status_code == 200
    assert words in text_of(response)
    assert 'value="Typed before"' in text_of(response)
    assert not KhaltiSettings.objects.filter(title="Typed before").exists()


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (100_000, "Staff give back up to Rs 1,000 of one order. Only who may go beyond it may change it."),
        (None, "Staff give back any amount of one order. Only who may go beyond a limit may set one."),
    ],
)
def test_whoever_is_bound_by_the_limit_of_refunds_reads_it_and_cannot_lift_it(browser, page, typed, site, limit, said):
    KhaltiSettings.objects.create(site=site, refund_limit=limit)

    shown = text_of(browser.get(page))
    saved = browser.post(page, typed | {"title": "Khalti wallet", "refund_limit": "99,999"})

    assert said in shown
    assert 'name="refund_limit"' not in shown
    assert saved.status_code == 302
    assert (KhaltiSettings.objects.get().title, conf.refund_limit("default")) == ("Khalti wallet", limit)


def test_the_history_tells_who_changed_the_limit_of_refunds_from_what_to_what(
    browser, page, typed, editor, beyond, admin_client
):
    browser.post(page, typed | {"refund_limit": "1,000"})
    browser.post(page, typed | {"refund_limit": "1,000", "title": "Khalti wallet"})
    browser.post(page, typed | {"refund_limit": ""})

    entries = [
        (entry.user, entry.data)
        for entry in log_registry.get_logs_for_instance(KhaltiSettings.objects.get()).order_by("pk")
        if entry.action == "loyalink_khalti.change_refund_limit"
    ]
    assert entries == [(editor, {"old": None, "new": 100_000}), (editor, {"old": 100_000, "new": None})]
    assert "Change the limit of refunds: Rs 1,000.00 → no limit" in text_of(
        admin_client.get("/admin/reports/site-history/")
    )


def test_after_a_new_key_the_page_says_to_test_it_and_asks_nobody_by_itself(browser, page, typed, khalti):
    with_key = browser.post(page, typed | {"secret_key": KEY}, follow=True)
    without = browser.post(page, typed, follow=True)

    hint = "A new key is in use. Press “Test this key” to see whether Khalti knows it."
    assert (hint in text_of(with_key), hint in text_of(without)) == (True, False)


def test_each_site_has_its_own_key(browser, page, typed, site):
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)
    browser.post(page, typed | {"secret_key": KEY})

    browser.post(page.replace(f"/{site.pk}/", f"/{other.pk}/"), typed | {"secret_key": OTHER})

    assert conf.secret_in_use("default", conf.TEST) == Secret(KEY)
    assert conf.secret_in_use("books.example", conf.TEST) == Secret(OTHER)


def test_a_simulated_khalti_is_announced(browser, page, deployment):
    real = text_of(browser.get(page))
    deployment(KHALTI_BASE_URL="http://127.0.0.1:9911/api/v2/")

    simulated = text_of(browser.get(page))

    assert "Simulated Khalti" not in real
    assert "Simulated Khalti" in simulated
    assert "127.0.0.1:9911" in simulated


def test_editors_choose_an_environment_and_never_an_address(browser, page, typed):
    """K10"""
    browser.post(page, typed | {"base_url": "https://evil.example/", "secret_key": KEY})

    assert Credentials.objects.get().base_url == "https://dev.khalti.com/api/v2/"


def test_who_may_not_edit_the_setting_sees_nothing_and_changes_nothing(browser, page, typed, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    read = browser.get(page)
    written = browser.post(page, typed | {"secret_key": KEY})

    assert (read.status_code, written.status_code) == (302, 302)
    assert not Credentials.objects.exists()


def test_the_permission_may_be_given_for_one_site_alone(browser, page, typed, site, editor):
    group = editor.groups.get()
    group.permissions.set(Permission.objects.filter(codename="access_admin"))
    GroupSitePermission.objects.create(
        group=group, site=site, permission=Permission.objects.get(codename="change_khaltisettings")
    )
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)

    assert browser.get(page).status_code == 200
    assert browser.get(page.replace(f"/{site.pk}/", f"/{other.pk}/")).status_code == 302


def test_the_history_tells_who_changed_which_key_by_its_fingerprint(browser, page, typed, editor):
    browser.post(page, typed | {"secret_key": KEY})
    browser.post(page, typed | {"remove_key": "on"})

    entries = [
        (entry.action, entry.user, entry.data)
        for entry in log_registry.get_logs_for_instance(KhaltiSettings.objects.get())
        if entry.action.startswith("loyalink_khalti.")
    ]
    told = {"environment": "test", "fingerprint": Secret(KEY).fingerprint}
    assert sorted(entries, key=lambda entry: entry[0]) == [
        ("loyalink_khalti.remove_key", editor, told),
        ("loyalink_khalti.save_key", editor, told),
    ]


def test_a_saved_key_is_in_no_page_log_history_dump_or_template(browser, page, typed, caplog, admin_client):
    """L01, L02"""
    caplog.set_level(logging.DEBUG)
    saved = browser.post(page, typed | {"secret_key": KEY}, follow=True)
    wrong = browser.post(page, typed | {"title": "", "secret_key": KEY})
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


def test_the_report_of_an_error_while_saving_leaves_the_key_out(site, settings):
    settings.DEBUG = False
    request = RequestFactory().post("/", {"title": "Khalti", "secret_key": KEY})

    keep_the_key_out_of_error_reports(request, KhaltiSettings(site=site))

    reported = SafeExceptionReporterFilter().get_post_parameters(request)
    assert reported["title"] == "Khalti"
    assert_hidden(str(reported))
