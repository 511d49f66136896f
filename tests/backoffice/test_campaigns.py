"""Campaigns: more points for a time, written into the rules of their site."""

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

from loyalink_khalti.backoffice.campaigns import rows
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.example import order_of
from loyalink_khalti.loyalty.expiry import KATHMANDU
from loyalink_khalti.loyalty.rules import Campaign as Rule
from loyalink_khalti.money import Paisa, Points

from .racing import on_postgresql, overtaken
from .reading import typed, words, wrong

pytestmark = pytest.mark.django_db
money = pytest.mark.money

LIST, ADD = "loyalink_khalti_campaigns", "loyalink_khalti_campaign_add"
EDIT, END = "loyalink_khalti_campaign_edit", "loyalink_khalti_campaign_end"
DELETE, EXAMPLE = "loyalink_khalti_campaign_delete", "loyalink_khalti_campaign_example"


def nepal(*moment):
    return timezone.datetime(*moment, tzinfo=KATHMANDU)


NOW = nepal(2026, 10, 1, 12)
DASHAIN = {
    "name": "Dashain", "starts_at": "2026-10-10 10:00", "ends_at": "2026-10-25 18:30", "multiplier": "2",
    "addition": "", "tags": ["pens"], "example_order": "1,999", "example_tag": "pens",
    "example_at": "2026-10-10 10:00",
}  # fmt: skip


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture(autouse=True)
def _shops(deployment):
    deployment(SHOPS={"fake": "loyalink_khalti.testing.FakeShop"})


@pytest.fixture
def editor(editor):
    editor.groups.get().permissions.add(Permission.objects.get(codename="change_loyaltysettings"))
    return editor


@pytest.fixture
def add(browser, site):
    """Add a campaign as an editor does."""

    def post(**changes):
        return browser.post(reverse(ADD), DASHAIN | changes, follow=True)

    return post


@pytest.fixture
def campaign(add):
    add()
    return Campaign.objects.get()


@pytest.fixture
def later(clock, browser, editor):
    """Come back to the desk at another time, and log in again."""

    def at(moment):
        clock.move_to(moment, tick=False)
        browser.force_login(editor, backend="django.contrib.auth.backends.ModelBackend")

    return at


def running(site_key="default"):
    return [one.name for one in programmes.current(site_key).rules.campaigns]


def earned(at, *tags, member="7", purchase="shop:1"):
    """What an order of Rs 1,999 earns that is placed at a moment."""
    return ledger.award(
        site_key="default", member_id=member, purchase=purchase, bought=order_of(Paisa(199_900), at=at, tags=tags)
    )


# Adding


def test_a_campaign_is_a_row_and_in_the_rules_at_once(add, editor):
    response = add(addition="50")

    row = Campaign.objects.get()
    assert "“Dashain” is saved (rules version 2)." in words(response)
    assert row.site_key == "default"
    assert (row.starts_at, row.ends_at) == (nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30))
    assert programmes.current("default").rules.campaigns == (rows.rule(row),)
    assert rows.rule(row) == Rule(
        name="Dashain", starts_at=row.starts_at, ends_at=row.ends_at, multiplier=2, addition=50, tags=("pens",)
    )
    assert programmes.current("default").actor == str(editor.pk)


def test_it_begins_and_ends_at_its_very_second_in_kathmandu(campaign, clock):
    begin, end, second = nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30), timedelta(seconds=1)
    points = []
    for number, at in enumerate((begin - second, begin, end - second, end)):
        clock.move_to(at, tick=False)
        points.append(earned(timezone.now(), "pens", purchase=f"shop:{number}"))

    assert points == [199, 398, 398, 199]


def test_it_holds_for_its_categories_alone(campaign):
    at = nepal(2026, 10, 11, 9)

    assert [earned(at, "paper"), earned(at, "pens", purchase="shop:2")] == [199, 398]


def test_points_are_added_to_an_order_once(add):
    add(multiplier="", addition="100", tags=[])

    assert Campaign.objects.get().multiplier == 1
    assert earned(nepal(2026, 10, 11, 9)) == 299


