"""The loyalty settings: rules as sentences, saved as versions, with a live example that the ledger computes."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from wagtail.log_actions import registry as log_registry
from wagtail.models import GroupSitePermission, Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import example_order
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Paisa, Points, Rounding
from loyalink_khalti.nepal import KATHMANDU
from tests.backoffice.concurrency import on_postgresql, respond_after
from tests.backoffice.pages import form_data, form_errors, page_errors, page_text, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.sampled]
money = pytest.mark.money


@pytest.fixture
def page(site):
    return reverse("wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings", site.pk))


@pytest.fixture
def editor(editor):
    editor.groups.get().permissions.add(Permission.objects.get(codename="change_loyaltysettings"))
    return editor


@pytest.fixture
def may_exceed(editor):
    """The editor may exceed the adjustment limit, and so may change it."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="adjust_beyond_limit"))


@pytest.fixture(autouse=True)
def _shop(deployment):
    deployment(SHOPS={"fake": "loyalink_khalti.testing.FakeShop"})


@pytest.fixture
def settings_form(site, editor):
    """Make the editor's form of the settings, unbound or with data."""
    form_class = LoyaltySettings.edit_handler.bind_to_model(LoyaltySettings).get_form_class()

    def make(data=None):
        instance, _is_new = LoyaltySettings.objects.get_or_create(site=site)
        return form_class(MultiValueDict(_lists(data)) if data else None, instance=instance, for_user=editor)

    return make


def _lists(data):
    return {name: value if isinstance(value, list) else [value] for name, value in data.items()}


@pytest.fixture
def form(settings_form):
    """The data of the form as it is opened."""
    return submitted(settings_form())


@pytest.fixture
def example(settings_form):
    """Return the text of the live example for the data of a form."""
    return lambda data: page_text(settings_form(data).example().html)


def current():
    """Return the current version of the rules."""
    return ledger.current_version("default")


# Saving


def test_saving_without_changes_creates_no_version(browser, page, form):
    response = browser.post(page, form, follow=True)

    assert "The rules are unchanged: version 1 still applies." in page_text(response)
    assert (current().number, current().rules) == (1, Rules())


def test_saving_changes_creates_a_version_for_new_orders(browser, page, form, editor):
    response = browser.post(page, form | {"points": "2", "per": "25.50"}, follow=True)

    assert "This applies to new orders from now on (rules version 2)." in page_text(response)
    assert "Points that were awarded or reserved before keep their rules." in page_text(response)
    assert current().rules == replace(Rules(), points=Points(2), per=Paisa(2550))
    assert (current().number, current().actor) == (2, str(editor.pk))


def test_every_rule_can_be_changed_and_is_shown_as_it_was_typed(browser, page, form):
    chosen = {
        "points": "3", "per": "1,000", "stepwise": "yes", "rounding": "half_up", "earn_on_shipping": "on",
        "earn_before_discounts": "on", "earn_on_points": "on", "vat_percent": "13", "minimum_order": "500",
        "maximum_earned": "2,000", "first_order_bonus": "50", "signup_bonus": "25", "excluded_tags": ["fake:2"],
        "redeem_points": "4", "redeem_value": "0.50", "increment": "8", "minimum_points": "80",
        "maximum_points": "800", "maximum_percent": "50", "pending_days": "7", "valid_months": "",
        "month_end": "yes", "notice_days": "0", "tier_basis": "rolling_year", "tier_grace_days": "30",
        "refund_rounding": "floor", "shortfall": "forgive",
        "restore_grace_days": "5", "earn_paused": "on", "redeem_paused": "on", "multipliers-0-tag": "fake:1",
        "multipliers-0-factor": "2.5", "tiers-1-name": "Tilicho", "tiers-1-threshold": "750",
        "tiers-1-multiplier": "1.25", "tiers-2-DELETE": "on",
    }  # fmt: skip

    browser.post(page, form | chosen)

    saved = current().rules
    assert saved == Rules(
        points=Points(3), per=Paisa(100_000), stepwise=True, rounding=Rounding.HALF_UP, earn_on_shipping=True,
        earn_before_discounts=True, earn_on_points=True, vat_percent=13, minimum_order=Paisa(50_000),
        maximum_earned=Points(2000), first_order_bonus=Points(50), signup_bonus=Points(25), excluded_tags=("fake:2",),
        redeem_points=Points(4), redeem_value=Paisa(50), increment=Points(8), minimum_points=Points(80),
        maximum_points=Points(800), maximum_percent=50, pending_days=7, valid_months=None, month_end=True,
        notice_days=0,
        tiers=(
            Tier(name="Silver", threshold=Points(0)),
            Tier(name="Tilicho", threshold=Points(750), multiplier=Fraction(5, 4)),
        ),
        tier_basis=TierBasis.ROLLING_YEAR, tier_grace_days=30, refund_rounding=Rounding.FLOOR,
        shortfall=Shortfall.FORGIVE, restore_grace_days=5, earn_paused=True, redeem_paused=True,
        multipliers=(("fake:1", Fraction(5, 2)),),
    )  # fmt: skip
    browser.post(page, form_data(browser.get(page)))
    assert (current().number, current().rules) == (2, saved)


