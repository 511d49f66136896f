"""Loyalty settings: rules as sentences, versions of them, and a live example that is the ledger's own arithmetic."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from wagtail.log_actions import registry as log_registry
from wagtail.models import GroupSitePermission, Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.backoffice.rules_fields import RuleFields
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.arithmetic import Rounding
from loyalink_khalti.loyalty.example import order_of
from loyalink_khalti.loyalty.expiry import KATHMANDU
from loyalink_khalti.loyalty.rules import Campaign, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Paisa, Points

from .racing import on_postgresql, overtaken
from .reading import typed, words, wrong

pytestmark = pytest.mark.django_db
money = pytest.mark.money


@pytest.fixture
def page(site):
    return reverse("wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings", site.pk))


@pytest.fixture
def editor(editor):
    editor.groups.get().permissions.add(Permission.objects.get(codename="change_loyaltysettings"))
    return editor


@pytest.fixture
def beyond(editor):
    """The editor may adjust more points than the limit, and so may set it."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="adjust_beyond_limit"))


@pytest.fixture(autouse=True)
def _shops(deployment):
    deployment(SHOPS={"fake": "loyalink_khalti.testing.FakeShop"})


@pytest.fixture
def form(browser, page):
    """The form as the page has it."""
    return typed(browser.get(page))


@pytest.fixture
def example(browser, site):
    """What the live example says of a form."""
    url = reverse("loyalink_khalti_rules_example", args=(site.pk,))

    def ask(form):
        return words(browser.post(url, form, headers={"accept": "application/json"}).json()["html"])

    return ask


def now():
    return programmes.current("default")


# Saving


def test_saving_what_is_there_makes_no_new_version_and_says_so(browser, page, form):
    response = browser.post(page, form, follow=True)

    assert "The rules are the same as before: version 1 still holds." in words(response)
    assert (now().number, now().rules) == (1, Rules())


def test_saving_other_rules_makes_a_version_for_new_orders_by_whoever_saved(browser, page, form, editor):
    response = browser.post(page, form | {"points": "2", "per": "25.50"}, follow=True)

    assert "This applies to new orders from now on (rules version 2)." in words(response)
    assert "Points that were awarded or reserved before keep the rules they had." in words(response)
    assert now().rules == replace(Rules(), points=Points(2), per=Paisa(2550))
    assert (now().number, now().actor) == (2, str(editor.pk))


def test_every_rule_can_be_chosen_and_is_read_again_as_it_was_typed(browser, page, form):
    chosen = {
        "points": "3", "per": "1,000", "stepwise": "yes", "rounding": "half_up", "earn_on_shipping": "on",
        "earn_before_discounts": "on", "earn_on_points": "on", "vat_percent": "13", "minimum_order": "500",
        "most_earned": "2,000", "first_order_bonus": "50", "sign_up_bonus": "25", "excluded_tags": ["paper"],
        "redeem_points": "4", "redeem_value": "0.50", "step": "8", "least_spent": "80", "most_spent": "800",
        "most_percent": "50", "waiting_days": "7", "valid_months": "", "month_end": "yes", "notice_days": "0",
        "tier_basis": "rolling_year", "tier_grace_days": "30", "refund_rounding": "floor", "shortfall": "forgive",
        "restore_grace_days": "5", "earn_paused": "on", "redeem_paused": "on", "boosts-0-tag": "pens",
        "boosts-0-factor": "2.5", "tiers-1-name": "Tilicho", "tiers-1-threshold": "750", "tiers-1-multiplier": "1.25",
        "tiers-2-DELETE": "on",
    }  # fmt: skip

    browser.post(page, form | chosen)

    saved = now().rules
    assert saved == Rules(
        points=Points(3), per=Paisa(100_000), stepwise=True, rounding=Rounding.HALF_UP, earn_on_shipping=True,
        earn_before_discounts=True, earn_on_points=True, vat_percent=13, minimum_order=Paisa(50_000),
        most_earned=Points(2000), first_order_bonus=Points(50), sign_up_bonus=Points(25), excluded_tags=("paper",),
        redeem_points=Points(4), redeem_value=Paisa(50), step=Points(8), least_spent=Points(80),
        most_spent=Points(800), most_percent=50, waiting_days=7, valid_months=None, month_end=True, notice_days=0,
        tiers=(
            Tier(name="Silver", threshold=Points(0)),
            Tier(name="Tilicho", threshold=Points(750), multiplier=Fraction(5, 4)),
        ),
        tier_basis=TierBasis.ROLLING_YEAR, tier_grace_days=30, refund_rounding=Rounding.FLOOR,
        shortfall=Shortfall.FORGIVE, restore_grace_days=5, earn_paused=True, redeem_paused=True,
        boosts=(("pens", Fraction(5, 2)),),
    )  # fmt: skip
    browser.post(page, typed(browser.get(page)))
    assert (now().number, now().rules) == (2, saved)