def test_times_are_those_of_nepal_whatever_the_editors_clock_shows(add, editor, browser):
    UserProfile.objects.update_or_create(user=editor, defaults={"current_time_zone": "America/New_York"})

    add()

    row = Campaign.objects.get()
    assert row.starts_at == nepal(2026, 10, 10, 10)
    assert typed(browser.get(reverse(EDIT, args=(row.pk,))))["starts_at"] == "2026-10-10 10:00"
    assert "10 Oct 2026, 10:00 – 25 Oct 2026, 18:30" in words(browser.get(reverse(LIST)))


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        ({"name": ""}, "Give it a name."),
        ({"starts_at": ""}, "This field is required."),
        ({"starts_at": "soon"}, "Enter a valid date/time."),
        ({"starts_at": "0001-01-01 00:00"}, "From: Choose a day in the years 2000 to 2100."),
        ({"starts_at": "1999-12-31 23:59"}, "From: Choose a day in the years 2000 to 2100."),
        ({"ends_at": "2101-01-01 00:00"}, "To: Choose a day in the years 2000 to 2100."),
        ({"ends_at": "9999-12-31 23:59"}, "To: Choose a day in the years 2000 to 2100."),
        ({"multiplier": "1,5"}, "Times the points: Write 1.5 with a point."),
        ({"addition": "1,5"}, "Points added to an order: Enter a whole number, without a fraction."),
        ({"ends_at": "2026-10-10 10:00"}, "To: It ends before it begins."),
        ({"starts_at": "2026-09-01 10:00", "ends_at": "2026-10-01 12:00"}, "This is over already"),
        ({"multiplier": "1", "addition": "0"}, "This gives nothing more"),
        ({"multiplier": "", "addition": ""}, "This gives nothing more"),
        ({"multiplier": "0.5"}, "Times the points: At least 1."),
        ({"multiplier": "1.255"}, "Two decimals and no more, 1.25 say."),
        ({"multiplier": "101"}, "At most 100 times."),
        ({"multiplier": "twice"}, "Enter a number, 2 or 1.5 say."),
        ({"addition": "-5"}, "Points added to an order: At least 0."),
        ({"tags": ["nothing"]}, "Select a valid choice."),
    ],
)
def test_nonsense_is_refused_in_words_and_nothing_is_lost(browser, site, nonsense, said):
    response = browser.post(reverse(ADD), DASHAIN | {"name": "Typed before"} | nonsense)

    assert response.status_code == 200
    assert said in wrong(response)
    assert typed(response)["name"] == nonsense.get("name", "Typed before")
    assert (Campaign.objects.count(), running()) == (0, [])


def test_pressing_save_twice_makes_one(add):
    add()

    again = add()

    assert "There is a campaign of this name already." in wrong(again)
    assert (Campaign.objects.count(), programmes.current("default").number) == (1, 2)


def test_another_that_overlaps_is_warned_of_when_it_is_saved(add):
    add()

    apart = add(name="Tihar", starts_at="2026-10-25 18:30", ends_at="2026-11-09 10:00")
    others = add(name="Paper week", tags=["paper"])
    same = add(name="All goods", tags=[], multiplier="3")

    assert "runs at the same time" not in words(apart) + words(others)
    assert "“Dashain” (10 Oct 2026, 10:00 – 25 Oct 2026, 18:30: × 2) runs at the same time" in words(same)
    assert "Customers then have the higher multiplier of the two, not both; points added to an order add up." in words(
        same
    )


def test_where_two_overlap_the_customer_has_the_higher_multiplier_and_both_additions(add):
    add(addition="10")
    add(name="All goods", tags=[], multiplier="3", addition="20")

    assert earned(nepal(2026, 10, 11, 9), "pens") == 597 + 30


# Editing


def test_an_edited_campaign_takes_the_place_of_what_it_was(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))

    browser.post(edit, typed(browser.get(edit)) | {"name": "Bada Dashain", "multiplier": "2.5"})

    assert running() == ["Bada Dashain"]
    assert programmes.current("default").rules.campaigns[0].multiplier == Decimal("2.5")