def test_texts_and_the_adjustment_limit_are_saved_without_a_new_version(may_exceed, browser, page, form):
    browser.post(page, form | {"name": "Saraswati points", "text": "Thank you", "adjust_limit": "1,000"})

    saved = LoyaltySettings.objects.get()
    assert (saved.name, saved.text, conf.adjust_limits("default").per_member) == (
        "Saraswati points",
        "Thank you",
        1000,
    )
    assert conf.program_texts("default") == conf.ProgramTexts(name="Saraswati points", text="Thank you")
    assert current().number == 1


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (1500, "Staff may add or deduct up to 1,500 points per member in a day. Only staff who may exceed the limit"),
        (
            None,
            "Staff may add or deduct any number of points per member. Only staff who may exceed a limit can set one.",
        ),
    ],
)
def test_an_editor_who_may_not_exceed_the_adjustment_limit_reads_it_and_cannot_change_it(
    browser, page, site, limit, text
):
    LoyaltySettings.objects.create(site=site, adjust_limit=limit)
    shown = browser.get(page)

    browser.post(page, form_data(shown) | {"text": "Thank you", "adjust_limit": "99,999"})

    assert text in page_text(shown)
    assert "adjust_limit" not in form_data(shown)
    assert (LoyaltySettings.objects.get().text, conf.adjust_limits("default").per_member) == ("Thank you", limit)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_limit_that_a_colleague_sets_while_an_editor_saves_the_texts_is_kept(browser, page, site):
    LoyaltySettings.objects.create(site=site, adjust_limit=100)
    form = form_data(browser.get(page))

    respond_after(
        lambda: browser.post(page, form | {"text": "Thank you"}),
        change=lambda: LoyaltySettings.objects.update(adjust_limit=50),
    )

    assert (LoyaltySettings.objects.get().text, conf.adjust_limits("default").per_member) == ("Thank you", 50)


def test_the_site_history_shows_who_changed_the_adjustment_limit(
    may_exceed, browser, page, form, editor, admin_client
):
    browser.post(page, form | {"adjust_limit": "1,500"})

    entry = log_registry.get_logs_for_instance(LoyaltySettings.objects.get()).get(
        action="loyalink_khalti.change_adjust_limit"
    )
    assert (entry.user, entry.data) == (editor, {"old": None, "new": 1500, "field": "adjust_limit"})
    assert "Change the adjustment limit: no limit → 1,500" in page_text(
        admin_client.get("/admin/reports/site-history/")
    )