def test_texts_and_the_limit_of_adjustments_are_saved_without_a_new_version(beyond, browser, page, form):
    browser.post(page, form | {"name": "Saraswati points", "text": "Thank you", "adjust_limit": "1,000"})

    saved = LoyaltySettings.objects.get()
    assert (saved.name, saved.text, conf.adjust_limit("default")) == ("Saraswati points", "Thank you", 1000)
    assert conf.programme_texts("default") == conf.ProgrammeTexts(name="Saraswati points", text="Thank you")
    assert now().number == 1


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (
            1500,
            "Staff add or take up to 1,500 points of one member in a day. Only who may go beyond it may change it.",
        ),
        (None, "Staff add or take any number of points of one member. Only who may go beyond a limit may set one."),
    ],
)
def test_whoever_is_bound_by_the_limit_of_adjustments_reads_it_and_cannot_lift_it(browser, page, site, limit, said):
    LoyaltySettings.objects.create(site=site, adjust_limit=limit)
    shown = browser.get(page)

    browser.post(page, typed(shown) | {"text": "Thank you", "adjust_limit": "99,999"})

    assert said in words(shown)
    assert "adjust_limit" not in typed(shown)
    assert (LoyaltySettings.objects.get().text, conf.adjust_limit("default")) == ("Thank you", limit)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_limit_that_a_colleague_sets_while_an_editor_saves_the_texts_stays(browser, page, site):
    LoyaltySettings.objects.create(site=site, adjust_limit=100)
    form = typed(browser.get(page))

    overtaken(
        lambda: browser.post(page, form | {"text": "Thank you"}),
        by=lambda: LoyaltySettings.objects.update(adjust_limit=50),
    )

    assert (LoyaltySettings.objects.get().text, conf.adjust_limit("default")) == ("Thank you", 50)


def test_the_history_tells_who_changed_the_limit_of_adjustments_from_what_to_what(
    beyond, browser, page, form, editor, admin_client
):
    browser.post(page, form | {"adjust_limit": "1,500"})

    entry = log_registry.get_logs_for_instance(LoyaltySettings.objects.get()).get(
        action="loyalink_khalti.change_adjust_limit"
    )
    assert (entry.user, entry.data) == (editor, {"old": None, "new": 1500})
    assert "Change the limit of adjustments: no limit → 1,500" in words(
        admin_client.get("/admin/reports/site-history/")
    )


def test_campaigns_in_the_rules_are_kept_as_they_are(browser, page, form):
    soon = timezone.now() + timedelta(days=1)
    dashain = Campaign(name="Dashain", starts_at=soon, ends_at=soon + timedelta(days=9), multiplier=Fraction(2))
    programmes.revise("default", lambda rules: replace(rules, campaigns=(dashain,)))

    browser.post(page, form | {"points": "2"})

    assert (now().rules.campaigns, now().rules.points) == ((dashain,), 2)


def test_what_somebody_else_changed_meanwhile_is_shown_before_it_is_replaced(browser, page, form):
    programmes.revise("default", lambda rules: replace(rules, waiting_days=3))

    first = browser.post(page, form | {"points": "2"})
    between = now().number
    browser.post(page, typed(first))

    assert "Somebody else has changed the rules meanwhile (version 2: Days until points can be spent: 0 → 3)" in words(
        first
    )
    assert between == 2
    assert (now().number, now().rules.points, now().rules.waiting_days) == (3, 2, 0)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_save_at_once_the_second_is_shown_what_the_first_has_changed(browser, page, site):
    form = typed(browser.get(page))

    answer = overtaken(
        lambda: browser.post(page, form | {"points": "2", "text": "Thank you"}),
        by=lambda: programmes.revise("default", lambda rules: replace(rules, earn_paused=True)),
    )
    between = now(), LoyaltySettings.objects.filter(text="Thank you").exists()
    browser.post(page, typed(answer))

    assert "Somebody else has changed the rules meanwhile (version 2: Earning is paused: no → yes)" in words(answer)
    assert "The setting could not be saved due to errors." in words(answer)
    assert (typed(answer)["points"], typed(answer)["text"]) == ("2", "Thank you")
    assert (between[0].number, between[0].rules.earn_paused, between[1]) == (2, True, False)
    assert (now().number, now().rules) == (3, Rules(points=Points(2)))


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_is_added_while_the_rules_are_saved_is_kept_and_in_nobodys_way(browser, page, site):
    form = typed(browser.get(page))
    soon = timezone.now() + timedelta(days=1)
    tihar = Campaign(name="Tihar", starts_at=soon, ends_at=soon + timedelta(days=5), addition=Points(5))

    answer = overtaken(
        lambda: browser.post(page, form | {"points": "2"}), by=lambda: programmes.run_campaigns("default", [tihar])
    )

    assert answer.status_code == 302
    assert now().rules == Rules(points=Points(2), campaigns=(tihar,))


