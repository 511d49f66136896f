"""Campaigns: more points for a limited time, written into the rules of their site."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from wagtail import hooks
from wagtail.log_actions import registry as log_registry
from wagtail.models import GroupSitePermission, Site
from wagtail.users.models import UserProfile

from loyalink_khalti import conf
from loyalink_khalti.backoffice.campaigns import services
from loyalink_khalti.backoffice.campaigns.form import campaign_panels
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import example_order
from loyalink_khalti.loyalty.rules import CampaignRule
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import KATHMANDU
from tests.backoffice.concurrency import on_postgresql, respond_after
from tests.backoffice.pages import form_data, form_errors, page_errors, page_text

pytestmark = [pytest.mark.django_db, pytest.mark.sampled]
money = pytest.mark.money

LIST, ADD = "loyalink_khalti_campaigns", "loyalink_khalti_campaign_add"
EDIT, END = "loyalink_khalti_campaign_edit", "loyalink_khalti_campaign_end"
DELETE, EXAMPLE = "loyalink_khalti_campaign_delete", "loyalink_khalti_campaign_example"


def nepal(*moment):
    return timezone.datetime(*moment, tzinfo=KATHMANDU)


NOW = nepal(2026, 10, 1, 12)
DASHAIN = {
    "name": "Dashain", "starts_at": "2026-10-10 10:00", "ends_at": "2026-10-25 18:30", "multiplier": "2",
    "addition": "", "tags": ["fake:1"], "example_order": "1,999", "example_tag": "fake:1",
    "example_at": "2026-10-10 10:00",
}  # fmt: skip


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture(autouse=True)
def _shop(deployment):
    deployment(SHOPS={"fake": "loyalink_khalti.testing.FakeShop"})


@pytest.fixture
def editor(editor):
    editor.groups.get().permissions.add(Permission.objects.get(codename="change_loyaltysettings"))
    return editor


@pytest.fixture
def add(browser, site):
    """Add a campaign with the form."""

    def post(**changes):
        return browser.post(reverse(ADD), DASHAIN | changes, follow=True)

    return post


@pytest.fixture
def campaign(site, editor):
    """The campaign of ``DASHAIN``, saved without the page."""
    starts_at, ends_at = nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30)
    campaign = Campaign(name="Dashain", starts_at=starts_at, ends_at=ends_at, multiplier=2, tags=["fake:1"])
    services.save(campaign, user=editor)
    return Campaign.objects.get()


@pytest.fixture
def later(clock, browser, editor):
    """Move the clock, and log in again."""

    def at(moment):
        clock.move_to(moment, tick=False)
        browser.force_login(editor, backend="django.contrib.auth.backends.ModelBackend")

    return at


def active(site_key="default"):
    return [rule.name for rule in ledger.current_version(site_key).rules.campaigns]


def earned(at, *tags, member="7", purchase="shop:1"):
    """Return what an order of Rs 1,999 earns that is placed at a time."""
    return ledger.award(
        site_key="default", member_id=member, purchase=purchase, order=example_order(Paisa(199_900), at=at, tags=tags)
    )


# Adding


def test_a_saved_campaign_is_in_the_rules_at_once(add, editor):
    response = add(addition="50")

    row = Campaign.objects.get()
    assert "“Dashain” is saved (rules version 2)." in page_text(response)
    assert row.site_key == "default"
    assert (row.starts_at, row.ends_at) == (nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30))
    assert ledger.current_version("default").rules.campaigns == (services.to_rule(row),)
    assert services.to_rule(row) == CampaignRule(
        name="Dashain", starts_at=row.starts_at, ends_at=row.ends_at, multiplier=2, addition=50, tags=("fake:1",)
    )
    assert ledger.current_version("default").actor == str(editor.pk)


def test_it_starts_and_ends_at_the_exact_second_in_nepal(campaign, clock):
    start, end, second = nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30), timedelta(seconds=1)
    points = []
    for number, at in enumerate((start - second, start, end - second, end)):
        clock.move_to(at, tick=False)
        points.append(earned(timezone.now(), "fake:1", purchase=f"shop:{number}"))

    assert points == [199, 398, 398, 199]


def test_it_applies_to_its_categories_only(campaign):
    at = nepal(2026, 10, 11, 9)

    assert [earned(at, "fake:2"), earned(at, "fake:1", purchase="shop:2")] == [199, 398]


def test_bonus_points_are_added_to_an_order_once(add):
    add(multiplier="", addition="100", tags=[])

    assert Campaign.objects.get().multiplier == 1
    assert earned(nepal(2026, 10, 11, 9)) == 299


def test_times_are_in_nepal_time_whatever_the_editors_time_zone_is(add, editor, browser):
    UserProfile.objects.update_or_create(user=editor, defaults={"current_time_zone": "America/New_York"})

    add()

    row = Campaign.objects.get()
    assert row.starts_at == nepal(2026, 10, 10, 10)
    assert form_data(browser.get(reverse(EDIT, args=(row.pk,))))["starts_at"] == "2026-10-10 10:00"
    assert "10 Oct 2026, 10:00 – 25 Oct 2026, 18:30" in page_text(browser.get(reverse(LIST)))


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"name": ""}, "Name: Enter a name."),
        ({"starts_at": ""}, "From: This field is required."),
        ({"starts_at": "soon"}, "From: Enter a valid date/time."),
        ({"starts_at": "0001-01-01 00:00"}, "From: Choose a day in the years 2000 to 2100."),
        ({"starts_at": "1999-12-31 23:59"}, "From: Choose a day in the years 2000 to 2100."),
        ({"ends_at": "2101-01-01 00:00"}, "To: Choose a day in the years 2000 to 2100."),
        ({"ends_at": "9999-12-31 23:59"}, "To: Choose a day in the years 2000 to 2100."),
        ({"multiplier": "1,5"}, "Points multiplier: Use a decimal point, as in 1.5."),
        ({"addition": "1,5"}, "Bonus points per order: Enter a whole number, without decimals."),
        ({"ends_at": "2026-10-10 10:00"}, "To: The end must be after the start."),
        ({"starts_at": "2026-09-01 10:00", "ends_at": "2026-10-01 12:00"}, "To: The end is in the past."),
        ({"multiplier": "1", "addition": "0"}, "Points multiplier: This campaign adds no points."),
        ({"multiplier": "", "addition": ""}, "Points multiplier: This campaign adds no points."),
        ({"multiplier": "0.5"}, "Points multiplier: At least 1."),
        ({"multiplier": "1.255"}, "Points multiplier: At most two decimals, for example 1.25."),
        ({"multiplier": "101"}, "Points multiplier: At most 100 times."),
        ({"multiplier": "twice"}, "Points multiplier: Enter a number, for example 2 or 1.5."),
        ({"addition": "-5"}, "Bonus points per order: At least 0."),
        ({"tags": ["nothing"]}, "Categories: Select a valid choice."),
    ],
)
def test_an_invalid_value_is_an_error_of_its_field(site, editor, invalid, message):
    form = campaign_panels().get_form_class()(DASHAIN | invalid, instance=Campaign(), for_user=editor)

    assert message in form_errors(form)


def test_an_invalid_form_keeps_its_values_and_saves_nothing(browser, site):
    response = browser.post(reverse(ADD), DASHAIN | {"name": "Typed before", "multiplier": "twice"})

    assert response.status_code == 200
    assert "Points multiplier: Enter a number, for example 2 or 1.5." in page_errors(response)
    assert (form_data(response)["name"], form_data(response)["multiplier"]) == ("Typed before", "twice")
    assert (Campaign.objects.count(), active()) == (0, [])


def test_submitting_twice_creates_one_campaign(add):
    add()

    again = add()

    assert "A campaign with this name already exists." in page_errors(again)
    assert (Campaign.objects.count(), ledger.current_version("default").number) == (1, 2)


def test_saving_an_overlapping_campaign_shows_a_warning(add):
    add()

    apart = add(name="Tihar", starts_at="2026-10-25 18:30", ends_at="2026-11-09 10:00")
    others = add(name="Paper week", tags=["fake:2"])
    same = add(name="All products", tags=[], multiplier="3")

    assert "at the same time" not in page_text(apart) + page_text(others)
    assert (
        "“Dashain” (10 Oct 2026, 10:00 – 25 Oct 2026, 18:30: × 2) applies to some of the same products"
        in page_text(same)
    )
    assert "Only the higher of the two multipliers counts; bonus points add up." in page_text(same)


def test_of_two_overlapping_campaigns_the_higher_multiplier_and_both_bonuses_count(add):
    add(addition="10")
    add(name="All products", tags=[], multiplier="3", addition="20")

    assert earned(nepal(2026, 10, 11, 9), "fake:1") == 597 + 30


# Editing


def test_an_edited_campaign_replaces_its_former_rule(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))

    browser.post(edit, form_data(browser.get(edit)) | {"name": "Bada Dashain", "multiplier": "2.5"})

    assert active() == ["Bada Dashain"]
    assert ledger.current_version("default").rules.campaigns[0].multiplier == Decimal("2.5")


def test_saving_without_changes_creates_no_version(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))

    browser.post(edit, form_data(browser.get(edit)))

    assert ledger.current_version("default").number == 2


def test_an_ended_campaign_leaves_the_rules_and_cannot_be_changed(browser, campaign, add, later):
    later(nepal(2026, 11, 1, 12))
    add(name="Tihar", starts_at="2026-11-06 10:00", ends_at="2026-11-10 10:00")
    edit = reverse(EDIT, args=(campaign.pk,))

    response = browser.post(edit, DASHAIN | {"name": "Another", "ends_at": "2026-12-01 10:00"}, follow=True)

    assert active() == ["Tihar"]
    assert "“Dashain” has ended and cannot be changed." in page_text(response)
    assert set(Campaign.objects.values_list("name", flat=True)) == {"Dashain", "Tihar"}


def test_campaigns_that_code_has_added_stay_in_the_rules(add):
    own = CampaignRule(name="By code", starts_at=NOW, ends_at=NOW + timedelta(days=60), addition=Points(5))
    ledger.set_campaigns("default", [own])

    add()

    assert active() == ["By code", "Dashain"]


def test_the_name_of_a_campaign_that_code_has_added_is_refused(browser, add, site):
    own = CampaignRule(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=60), addition=Points(5))
    ledger.set_campaigns("default", [own])
    add(name="Tihar")
    tihar = Campaign.objects.get()
    edit = reverse(EDIT, args=(tihar.pk,))

    added = add()
    renamed = browser.post(edit, form_data(browser.get(edit)) | {"name": "Dashain"})

    message = "The rules contain a campaign with this name that was not created here. Choose another name."
    assert (message in page_errors(added), message in page_errors(renamed)) == (True, True)
    assert list(Campaign.objects.values_list("name", flat=True)) == ["Tihar"]
    assert own in ledger.current_version("default").rules.campaigns


def test_the_name_of_an_ended_campaign_that_code_had_added_is_free(add, site, later):
    ledger.set_campaigns("default", [CampaignRule(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=1))])
    later(NOW + timedelta(days=1))

    add()

    assert ledger.current_version("default").rules.campaigns == (services.to_rule(Campaign.objects.get()),)


def test_a_change_by_another_user_is_shown_before_it_is_replaced(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))
    mine, theirs = form_data(browser.get(edit)), form_data(browser.get(edit))
    browser.post(edit, theirs | {"multiplier": "1.2"})

    first = browser.post(edit, mine | {"name": "Bada Dashain"})
    between = Campaign.objects.get()
    browser.post(edit, form_data(first))

    assert (
        "Another user has changed this campaign since you opened it: “Dashain”, 10 Oct 2026, 10:00 – "
        in page_errors(first)
    )
    assert "25 Oct 2026, 18:30, × 1.2, Pens." in page_errors(first)
    assert form_data(first)["name"] == "Bada Dashain"
    assert (between.name, between.multiplier) == ("Dashain", Decimal("1.20"))
    assert (active(), Campaign.objects.get().multiplier) == (["Bada Dashain"], 2)


def test_a_form_without_its_fingerprint_replaces_nothing(browser, campaign):
    browser.post(reverse(EDIT, args=(campaign.pk,)), DASHAIN | {"name": "Another"})

    assert (Campaign.objects.get().name, active()) == ("Dashain", ["Dashain"])


# Concurrent changes


@pytest.fixture
def started(campaign, later):
    later(nepal(2026, 10, 12, 9))
    return campaign


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_a_colleague_ends_while_it_is_saved_stays_ended(browser, started, editor):
    edit = reverse(EDIT, args=(started.pk,))
    form = form_data(browser.get(edit)) | {"multiplier": "3"}

    response = respond_after(
        lambda: browser.post(edit, form, follow=True), change=lambda: services.end(started, user=editor)
    )

    assert "“Dashain” has ended and cannot be changed." in page_text(response)
    assert (active(), Campaign.objects.get().ends_at) == ([], nepal(2026, 10, 12, 9))


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [EDIT, DELETE])
def test_a_campaign_that_a_colleague_deletes_meanwhile_stays_deleted(browser, campaign, editor, name):
    page, form = reverse(name, args=(campaign.pk,)), form_data(browser.get(reverse(EDIT, args=(campaign.pk,))))

    response = respond_after(
        lambda: browser.post(page, form, follow=True), change=lambda: services.delete(campaign, user=editor)
    )

    assert "Another user has deleted “Dashain”." in page_text(response)
    assert (active(), Campaign.objects.count()) == ([], 0)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_simultaneous_edits_the_second_user_sees_the_first_change(browser, campaign, editor):
    edit = reverse(EDIT, args=(campaign.pk,))
    form, seen = form_data(browser.get(edit)), services.fingerprint(campaign)
    campaign.multiplier = Decimal(3)

    response = respond_after(
        lambda: browser.post(edit, form | {"name": "Bada Dashain"}),
        change=lambda: services.save(campaign, user=editor, seen=seen),
    )

    assert "Another user has changed this campaign since you opened it" in page_errors(response)
    assert (Campaign.objects.get().name, Campaign.objects.get().multiplier) == ("Dashain", 3)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_simultaneous_campaigns_with_one_name_the_second_is_refused(browser, site, editor):
    theirs = Campaign(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=5), addition=5)

    response = respond_after(
        lambda: browser.post(reverse(ADD), DASHAIN), change=lambda: services.save(theirs, user=editor)
    )

    assert "A campaign with this name already exists." in page_errors(response)
    assert (Campaign.objects.get().addition, active()) == (5, ["Dashain"])


# Ending and deleting


def test_a_running_campaign_is_ended_after_a_confirmation(browser, campaign, clock):
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    end = reverse(END, args=(campaign.pk,))

    question = browser.get(end)
    before = active()
    done, again = browser.post(end, follow=True), browser.post(end, follow=True)

    assert "New orders no longer benefit from this campaign." in page_text(question)
    assert before == ["Dashain"]
    assert "“Dashain” has ended." in page_text(done)
    assert "“Dashain” is not running. Nothing was changed." in page_text(again)
    assert (active(), Campaign.objects.get().ends_at) == ([], nepal(2026, 10, 12, 9))
    assert earned(timezone.now(), "fake:1") == 199


def test_an_order_that_awaits_payment_still_benefits_from_an_ended_campaign(browser, campaign, clock):
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    shown, placed = ledger.current_version("default").pk, timezone.now()
    clock.move_to(nepal(2026, 10, 12, 9, 5), tick=False)
    browser.post(reverse(END, args=(campaign.pk,)))

    points = ledger.award(
        site_key="default", member_id="7", purchase="shop:1", version_id=shown,
        order=example_order(Paisa(199_900), at=placed, tags=("fake:1",)),
    )  # fmt: skip

    assert points == 398


def test_a_scheduled_campaign_is_deleted_and_leaves_the_rules(browser, campaign):
    delete = reverse(DELETE, args=(campaign.pk,))

    question = browser.get(delete)
    browser.post(delete)

    assert "This campaign has not started, so no order has benefited from it." in page_text(question)
    assert (Campaign.objects.count(), active()) == (0, [])
    assert browser.post(delete).status_code == 404


@pytest.mark.parametrize("at", [nepal(2026, 10, 10, 10), nepal(2026, 10, 26, 10)], ids=["running", "ended"])
def test_a_started_campaign_is_not_deleted(browser, campaign, later, at):
    later(at)

    response = browser.post(reverse(DELETE, args=(campaign.pk,)), follow=True)

    assert "“Dashain” has started and cannot be deleted" in page_text(response)
    assert Campaign.objects.count() == 1


def test_a_scheduled_campaign_cannot_be_ended(browser, campaign):
    assert "is not running. Nothing was changed" in page_text(
        browser.get(reverse(END, args=(campaign.pk,)), follow=True)
    )


def test_the_site_history_shows_who_did_what(browser, add, editor, campaign, clock, admin_client):
    edit = reverse(EDIT, args=(campaign.pk,))
    browser.post(edit, form_data(browser.get(edit)) | {"multiplier": "3"})
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    browser.post(reverse(END, args=(campaign.pk,)))

    entries = log_registry.get_logs_for_instance(campaign).order_by("pk")
    assert [(entry.action, entry.user, entry.data) for entry in entries] == [
        (f"loyalink_khalti.{verb}_campaign", editor, {"name": "Dashain", "version": version})
        for verb, version in (("add", 2), ("edit", 3), ("end", 4))
    ]
    assert "End a campaign: Dashain (rules version 4)" in page_text(admin_client.get("/admin/reports/site-history/"))


# The list


def test_the_list_shows_period_benefit_categories_and_status(browser, campaign, later):
    pages = []
    for at in (NOW, nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30)):
        later(at)
        pages.append(page_text(browser.get(reverse(LIST))))

    assert all("Dashain 10 Oct 2026, 10:00 – 25 Oct 2026, 18:30 × 2 Pens" in page for page in pages)
    assert [next(state for state in services.CampaignState if f"Pens {state}" in page) for page in pages] == [
        "scheduled",
        "running",
        "ended",
    ]


def test_an_empty_list_explains_campaigns(browser, site):
    assert "No campaigns yet. A campaign gives more points for a limited time" in page_text(browser.get(reverse(LIST)))


def test_a_campaign_is_found_by_its_name(browser, add):
    add()
    add(name="Tihar")

    found = page_text(browser.get(reverse("loyalink_khalti_campaigns_results"), {"q": "tih"}))

    assert ("Tihar" in found, "Dashain" in found) == (True, False)


def test_the_list_takes_as_many_queries_for_many_campaigns_as_for_one(browser, site, django_assert_max_num_queries):
    Campaign.objects.bulk_create(
        Campaign(name=f"Week {number}", starts_at=NOW, ends_at=NOW + timedelta(days=7), addition=5)
        for number in range(15)
    )

    with django_assert_max_num_queries(25):
        browser.get(reverse(LIST))


# The example


def example(browser, form, *pk):
    response = browser.post(reverse(EXAMPLE, args=pk), form, headers={"accept": "application/json"})
    return page_text(response.json()["html"])


def test_the_example_shows_what_such_an_order_earns(browser, site, add):
    text = example(browser, DASHAIN | {"addition": "5"})
    add(addition="5")

    points = earned(nepal(2026, 10, 10, 10), "fake:1")

    assert points == 403
    assert "it earns 403 points without the campaign 199 from this campaign 204" in text


def test_by_default_the_example_is_an_order_of_its_products_at_its_start(browser, site):
    text = example(browser, DASHAIN | {"example_tag": "", "example_at": ""})

    assert "On 10 Oct 2026, 10:00, Nepal time, it earns 398 points" in text


def test_the_example_of_an_edited_campaign_does_not_count_it_twice(browser, campaign):
    text = example(browser, DASHAIN | {"name": "Another name", "multiplier": "1", "addition": "10"}, campaign.pk)

    assert "earns 209 points without the campaign 199 from this campaign 10" in text


@pytest.mark.parametrize(
    "order", [{"example_at": "2026-10-10 09:59"}, {"example_at": "2026-10-25 18:30"}, {"example_tag": "-"}]
)
def test_the_example_says_when_an_order_gets_no_extra_points(browser, site, order):
    assert "No extra points on this order" in example(browser, DASHAIN | order)


def test_the_example_warns_of_an_overlap(browser, campaign):
    assert "“Dashain” (10 Oct" in example(browser, DASHAIN | {"name": "Another"})


def test_the_example_shows_errors_and_saves_nothing(browser, site):
    text = example(browser, DASHAIN | {"multiplier": "much", "ends_at": "2026-10-01 10:00"})

    assert "Not complete yet." in text
    assert "Points multiplier: Enter a number, for example 2 or 1.5." in text
    assert (Campaign.objects.count(), active()) == (0, [])


def test_without_javascript_the_button_shows_the_form_with_its_values_and_the_example(browser, site):
    response = browser.post(reverse(EXAMPLE), DASHAIN, headers={"accept": "text/html"})

    assert "Add campaign" in page_text(response)
    assert "earns 398 points" in page_text(response)
    assert form_data(response)["name"] == "Dashain"
    assert Campaign.objects.count() == 0


# Who may


@pytest.fixture
def pages(campaign):
    own = [reverse(name, args=(campaign.pk,)) for name in (EDIT, END, DELETE, EXAMPLE)]
    return [reverse(LIST), reverse(ADD), reverse(EXAMPLE), *own]


def test_anonymous_users_and_customers_are_sent_to_the_login(client, pages):
    client.logout()
    User.objects.create_user("sita", "sita@example.com", "x")
    anonymous = {client.get(page).status_code for page in pages}
    client.login(username="sita", password="x")

    assert anonymous | {client.post(page, DASHAIN).status_code for page in pages} == {302}


def test_staff_without_the_permission_get_403_on_every_page(browser, editor, pages):
    editor.groups.get().permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_payment"]))

    assert {browser.get(page).status_code for page in pages} == {403}
    assert {browser.post(page, DASHAIN).status_code for page in pages[1:]} == {403}
    assert (Campaign.objects.get().name, active()) == ("Dashain", ["Dashain"])


def test_the_menu_has_campaigns_and_settings_for_staff_with_the_permission(browser, editor, site):
    items = [make() for make in hooks.get_hooks("register_loyalink_khalti_loyalty_menu_item")]
    ours = {str(item.label): item for item in items if str(item.label) in {"Campaigns", "Loyalty settings"}}
    request = browser.get(reverse(LIST)).wsgi_request
    shown = [item.is_shown(request) for item in ours.values()]
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    refused = browser.get(reverse(LIST)).wsgi_request

    assert (len(ours), shown) == (2, [True, True])
    assert [item.is_shown(refused) for item in ours.values()] == [False, False]
    assert ours["Campaigns"].url == reverse(LIST)


def test_a_permission_for_one_site_applies_to_that_site_only(browser, editor, site, campaign):
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)
    group = editor.groups.get()
    group.permissions.set(Permission.objects.filter(codename="access_admin"))
    permission = Permission.objects.get(codename="change_loyaltysettings")
    GroupSitePermission.objects.create(group=group, site=other, permission=permission)

    listed = page_text(browser.get(reverse(LIST)))
    refused = {browser.post(reverse(name, args=(campaign.pk,)), DASHAIN).status_code for name in (EDIT, END, EXAMPLE)}
    browser.post(reverse(ADD), DASHAIN | {"site": "default"})

    assert "No campaigns yet." in listed
    assert refused == {403}
    assert (active("default"), active(conf.site_key_of(other))) == (["Dashain"], ["Dashain"])
    assert Campaign.objects.filter(site_key="default").count() == 1


def test_with_several_sites_one_must_be_chosen(browser, add, site):
    other = conf.site_key_of(Site.objects.create(hostname="books.example", root_page=site.root_page))

    unchosen = browser.post(reverse(ADD), DASHAIN)
    add(site=other)
    shown = page_text(browser.get(reverse(LIST)))

    assert "Site: This field is required." in page_errors(unchosen)
    assert (active(), active(other)) == ([], ["Dashain"])
    assert "books.example" in shown


def test_without_a_site_no_campaign_can_be_added(admin_client, site):
    site.delete()

    responses = [
        admin_client.get(reverse(ADD), follow=True),
        admin_client.post(reverse(ADD), DASHAIN, follow=True),
        admin_client.post(reverse(EXAMPLE), DASHAIN, follow=True),
    ]

    assert [
        "Create a site first: each campaign belongs to a site." in page_text(response) for response in responses
    ] == [True] * 3
    assert {response.redirect_chain[-1][0] for response in responses} == {reverse(LIST)}
    assert not Campaign.objects.exists()


def test_markup_in_a_name_is_escaped(browser, add, clock, admin_client):
    script = "<script>alert(1)</script>"
    saved = add(name=script)
    campaign = Campaign.objects.get()

    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    pages = [
        saved,
        browser.get(reverse(LIST)),
        browser.get(reverse(EDIT, args=(campaign.pk,))),
        browser.get(reverse(END, args=(campaign.pk,))),
        add(name="Another"),
        admin_client.get("/admin/reports/site-history/"),
    ]

    assert campaign.name == script
    assert [script in page.content.decode() for page in pages] == [False] * 6