def test_saving_the_rules_keeps_the_campaigns(browser, page, form):
    soon = timezone.now() + timedelta(days=1)
    dashain = CampaignRule(name="Dashain", starts_at=soon, ends_at=soon + timedelta(days=9), multiplier=Fraction(2))
    ledger.revise_rules("default", lambda rules: replace(rules, campaigns=(dashain,)))

    browser.post(page, form | {"points": "2"})

    assert (current().rules.campaigns, current().rules.points) == ((dashain,), 2)


def test_a_change_by_another_user_is_shown_before_it_is_replaced(browser, page, form):
    ledger.revise_rules("default", lambda rules: replace(rules, pending_days=3))

    first = browser.post(page, form | {"points": "2"})
    between = current().number
    browser.post(page, form_data(first))

    changes = "(version 2: Days until points can be used: 0 → 3)"
    assert f"Another user has changed the rules since you opened this page {changes}" in page_text(first)
    assert between == 2
    assert (current().number, current().rules.points, current().rules.pending_days) == (3, 2, 0)


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_save_at_once_the_second_sees_the_first_change(browser, page, site):
    form = form_data(browser.get(page))

    response = respond_after(
        lambda: browser.post(page, form | {"points": "2", "text": "Thank you"}),
        change=lambda: ledger.revise_rules("default", lambda rules: replace(rules, earn_paused=True)),
    )
    between = current(), LoyaltySettings.objects.filter(text="Thank you").exists()
    browser.post(page, form_data(response))

    assert (
        "Another user has changed the rules since you opened this page (version 2: Earning is paused: no → yes)"
        in page_text(response)
    )
    assert "The setting could not be saved due to errors." in page_text(response)
    assert (form_data(response)["points"], form_data(response)["text"]) == ("2", "Thank you")
    assert (between[0].number, between[0].rules.earn_paused, between[1]) == (2, True, False)
    assert (current().number, current().rules) == (3, Rules(points=Points(2)))


@money
@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_is_added_while_the_rules_are_saved_is_kept(browser, page, site):
    form = form_data(browser.get(page))
    soon = timezone.now() + timedelta(days=1)
    tihar = CampaignRule(name="Tihar", starts_at=soon, ends_at=soon + timedelta(days=5), addition=Points(5))

    response = respond_after(
        lambda: browser.post(page, form | {"points": "2"}), change=lambda: ledger.set_campaigns("default", [tihar])
    )

    assert response.status_code == 302
    assert current().rules == Rules(points=Points(2), campaigns=(tihar,))


SILVER, GOLD = Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(500))
SET_BY_CODE = {
    "points pay nothing": Rules(maximum_percent=0),
    "pending for more than a year": Rules(pending_days=400),
    "half the points": Rules(multipliers=(("fake:1", Fraction(1, 2)),)),
    "an uneven category multiplier": Rules(multipliers=(("fake:1", Fraction(20_001, 20_000)),)),
    "a tier that earns nothing": Rules(tiers=(replace(SILVER, multiplier=Fraction(0)), GOLD)),
    "an uneven tier multiplier": Rules(tiers=(replace(SILVER, multiplier=Fraction(12_345, 12_344)),)),
    "a tier without a name": Rules(tiers=(replace(SILVER, name=""), GOLD)),
    "a tier with a long name": Rules(tiers=(replace(SILVER, name=" S" * 30), GOLD)),
    "tiers with one name": Rules(tiers=(SILVER, replace(GOLD, name="silver"))),
    "a category twice": Rules(multipliers=(("fake:1", Fraction(2)), ("fake:1", Fraction(3)))),
    "a category that earns nothing and more": Rules(multipliers=(("fake:1", Fraction(2)),), excluded_tags=("fake:1",)),
    "a notice before the points": Rules(valid_months=1, notice_days=30),
    "a minimum between increments": Rules(minimum_points=Points(105)),
    "no points at all": Rules(points=Points(0)),
}