def test_saving_it_as_it_is_makes_no_new_version(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))

    browser.post(edit, typed(browser.get(edit)))

    assert programmes.current("default").number == 2


def test_one_that_is_over_leaves_the_rules_with_the_next_and_stays_as_it_was(browser, campaign, add, later):
    later(nepal(2026, 11, 1, 12))
    add(name="Tihar", starts_at="2026-11-06 10:00", ends_at="2026-11-10 10:00")
    edit = reverse(EDIT, args=(campaign.pk,))

    answer = browser.post(edit, DASHAIN | {"name": "Another", "ends_at": "2026-12-01 10:00"}, follow=True)

    assert running() == ["Tihar"]
    assert "“Dashain” is over and stays as it was." in words(answer)
    assert set(Campaign.objects.values_list("name", flat=True)) == {"Dashain", "Tihar"}


def test_campaigns_that_came_into_the_rules_by_other_ways_stay(add):
    own = Rule(name="By hand", starts_at=NOW, ends_at=NOW + timedelta(days=60), addition=Points(5))
    programmes.run_campaigns("default", [own])

    add()

    assert running() == ["By hand", "Dashain"]


def test_a_name_that_code_has_given_in_the_rules_is_refused_and_its_campaign_stays(browser, add, site):
    own = Rule(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=60), addition=Points(5))
    programmes.run_campaigns("default", [own])
    add(name="Tihar")
    tihar = Campaign.objects.get()
    edit = reverse(EDIT, args=(tihar.pk,))

    added = add()
    renamed = browser.post(edit, typed(browser.get(edit)) | {"name": "Dashain"})

    said = "A campaign of this name that was not made here is in the rules. Take another name."
    assert (said in wrong(added), said in wrong(renamed)) == (True, True)
    assert list(Campaign.objects.values_list("name", flat=True)) == ["Tihar"]
    assert own in programmes.current("default").rules.campaigns


def test_the_name_of_what_code_has_run_before_may_be_taken(add, site, later):
    programmes.run_campaigns("default", [Rule(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=1))])
    later(NOW + timedelta(days=1))

    add()

    assert programmes.current("default").rules.campaigns == (rows.rule(Campaign.objects.get()),)


def test_what_another_has_changed_meanwhile_is_shown_before_it_is_replaced(browser, campaign):
    edit = reverse(EDIT, args=(campaign.pk,))
    mine, theirs = typed(browser.get(edit)), typed(browser.get(edit))
    browser.post(edit, theirs | {"multiplier": "1.2"})

    first = browser.post(edit, mine | {"name": "Bada Dashain"})
    between = Campaign.objects.get()
    browser.post(edit, typed(first))

    assert "Somebody else has changed this campaign meanwhile: “Dashain”, 10 Oct 2026, 10:00 – " in wrong(first)
    assert "25 Oct 2026, 18:30, × 1.2, Pens." in wrong(first)
    assert typed(first)["name"] == "Bada Dashain"
    assert (between.name, between.multiplier) == ("Dashain", Decimal("1.20"))
    assert (running(), Campaign.objects.get().multiplier) == (["Bada Dashain"], 2)


def test_a_form_that_does_not_say_what_was_seen_replaces_nothing_at_once(browser, campaign):
    browser.post(reverse(EDIT, args=(campaign.pk,)), DASHAIN | {"name": "Another"})

    assert (Campaign.objects.get().name, running()) == ("Dashain", ["Dashain"])


# At once