SILVER, GOLD = Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(500))
BY_CODE = {
    "nothing may be paid": Rules(most_percent=0),
    "a wait of more than a year": Rules(waiting_days=400),
    "half the points": Rules(boosts=(("pens", Fraction(1, 2)),)),
    "an uneven boost": Rules(boosts=(("pens", Fraction(20_001, 20_000)),)),
    "a level that earns nothing": Rules(tiers=(replace(SILVER, multiplier=Fraction(0)), GOLD)),
    "an uneven level": Rules(tiers=(replace(SILVER, multiplier=Fraction(12_345, 12_344)),)),
    "a level without a name": Rules(tiers=(replace(SILVER, name=""), GOLD)),
    "a level with a long name": Rules(tiers=(replace(SILVER, name=" S" * 30), GOLD)),
    "levels of one name": Rules(tiers=(SILVER, replace(GOLD, name="silver"))),
    "a category twice": Rules(boosts=(("pens", Fraction(2)), ("pens", Fraction(3)))),
    "a category that earns nothing and more": Rules(boosts=(("pens", Fraction(2)),), excluded_tags=("pens",)),
    "told before they have them": Rules(valid_months=1, notice_days=30),
    "the least is no step": Rules(least_spent=Points(105)),
    "no points at all": Rules(points=Points(0)),
}


@pytest.mark.parametrize("odd", BY_CODE.values(), ids=BY_CODE)
def test_what_code_has_chosen_beyond_the_form_stays_and_earning_can_be_paused(browser, page, site, odd):
    programmes.change("default", odd)

    same = browser.post(page, typed(browser.get(page)), follow=True)
    between = now().number
    browser.post(page, typed(browser.get(page)) | {"earn_paused": "on"})

    assert f"version {between} still holds" in words(same)
    assert (now().number, now().rules) == (between + 1, replace(odd, earn_paused=True))


@pytest.mark.parametrize(
    ("odd", "changed", "said"),
    [
        (Rules(waiting_days=400), {"waiting_days": "401"}, "At most 366."),
        (BY_CODE["half the points"], {"boosts-0-factor": "0.75"}, "More than 1. For less"),
        (BY_CODE["told before they have them"], {"notice_days": "29"}, "Points are valid for 1 months only"),
        (
            replace(BY_CODE["a category that earns nothing and more"], excluded_tags=("pens", "paper")),
            {"boosts-1-tag": "paper", "boosts-1-factor": "2"},
            "A category that earns nothing cannot earn more",
        ),
    ],
)
def test_what_is_typed_over_what_code_has_chosen_must_be_right(browser, page, site, odd, changed, said):
    programmes.change("default", odd)

    response = browser.post(page, typed(browser.get(page)) | changed)

    assert said in wrong(response)
    assert now().rules == odd


def test_awards_keep_the_rules_they_had(browser, page, form):
    shown = now()
    browser.post(page, form | {"points": "5"})

    earned = [
        ledger.award(
            site_key="default", member_id="7", purchase=f"shop:{number}",
            bought=order_of(Paisa(199_900), at=timezone.now()), version_id=version,
        )
        for number, version in enumerate((shown.pk, None))
    ]  # fmt: skip

    assert earned == [199, 999]