@pytest.mark.parametrize("stored", SET_BY_CODE.values(), ids=SET_BY_CODE)
def test_rules_that_code_has_set_beyond_the_form_are_kept_and_earning_can_be_paused(settings_form, stored):
    ledger.set_rules("default", stored)
    version = current().number

    unchanged = settings_form(submitted(settings_form())).save()
    paused = settings_form(submitted(settings_form()) | {"earn_paused": "on"}).save()

    assert (unchanged.saved_rules.number, unchanged.saved_rules.changes) == (version, [])
    assert paused.saved_rules.number == version + 1
    assert current().rules == replace(stored, earn_paused=True)


@pytest.mark.parametrize(
    ("stored", "changed", "message"),
    [
        (Rules(pending_days=400), {"pending_days": "401"}, "At most 366."),
        (SET_BY_CODE["half the points"], {"multipliers-0-factor": "0.75"}, "More than 1. For fewer points"),
        (SET_BY_CODE["a notice before the points"], {"notice_days": "29"}, "Points are valid for only 1 months"),
        (
            replace(SET_BY_CODE["a category that earns nothing and more"], excluded_tags=("fake:1", "fake:2")),
            {"multipliers-1-tag": "fake:2", "multipliers-1-factor": "2"},
            "A category that earns no points cannot have a multiplier",
        ),
    ],
)
def test_a_value_that_replaces_one_set_by_code_must_be_valid(settings_form, stored, changed, message):
    ledger.set_rules("default", stored)

    form = settings_form(submitted(settings_form()) | changed)

    assert message in form_errors(form)


def test_awards_keep_their_version_of_the_rules(browser, page, form):
    shown = current()
    browser.post(page, form | {"points": "5"})

    earned = [
        ledger.award(
            site_key="default", member_id="7", purchase=f"shop:{number}",
            order=example_order(Paisa(199_900), at=timezone.now()), version_id=version,
        )
        for number, version in enumerate((shown.pk, None))
    ]  # fmt: skip

    assert earned == [199, 999]


def test_the_site_history_shows_the_changed_rules(browser, page, form, editor, admin_client):
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
        "Tiers: Silver 0 ×1, Gold 500 ×1, Platinum 1,000 ×1 → Silver 0 ×1, Gold 600 ×1, Platinum 1,000 ×1",
    ]
    history = page_text(admin_client.get("/admin/reports/site-history/"))
    assert "Change the loyalty rules (version 2): Rupees for which points are earned: Rs 10.00 → Rs 20.00" in history


# Validation