@pytest.fixture
def begun(campaign, later):
    later(nepal(2026, 10, 12, 9))
    return campaign


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_one_that_a_colleague_ends_while_it_is_saved_stays_ended(browser, begun, editor):
    edit = reverse(EDIT, args=(begun.pk,))
    form = typed(browser.get(edit)) | {"multiplier": "3"}

    answer = overtaken(lambda: browser.post(edit, form, follow=True), by=lambda: rows.end(begun, user=editor))

    assert "“Dashain” is over and stays as it was." in words(answer)
    assert (running(), Campaign.objects.get().ends_at) == ([], nepal(2026, 10, 12, 9))


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [EDIT, DELETE])
def test_one_that_a_colleague_deletes_meanwhile_is_said_to_be_gone_and_does_not_come_back(
    browser, campaign, editor, name
):
    page, form = reverse(name, args=(campaign.pk,)), typed(browser.get(reverse(EDIT, args=(campaign.pk,))))

    answer = overtaken(lambda: browser.post(page, form, follow=True), by=lambda: rows.delete(campaign, user=editor))

    assert "“Dashain” is gone: somebody else has deleted it." in words(answer)
    assert (running(), Campaign.objects.count()) == ([], 0)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_who_edit_one_at_the_same_moment_the_second_is_shown_what_the_first_did(browser, campaign, editor):
    edit = reverse(EDIT, args=(campaign.pk,))
    form, seen = typed(browser.get(edit)), rows.mark(campaign)
    campaign.multiplier = Decimal(3)

    answer = overtaken(
        lambda: browser.post(edit, form | {"name": "Bada Dashain"}),
        by=lambda: rows.save(campaign, user=editor, seen=seen),
    )

    assert "Somebody else has changed this campaign meanwhile" in wrong(answer)
    assert (Campaign.objects.get().name, Campaign.objects.get().multiplier) == ("Dashain", 3)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_one_of_the_same_name_at_the_same_moment_the_second_is_told_so(browser, site, editor):
    theirs = Campaign(name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=5), addition=5)

    answer = overtaken(lambda: browser.post(reverse(ADD), DASHAIN), by=lambda: rows.save(theirs, user=editor))

    assert "There is a campaign of this name already." in wrong(answer)
    assert (Campaign.objects.get().addition, running()) == (5, ["Dashain"])


# Ending and deleting


def test_a_running_one_is_ended_by_a_press_that_is_asked_for_first(browser, campaign, clock):
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    end = reverse(END, args=(campaign.pk,))

    asked = browser.get(end)
    still = running()
    done, again = browser.post(end, follow=True), browser.post(end, follow=True)

    assert "From now on, new orders have nothing of it." in words(asked)
    assert still == ["Dashain"]
    assert "“Dashain” has ended." in words(done)
    assert "“Dashain” does not run; nothing was changed." in words(again)
    assert (running(), Campaign.objects.get().ends_at) == ([], nepal(2026, 10, 12, 9))
    assert earned(timezone.now(), "pens") == 199


def test_an_order_that_waits_for_its_payment_keeps_the_campaign_that_was_ended(browser, campaign, clock):
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    shown, placed = programmes.current("default").pk, timezone.now()
    clock.move_to(nepal(2026, 10, 12, 9, 5), tick=False)
    browser.post(reverse(END, args=(campaign.pk,)))

    points = ledger.award(
        site_key="default", member_id="7", purchase="shop:1", version_id=shown,
        bought=order_of(Paisa(199_900), at=placed, tags=("pens",)),
    )  # fmt: skip

    assert points == 398


def test_one_that_has_not_begun_is_deleted_and_gone_from_the_rules(browser, campaign):
    delete = reverse(DELETE, args=(campaign.pk,))

    asked = browser.get(delete)
    browser.post(delete)

    assert "It has not begun, so nobody has had anything of it." in words(asked)
    assert (Campaign.objects.count(), running()) == (0, [])
    assert browser.post(delete).status_code == 404


@pytest.mark.parametrize("at", [nepal(2026, 10, 10, 10), nepal(2026, 10, 26, 10)], ids=["running", "over"])
def test_one_that_has_begun_is_not_deleted(browser, campaign, later, at):
    later(at)

    answer = browser.post(reverse(DELETE, args=(campaign.pk,)), follow=True)

    assert "“Dashain” has begun and is not deleted" in words(answer)
    assert Campaign.objects.count() == 1


def test_one_that_has_not_begun_is_not_ended(browser, campaign):
    assert "does not run; nothing was changed" in words(browser.get(reverse(END, args=(campaign.pk,)), follow=True))