def test_the_history_tells_who_changed_what_from_what_to_what(browser, page, form, editor, admin_client):
    browser.post(page, form | {"per": "20", "earn_paused": "on", "tiers-1-threshold": "600"})

    entry = next(
        entry
        for entry in log_registry.get_logs_for_instance(LoyaltySettings.objects.get())
        if entry.action == "loyalink_khalti.change_rules"
    )
    assert (entry.user, entry.data["version"]) == (editor, 2)
    assert entry.data["changes"] == [
        "Rupees for which points are earned: Rs 10.00 → Rs 20.00",
        "Earning is paused: no → yes",
        "Levels: Silver 0 ×1, Gold 500 ×1, Platinum 1,000 ×1 → Silver 0 ×1, Gold 600 ×1, Platinum 1,000 ×1",
    ]
    history = words(admin_client.get("/admin/reports/site-history/"))
    assert "Change the rules of the points (2): Rupees for which points are earned: Rs 10.00 → Rs 20.00" in history


# Nonsense

TYPED = {*RuleFields.base_fields, "tiers-1-name", "tiers-1-multiplier"} - {"shortfall", "excluded_tags"}
"""Fields that keep what was typed, whatever it was: not choices, which have only what there is to choose."""
NONSENSE = [
    ({"points": "0"}, "Points earned: At least 1. To give no points for a while, pause earning."),
    ({"points": "a few"}, "Points earned: Enter a whole number, without a fraction."),
    ({"points": "1.5"}, "Points earned: Enter a whole number, without a fraction."),
    ({"points": ""}, "Points earned: Enter a whole number."),
    ({"points": "-1"}, "Points earned: At least 1."),
    ({"points": "1,5"}, "Points earned: Enter a whole number, without a fraction."),
    ({"per": "250,50"}, "Rupees for which points are earned: Write 1.5 with a point."),
    ({"tiers-1-multiplier": "1,5"}, "Times the points: Write 1.5 with a point."),
    ({"points": "9" * 5000}, "Points earned: Enter a whole number, without a fraction."),
    ({"per": "0"}, "Rupees for which points are earned: More than Rs 0."),
    ({"per": "10.005"}, "Rupees have two decimals, for paisa, and no more."),
    ({"per": "ten"}, "Enter an amount in rupees, 250 or 250.50 say."),
    ({"per": "NaN"}, "Enter an amount in rupees, 250 or 250.50 say."),
    ({"per": "1e30"}, "This is more than any shop takes."),
    ({"minimum_order": "-5"}, "Smallest order that earns: At least Rs 0.00."),
    ({"vat_percent": "130"}, "VAT in the prices, in per cent: At most 100."),
    ({"most_earned": "0"}, "At least 1, or empty for no limit."),
    ({"redeem_value": "0"}, "More than Rs 0: points are worth something."),
    ({"redeem_points": "0"}, "Points: At least 1."),
    (
        {"redeem_points": "3", "step": "10"},
        "Step: Where 3 points are worth Rs 1.00, 10 are not worth whole paisa. Take 3, or a multiple of it.",
    ),
    ({"least_spent": "105"}, "Fewest points spent: 105 is not a multiple of the step of 10: take 110, say."),
    ({"most_spent": "50"}, "Most points spent: This is less than the 100 from which points are spent."),
    ({"most_spent": "155"}, "Most points spent: 155 is not a multiple of the step of 10: take 150, say."),
    ({"most_percent": "0"}, "To let no points be spent for a while, pause spending."),
    ({"most_percent": "101"}, "At most 100 %: points cannot pay more than there is to pay."),
    ({"valid_months": "0"}, "At least 1 month, or empty where points never expire."),
    ({"valid_months": "241"}, "At most 240 months, or empty where points never expire."),
    ({"valid_months": "1", "notice_days": "28"}, "Points are valid for 1 months only"),
    ({"shortfall": "steal"}, "Select a valid choice."),
    ({"excluded_tags": ["nothing"]}, "Select a valid choice."),
    ({"excluded_tags": ["pens"], "boosts-0-tag": "pens", "boosts-0-factor": "2"}, "A category that earns nothing"),
    ({"tiers-0-threshold": "10"}, "The first level begins at 0 points, so that every member has one."),
    ({"tiers-2-threshold": "500"}, "Each level begins above the one before it, here at 500 points."),
    ({"tiers-1-name": "silver"}, "There is a level of this name already."),
    ({"tiers-1-name": ""}, "Give the level a name, or tick “Remove”."),
    ({"tiers-1-name": "n" * 41}, "Ensure this value has at most 40 characters"),
    ({"tiers-1-multiplier": "0"}, "Times the points: More than 0."),
    ({"tiers-1-multiplier": "1/0"}, "Enter a number, 2 or 1.5 say."),
    ({"tiers-1-multiplier": "much"}, "Enter a number, 2 or 1.5 say."),
    ({f"tiers-{row}-DELETE": "on" for row in range(3)}, "Keep at least one level"),
    ({"boosts-0-tag": "pens", "boosts-0-factor": ""}, "Enter a number, 1.5 say."),
    ({"boosts-0-tag": "pens", "boosts-0-factor": "1"}, "More than 1. For less, let the category earn nothing"),
    ({"boosts-0-tag": "", "boosts-0-factor": "2"}, "Choose a category, or tick “Remove”."),
    ({"adjust_limit": "-1"}, "Adjustments up to: At least 0."),
    ({"name": "n" * 41}, "at most 40 characters"),
]