INVALID = [
    ({"points": "0"}, "Points earned: At least 1. To award no points for a while, pause earning."),
    ({"points": "a few"}, "Points earned: Enter a whole number, without decimals."),
    ({"points": "1.5"}, "Points earned: Enter a whole number, without decimals."),
    ({"points": ""}, "Points earned: Enter a whole number."),
    ({"points": "-1"}, "Points earned: At least 1."),
    ({"points": "1,5"}, "Points earned: Enter a whole number, without decimals."),
    ({"per": "250,50"}, "Rupees for which points are earned: Use a decimal point, as in 1.5."),
    ({"tiers-1-multiplier": "1,5"}, "Points multiplier: Use a decimal point, as in 1.5."),
    ({"points": "9" * 5000}, "Points earned: Enter a whole number, without decimals."),
    ({"per": "0"}, "Rupees for which points are earned: More than Rs 0."),
    ({"per": "10.005"}, "Enter at most two decimals: paisa."),
    ({"per": "ten"}, "Enter an amount in rupees, for example 250 or 250.50."),
    ({"per": "NaN"}, "Enter an amount in rupees, for example 250 or 250.50."),
    ({"per": "1e30"}, "This amount is too large."),
    ({"minimum_order": "-5"}, "Minimum order that earns points: At least Rs 0.00."),
    ({"vat_percent": "130"}, "VAT included in the prices, in per cent: At most 100."),
    ({"maximum_earned": "0"}, "At least 1. Leave empty for no limit."),
    ({"redeem_value": "0"}, "More than Rs 0: points must have a value."),
    ({"redeem_points": "0"}, "Points: At least 1."),
    (
        {"redeem_points": "3", "increment": "10"},
        "Increment: If 3 points are worth Rs 1.00, then 10 points are not worth a whole number of paisa. Enter 3 or",
    ),
    (
        {"minimum_points": "105"},
        "Minimum points per order: 105 is not a multiple of the increment 10. Enter 110, for example.",
    ),
    ({"maximum_points": "50"}, "Maximum points per order: This is less than the minimum of 100 points."),
    (
        {"maximum_points": "155"},
        "Maximum points per order: 155 is not a multiple of the increment 10. Enter 150, for example.",
    ),
    ({"maximum_percent": "0"}, "To accept no points for a while, pause their use."),
    ({"maximum_percent": "101"}, "At most 100 %: points cannot pay more than the order costs."),
    ({"valid_months": "0"}, "At least 1 month. Leave empty if points never expire."),
    ({"valid_months": "241"}, "At most 240 months. Leave empty if points never expire."),
    ({"valid_months": "1", "notice_days": "28"}, "Points are valid for only 1 months"),
    ({"shortfall": "steal"}, "Select a valid choice."),
    ({"excluded_tags": ["nothing"]}, "Select a valid choice."),
    (
        {"excluded_tags": ["fake:1"], "multipliers-0-tag": "fake:1", "multipliers-0-factor": "2"},
        "A category that earns no points cannot have a multiplier",
    ),
    ({"tiers-0-threshold": "10"}, "The first tier must begin at 0 points, so that every member has a tier."),
    ({"tiers-2-threshold": "500"}, "Each tier must begin above the one before it, here 500 points."),
    ({"tiers-1-name": "silver"}, "There is already a tier with this name."),
    ({"tiers-1-name": ""}, "Enter a name for the tier, or select “Remove”."),
    ({"tiers-1-name": "n" * 41}, "Ensure this value has at most 40 characters"),
    ({"tiers-1-multiplier": "0"}, "Points multiplier: More than 0."),
    ({"tiers-1-multiplier": "1/0"}, "Enter a number, for example 2 or 1.5."),
    ({"tiers-1-multiplier": "much"}, "Enter a number, for example 2 or 1.5."),
    ({f"tiers-{row}-DELETE": "on" for row in range(3)}, "Keep at least one tier"),
    ({"multipliers-0-tag": "fake:1", "multipliers-0-factor": ""}, "Enter a number, for example 1.5."),
    (
        {"multipliers-0-tag": "fake:1", "multipliers-0-factor": "1"},
        "More than 1. For fewer points, remove the category",
    ),
    ({"multipliers-0-tag": "", "multipliers-0-factor": "2"}, "Choose a category, or select “Remove”."),
    ({"adjust_limit": "-1"}, "Adjustment limit per member and day: At least 0."),
    ({"name": "n" * 41}, "at most 40 characters"),
]


@pytest.mark.parametrize(("invalid", "message"), INVALID, ids=lambda case: str(case)[:50])
def test_an_invalid_value_is_an_error_of_its_field(may_exceed, settings_form, form, invalid, message):
    assert message in form_errors(settings_form(form | invalid))


TYPED = {"points": "a few", "per": "ten", "maximum_percent": "101", "month_end": "yes", "tiers-1-multiplier": "much"}


def test_an_invalid_form_shows_its_errors_keeps_its_values_and_saves_nothing(browser, page, form):
    response = browser.post(page, form | {"text": "Typed before"} | TYPED)

    assert response.status_code == 200
    for message in ("Points earned: Enter a whole number, without decimals.", "Points multiplier: Enter a number"):
        assert message in page_errors(response)
    assert {name: form_data(response)[name] for name in TYPED} == TYPED
    assert form_data(response)["text"] == "Typed before"
    assert (current().number, LoyaltySettings.objects.filter(text="Typed before").exists()) == (1, False)