def test_the_history_tells_who_did_what(browser, add, editor, campaign, clock, admin_client):
    edit = reverse(EDIT, args=(campaign.pk,))
    browser.post(edit, typed(browser.get(edit)) | {"multiplier": "3"})
    clock.move_to(nepal(2026, 10, 12, 9), tick=False)
    browser.post(reverse(END, args=(campaign.pk,)))

    entries = log_registry.get_logs_for_instance(campaign).order_by("pk")
    assert [(entry.action, entry.user, entry.data) for entry in entries] == [
        (f"loyalink_khalti.{verb}_campaign", editor, {"name": "Dashain", "version": version})
        for verb, version in (("add", 2), ("edit", 3), ("end", 4))
    ]
    assert "End a campaign: Dashain (4)" in words(admin_client.get("/admin/reports/site-history/"))


# The list


def test_the_list_says_from_when_to_when_what_for_what_and_where_it_stands(browser, campaign, later):
    seen = []
    for at in (NOW, nepal(2026, 10, 10, 10), nepal(2026, 10, 25, 18, 30)):
        later(at)
        seen.append(words(browser.get(reverse(LIST))))

    assert all("Dashain 10 Oct 2026, 10:00 – 25 Oct 2026, 18:30 × 2 Pens" in page for page in seen)
    assert [next(word for word in rows.STATES if f"Pens {word}" in page) for page in seen] == [
        "scheduled",
        "running",
        "ended",
    ]


def test_an_empty_list_says_what_a_campaign_is(browser, site):
    assert "No campaign yet. A campaign gives more points for a time" in words(browser.get(reverse(LIST)))


def test_a_campaign_is_found_by_its_name(browser, add):
    add()
    add(name="Tihar")

    found = words(browser.get(reverse("loyalink_khalti_campaigns_results"), {"q": "tih"}))

    assert ("Tihar" in found, "Dashain" in found) == (True, False)


def test_the_list_costs_as_many_statements_for_many_as_for_one(browser, add, django_assert_max_num_queries):
    for number in range(15):
        add(name=f"Week {number}")

    with django_assert_max_num_queries(25):
        browser.get(reverse(LIST))


# The example


def example(browser, form, *pk):
    answer = browser.post(reverse(EXAMPLE, args=pk), form, headers={"accept": "application/json"})
    return words(answer.json()["html"])


def test_the_example_is_what_such_an_order_then_earns(browser, site, add):
    said = example(browser, DASHAIN | {"addition": "5"})
    add(addition="5")

    points = earned(nepal(2026, 10, 10, 10), "pens")

    assert points == 403
    assert "it earns 403 points as usual 199 by this campaign 204" in said


def test_left_alone_the_example_is_of_its_goods_at_its_first_minute(browser, site):
    said = example(browser, DASHAIN | {"example_tag": "", "example_at": ""})

    assert "On 10 Oct 2026, 10:00, Nepal time, it earns 398 points" in said


def test_the_example_of_an_edited_one_does_not_count_it_twice(browser, campaign):
    said = example(browser, DASHAIN | {"name": "Another name", "multiplier": "1", "addition": "10"}, campaign.pk)

    assert "earns 209 points as usual 199 by this campaign 10" in said


@pytest.mark.parametrize(
    "order", [{"example_at": "2026-10-10 09:59"}, {"example_at": "2026-10-25 18:30"}, {"example_tag": "-"}]
)
def test_the_example_says_where_an_order_has_nothing_of_it(browser, site, order):
    assert "Nothing more on this order" in example(browser, DASHAIN | order)


def test_the_example_warns_of_an_overlap_before_it_is_saved(browser, campaign):
    assert "“Dashain” (10 Oct" in example(browser, DASHAIN | {"name": "Another"})


def test_the_example_says_what_is_not_right_yet_and_saves_nothing(browser, site):
    said = example(browser, DASHAIN | {"multiplier": "much", "ends_at": "2026-10-01 10:00"})

    assert "Not ready yet." in said
    assert "Times the points: Enter a number, 2 or 1.5 say." in said
    assert (Campaign.objects.count(), running()) == (0, [])