@pytest.mark.parametrize(("nonsense", "said"), NONSENSE, ids=lambda case: str(case)[:50])
def test_nonsense_is_refused_in_words_at_its_field_and_nothing_is_lost(beyond, browser, page, form, nonsense, said):
    response = browser.post(page, form | {"text": "Typed before"} | nonsense)

    assert response.status_code == 200
    assert said in wrong(response)
    assert typed(response)["text"] == "Typed before"
    assert [typed(response)[name] for name in nonsense if name in TYPED] == [
        value for name, value in nonsense.items() if name in TYPED
    ]
    assert (now().number, LoyaltySettings.objects.filter(text="Typed before").exists()) == (1, False)


def test_two_rows_of_one_category_are_refused(browser, page, form):
    programmes.revise("default", lambda rules: replace(rules, boosts=(("pens", Fraction(2)),)))
    form = typed(browser.get(page))

    response = browser.post(page, form | {"boosts-1-tag": "pens", "boosts-1-factor": "3"})

    assert "This category is here already." in wrong(response)


def test_a_page_posted_without_its_rows_is_refused_and_not_an_error(browser, page, form):
    bare = {name: value for name, value in form.items() if not name.startswith(("tiers-", "boosts-"))}

    assert browser.post(page, bare).status_code == 200
    assert now().number == 1


# What is dear


def test_it_says_what_is_given_back(example, form):
    assert "This gives back 1 % of what customers pay." in example(form)
    assert "This gives back 2.5 % of what customers pay." in example(form | {"per": "4"})


@pytest.mark.parametrize(
    ("dear", "said"),
    [
        ({"per": "0.50"}, "This is a lot: up to 20 % of what customers pay comes back to them."),
        ({"per": "2", "tiers-2-multiplier": "3"}, "This is a lot: up to 15 % of what customers pay"),
        (
            {"per": "0.10"},
            "A point is worth more than it costs to earn: up to 100 % of what customers pay comes back.",
        ),
    ],
)
def test_what_is_dear_is_saved_with_a_warning_before_and_after(browser, page, form, example, dear, said):
    before = example(form | dear)
    response = browser.post(page, form | dear, follow=True)

    assert said in before
    assert said in words(response)
    assert now().number == 2


def test_ten_per_cent_is_not_dear(example, form):
    assert "This is a lot" not in example(form | {"per": "1"})


# The live example


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"points": "3", "per": "7"},
        {"stepwise": "yes", "points": "5", "per": "100"},
        {"rounding": "ceil", "vat_percent": "13"},
        {"minimum_order": "2,000"},
        {"most_earned": "50"},
        {"tiers-0-multiplier": "1.5"},
        {"earn_paused": "on"},
    ],
)
def test_the_example_is_what_such_an_order_then_really_earns(browser, page, form, example, chosen):
    said = example(form | chosen)
    browser.post(page, form | chosen)

    earned = ledger.award(
        site_key="default", member_id="7", purchase="shop:1", bought=order_of(Paisa(199_900), at=timezone.now())
    )

    assert (f"earns {earned} point" in said) if "earn_paused" not in chosen else (earned == 0 and "paused" in said)


def test_a_level_earns_in_the_example_what_its_members_then_earn(browser, page, form, example):
    chosen = {"tiers-1-threshold": "100", "tiers-1-multiplier": "1.5"}
    said = example(form | chosen)
    browser.post(page, form | chosen)
    ledger.award(
        site_key="default", member_id="7", purchase="shop:1", bought=order_of(Paisa(100_000), at=timezone.now())
    )

    earned = ledger.award(
        site_key="default", member_id="7", purchase="shop:2", bought=order_of(Paisa(199_900), at=timezone.now())
    )

    assert f"a Gold member {earned}" in said