def test_two_rows_of_one_category_are_refused(settings_form):
    ledger.revise_rules("default", lambda rules: replace(rules, multipliers=(("fake:1", Fraction(2)),)))

    form = settings_form(submitted(settings_form()) | {"multipliers-1-tag": "fake:1", "multipliers-1-factor": "3"})

    assert "This category is already listed." in form_errors(form)


def test_a_form_without_its_rows_is_refused(browser, page, form):
    bare = {name: value for name, value in form.items() if not name.startswith(("tiers-", "multipliers-"))}

    assert browser.post(page, bare).status_code == 200
    assert current().number == 1


# Expensive rules


def test_the_example_shows_the_reward_rate(example, form):
    assert "Customers get points worth 1 % of what they pay." in example(form)
    assert "Customers get points worth 2.5 % of what they pay." in example(form | {"per": "4"})


@pytest.mark.parametrize(
    ("expensive", "message"),
    [
        ({"per": "0.50"}, "This is a lot: customers get up to 20 % of what they pay as points."),
        ({"per": "2", "tiers-2-multiplier": "3"}, "This is a lot: customers get up to 15 % of what they pay"),
        (
            {"per": "0.10"},
            "Points are worth more than they cost: customers get up to 100 % of what they pay as points.",
        ),
    ],
)
def test_expensive_rules_are_saved_with_a_warning_before_and_after(browser, page, form, example, expensive, message):
    before = example(form | expensive)
    response = browser.post(page, form | expensive, follow=True)

    assert message in before
    assert message in page_text(response)
    assert current().number == 2


def test_ten_per_cent_is_not_expensive(example, form):
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
        {"maximum_earned": "50"},
        {"tiers-0-multiplier": "1.5"},
        {"earn_paused": "on"},
    ],
)
def test_the_example_shows_what_such_an_order_earns(browser, page, form, example, chosen):
    text = example(form | chosen)
    browser.post(page, form | chosen)

    earned = ledger.award(
        site_key="default", member_id="7", purchase="shop:1", order=example_order(Paisa(199_900), at=timezone.now())
    )

    assert (f"earns {earned} point" in text) if "earn_paused" not in chosen else (earned == 0 and "paused" in text)


@pytest.mark.parametrize(("rounding", "points"), [("floor", 199), ("half_up", 200), ("ceil", 200)])
def test_the_example_shows_what_becomes_of_a_fraction_of_a_point(example, form, rounding, points):
    """M18: Rs 1,999 at 1 point for every Rs 10 are 199.9 points."""
    assert f"earns {points} points" in example(form | {"rounding": rounding})
    assert "earns 95 points" in example(
        form | {"rounding": rounding, "stepwise": "yes", "points": "5", "per": "100"}
    )  # whole steps of Rs 100 have no fraction


def test_a_rounding_chosen_for_rules_of_an_earlier_version_is_shown_and_saved_as_it_says(browser, page, site):
    """M18: stored rules whose base is rounded down, as code may choose them too."""
    ledger.set_rules("default", Rules(rounding=Rounding.CEIL, base_rounding=Rounding.FLOOR))
    form = form_data(browser.get(page))

    browser.post(page, form | {"pending_days": "3"})
    kept = current().rules
    browser.post(page, form_data(browser.get(page)) | {"rounding": "half_up"})

    assert (kept.rounding, kept.base_rounding, kept.pending_days) == (Rounding.CEIL, Rounding.FLOOR, 3)
    assert (current().rules.rounding, current().rules.base_rounding) == (Rounding.HALF_UP, None)


def test_the_example_shows_what_members_of_a_tier_earn(browser, page, form, example):
    chosen = {"tiers-1-threshold": "100", "tiers-1-multiplier": "1.5"}
    text = example(form | chosen)
    browser.post(page, form | chosen)
    ledger.award(
        site_key="default", member_id="7", purchase="shop:1", order=example_order(Paisa(100_000), at=timezone.now())
    )

    earned = ledger.award(
        site_key="default", member_id="7", purchase="shop:2", order=example_order(Paisa(199_900), at=timezone.now())
    )

    assert f"a Gold member {earned}" in text