def test_without_javascript_the_button_shows_the_page_as_typed_with_its_example(browser, site):
    response = browser.post(reverse(EXAMPLE), DASHAIN, headers={"accept": "text/html"})

    assert "Add campaign" in words(response)
    assert "earns 398 points" in words(response)
    assert typed(response)["name"] == "Dashain"
    assert Campaign.objects.count() == 0


# Who may


@pytest.fixture
def pages(campaign):
    own = [reverse(name, args=(campaign.pk,)) for name in (EDIT, END, DELETE, EXAMPLE)]
    return [reverse(LIST), reverse(ADD), reverse(EXAMPLE), *own]


def test_a_stranger_and_a_customer_come_to_the_login(client, pages):
    client.logout()
    User.objects.create_user("sita", "sita@example.com", "x")
    strangers = {client.get(page).status_code for page in pages}
    client.login(username="sita", password="x")

    assert strangers | {client.post(page, DASHAIN).status_code for page in pages} == {302}


def test_staff_without_the_permission_find_no_item_and_every_page_refused(browser, editor, pages):
    editor.groups.get().permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_payment"]))

    assert {browser.get(page).status_code for page in pages} == {403}
    assert {browser.post(page, DASHAIN).status_code for page in pages[1:]} == {403}
    assert (Campaign.objects.get().name, running()) == ("Dashain", ["Dashain"])


def test_whoever_may_finds_campaigns_and_settings_in_the_menu_and_nobody_else(browser, editor, site):
    items = [make() for make in hooks.get_hooks("register_loyalink_khalti_loyalty_menu_item")]
    ours = {str(item.label): item for item in items if str(item.label) in {"Campaigns", "Loyalty settings"}}
    request = browser.get(reverse(LIST)).wsgi_request
    shown = [item.is_shown(request) for item in ours.values()]
    editor.groups.get().permissions.set(Permission.objects.filter(codename="access_admin"))

    refused = browser.get(reverse(LIST)).wsgi_request

    assert (len(ours), shown) == (2, [True, True])
    assert [item.is_shown(refused) for item in ours.values()] == [False, False]
    assert ours["Campaigns"].url == reverse(LIST)


def test_a_grant_for_one_site_holds_for_that_site_alone(browser, editor, site, campaign):
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)
    group = editor.groups.get()
    group.permissions.set(Permission.objects.filter(codename="access_admin"))
    permission = Permission.objects.get(codename="change_loyaltysettings")
    GroupSitePermission.objects.create(group=group, site=other, permission=permission)

    listed = words(browser.get(reverse(LIST)))
    refused = {browser.post(reverse(name, args=(campaign.pk,)), DASHAIN).status_code for name in (EDIT, END, EXAMPLE)}
    browser.post(reverse(ADD), DASHAIN | {"site": "default"})

    assert "No campaign yet." in listed
    assert refused == {403}
    assert (running("default"), running("books.example")) == (["Dashain"], ["Dashain"])
    assert Campaign.objects.filter(site_key="default").count() == 1


def test_where_there_are_several_sites_one_is_chosen(browser, add, site):
    Site.objects.create(hostname="books.example", root_page=site.root_page)

    unchosen = browser.post(reverse(ADD), DASHAIN)
    add(site="books.example")
    shown = words(browser.get(reverse(LIST)))

    assert "Site: This field is required." in wrong(unchosen)
    assert (running(), running("books.example")) == ([], ["Dashain"])
    assert "books.example" in shown


def test_without_a_site_adding_one_leads_back_and_says_what_is_missing(admin_client, site):
    site.delete()

    answers = [
        admin_client.get(reverse(ADD), follow=True),
        admin_client.post(reverse(ADD), DASHAIN, follow=True),
        admin_client.post(reverse(EXAMPLE), DASHAIN, follow=True),
    ]

    assert ["Make a site first: a campaign belongs to one." in words(answer) for answer in answers] == [True] * 3
    assert {answer.redirect_chain[-1][0] for answer in answers} == {reverse(LIST)}
    assert not Campaign.objects.exists()


def test_script_in_a_name_is_inert(browser, add, clock, admin_client):
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