def test_the_example_tells_what_points_take_off_and_until_when_they_can_be_spent(example, form, time_machine):
    time_machine.move_to(timezone.datetime(2026, 11, 26, 23, 59, 59, tzinfo=KATHMANDU), tick=False)

    said = example(form | {"waiting_days": "7", "valid_months": "6"})

    assert "500 points take Rs 50.00 off it." in said
    assert "Earned on 26 Nov 2026, they can be spent from 3 Dec 2026 until 3 Jun 2027 ." in said


def test_the_example_takes_another_amount(example, form):
    assert "earns 25 points" in example(form | {"example_order": "250"})
    assert "No number of points can be spent on an order so small." in example(form | {"example_order": "5"})
    assert "Enter an amount above" in example(form | {"example_order": "much"})


def test_while_what_is_typed_is_nonsense_the_example_says_so(example, form):
    said = example(form | {"step": "0", "tiers-0-threshold": "5"})

    assert "These rules do not make sense yet." in said
    assert "Step: At least 1." in said
    assert "Points to reach it: The first level begins at 0 points" in said


def test_the_example_saves_nothing(example, form):
    example(form | {"points": "9", "name": "Nothing"})

    assert (now().number, LoyaltySettings.objects.filter(name="Nothing").exists()) == (1, False)


def test_without_javascript_the_button_shows_the_page_as_typed_with_its_example(browser, site, form):
    url = reverse("loyalink_khalti_rules_example", args=(site.pk,))

    response = browser.post(url, form | {"points": "2"}, headers={"accept": "text/html"})

    assert "earns 399 points" in words(response)
    assert typed(response)["points"] == "2"
    assert typed(response) | {"points": "1"} == form


def test_a_look_at_the_examples_address_leads_to_the_settings(browser, site, page):
    assert browser.get(reverse("loyalink_khalti_rules_example", args=(site.pk,))).headers["Location"] == page


# Who may


def test_a_stranger_and_a_customer_come_to_the_login(client, site, page):
    User.objects.create_user("sita", "sita@example.com", "x")
    example = reverse("loyalink_khalti_rules_example", args=(site.pk,))
    strangers = [client.get(page), client.post(example)]
    client.login(username="sita", password="x")

    assert {response.status_code for response in (*strangers, client.get(page), client.post(example))} == {302}


def test_staff_without_the_permission_are_told_so_and_change_nothing(browser, page, site, form, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_payment"]))

    response = browser.post(reverse("loyalink_khalti_rules_example", args=(site.pk,)), form)
    saved = browser.post(page, form | {"points": "2"})

    assert (response.status_code, saved.status_code) == (403, 302)
    assert now().number == 1


def test_a_grant_for_one_site_holds_for_that_site_alone(browser, page, site, form, editor):
    group = editor.groups.get()
    group.permissions.set(Permission.objects.filter(codename="access_admin"))
    permission = Permission.objects.get(codename="change_loyaltysettings")
    GroupSitePermission.objects.create(group=group, site=site, permission=permission)
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)

    mine, theirs = (reverse("loyalink_khalti_rules_example", args=(one.pk,)) for one in (site, other))

    assert browser.get(page).status_code == 200
    assert (browser.post(mine, form).status_code, browser.post(theirs, form).status_code) == (200, 403)


def test_each_site_has_its_own_rules(browser, page, site, form):
    other = Site.objects.create(hostname="books.example", root_page=site.root_page)

    browser.post(page.replace(f"/{site.pk}/", f"/{other.pk}/"), form | {"points": "4"})

    assert (programmes.current("books.example").rules.points, now().rules.points) == (4, 1)


def test_script_in_names_is_inert(browser, page, form, example, admin_client):
    script = "<script>alert(1)</script>"
    names = {"name": script, "text": script, "tiers-1-name": script}

    saved = browser.post(page, form | names, follow=True)
    pages = [saved.content.decode(), admin_client.get("/admin/reports/site-history/").content.decode()]
    fragment = browser.post(
        reverse("loyalink_khalti_rules_example", args=(Site.objects.get().pk,)),
        form | names,
        headers={"accept": "application/json"},
    ).json()["html"]

    assert now().rules.tiers[1].name == script
    assert [script in html for html in (*pages, fragment)] == [False, False, False]