def test_the_example_shows_the_value_of_points_and_their_validity(example, form, time_machine):
    time_machine.move_to(timezone.datetime(2026, 11, 26, 23, 59, 59, tzinfo=KATHMANDU), tick=False)

    text = example(form | {"pending_days": "7", "valid_months": "6"})

    assert "500 points reduce it by Rs 50.00 ." in text
    assert "Points earned on 26 Nov 2026 can be used from 3 Dec 2026 until 3 Jun 2027 ." in text


def test_the_example_has_an_amount_to_enter(example, form):
    assert "earns 25 points" in example(form | {"example_order": "250"})
    assert "The order is too small for points." in example(form | {"example_order": "5"})
    assert "Enter an amount above" in example(form | {"example_order": "much"})


def test_the_example_shows_the_errors_of_invalid_rules(example, form):
    text = example(form | {"increment": "0", "tiers-0-threshold": "5"})

    assert "These rules are not valid yet." in text
    assert "Increment: At least 1." in text
    assert "Points to reach the tier: The first tier must begin at 0 points" in text


def test_a_script_gets_the_example_and_nothing_is_saved(browser, site, form, example):
    url = reverse("loyalink_khalti_rules_example", args=(site.pk,))
    changed = form | {"points": "9", "name": "Nothing"}

    response = browser.post(url, changed, headers={"accept": "application/json"})

    assert page_text(response.json()["html"]) == example(changed)
    assert (current().number, LoyaltySettings.objects.filter(name="Nothing").exists()) == (1, False)


def test_without_javascript_the_button_shows_the_form_with_its_values_and_the_example(browser, site, form):
    url = reverse("loyalink_khalti_rules_example", args=(site.pk,))

    response = browser.post(url, form | {"points": "2"}, headers={"accept": "text/html"})

    assert "earns 399 points" in page_text(response)
    assert form_data(response)["points"] == "2"
    assert form_data(response) | {"points": "1"} == form | {"example_order": "1,999"}


def test_opening_the_examples_url_redirects_to_the_settings(browser, site, page):
    assert browser.get(reverse("loyalink_khalti_rules_example", args=(site.pk,))).headers["Location"] == page


# Who may


def test_anonymous_users_and_customers_are_sent_to_the_login(client, site, page):
    User.objects.create_user("sita", "sita@example.com", "x")
    example = reverse("loyalink_khalti_rules_example", args=(site.pk,))
    anonymous = [client.get(page), client.post(example)]
    client.login(username="sita", password="x")

    assert {response.status_code for response in (*anonymous, client.get(page), client.post(example))} == {302}


def test_staff_without_the_permission_change_nothing(browser, page, site, form, editor):
    editor.groups.get().permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_payment"]))

    response = browser.post(reverse("loyalink_khalti_rules_example", args=(site.pk,)), form)
    saved = browser.post(page, form | {"points": "2"})

    assert (response.status_code, saved.status_code) == (403, 302)
    assert current().number == 1


def test_a_permission_for_one_site_applies_to_that_site_only(browser, page, site, form, editor):
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

    assert (ledger.current_version(conf.site_key_of(other)).rules.points, current().rules.points) == (4, 1)


def test_markup_in_names_is_escaped(browser, page, form, example, admin_client):
    script = "<script>alert(1)</script>"
    names = {"name": script, "text": script, "tiers-1-name": script}

    saved = browser.post(page, form | names, follow=True)
    pages = [saved.content.decode(), admin_client.get("/admin/reports/site-history/").content.decode()]
    fragment = browser.post(
        reverse("loyalink_khalti_rules_example", args=(Site.objects.get().pk,)),
        form | names,
        headers={"accept": "application/json"},
    ).json()["html"]

    assert current().rules.tiers[1].name == script
    assert [script in html for html in (*pages, fragment)] == [False, False, False]
