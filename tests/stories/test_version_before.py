"""R9: the version before works on the schema of this one, beside it: while a new version is deployed both run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import Site

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import set_rules
from loyalink_khalti.loyalty.rules import CampaignRule, Rules
from loyalink_khalti.payments import received
from loyalink_khalti.payments.models import Payment, Purchase
from tests.stories.browser_session import BrowserSession, Page
from tests.stories.comparison import disagreements
from tests.stories.ordering import JOURNAL, at_khalti, order
from tests.stories.running_store import Store
from tests.stories.test_refunds import available_and_owed, refund
from tests.stories.version_before import Fleet, mixed_fleet

pytestmark = [pytest.mark.money, pytest.mark.slow, pytest.mark.timeout(600)]

SITA, RAM, GITA = "sita@example.com", "ram@example.com", "gita@example.com"
THANKS = "/shop/checkout/thank-you/"
SITE = "default"


@pytest.fixture(scope="module")
def fleet(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with mixed_fleet(tmp_path_factory.mktemp("fleet"), demo_store) as running:
        yield running


@pytest.fixture(params=["the rules that it knows", "rules by category"])
def rules(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[None]:
    """The rules as the demo store has them, and as an editor of this version may have set them."""
    before = ledger.current_version(SITE).rules
    if request.param == "rules by category":
        tags = [f"oscar:{pk}" for pk in get_model("catalogue", "Category").objects.values_list("pk", flat=True)]
        set_rules(SITE, _with_categories(before, tags, timezone.now()))
    yield
    set_rules(SITE, before)


def _with_categories(rules: Rules, tags: list[str], now: Any) -> Rules:
    campaign = CampaignRule(
        name="Dashain", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1), multiplier=Fraction(2),
        tags=tuple(tags),
    )  # fmt: skip
    return replace(rules, multipliers=((tags[0], Fraction(3)),), campaigns=(campaign,))


def numbered(email: str) -> Any:
    """Return the newest order of a customer, as Oscar has it."""
    return get_model("order", "Order").objects.filter(user__email=email).order_by("-pk").first()


def python(store: Store, *lines: str) -> str:
    """Run lines of Python in the code of a store, and return what they print."""
    done = store.manage("shell", "-v0", "-c", "\n".join(lines))
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.strip()


def moved_to(store: Store, browser: BrowserSession) -> BrowserSession:
    """The same browser, whose next request a worker of another version serves."""
    browser.store = store.url
    return browser


def at(store: Store, address: str) -> str:
    """The same address, served by another store of the fleet."""
    return store.url + "/" + address.split("/", 3)[3]


@pytest.mark.usefixtures("rules")
def test_the_version_before_takes_an_order_from_checkout_to_its_points(fleet: Fleet) -> None:
    """R9"""
    before = available_and_owed(fleet.new, SITA)
    sita = fleet.old.browser(SITA)

    page = order(sita, points="100")
    payment = at_khalti(page)
    thanks = sita.pay(page.url)

    assert thanks.url.endswith(THANKS)
    payment.refresh_from_db()
    assert (payment.state, payment.purchase.state) == ("fulfilled", "placed")
    assert payment.purchase.earned == payment.amount // 1000  # paisa: a point for each Rs 10
    assert available_and_owed(fleet.new, SITA) == (before[0] - 100 + payment.purchase.earned, 0)
    assert disagreements(fleet.new) == []


def test_the_version_before_returns_the_basket_of_a_cancelled_payment(fleet: Fleet) -> None:
    ram = fleet.old.browser(RAM)
    before = available_and_owed(fleet.new, RAM)

    first = order(ram, points="100")
    basket = ram.pay(first.url, action="cancel")
    second = ram.place_order(ram.choose(ram.check_out(), "khalti", points="100"))
    home = ram.open("/shop/")
    form: Any = home.soup.find("form", action=lambda action: bool(action and "/khalti/cancel/" in action))
    token = form.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
    ram.session.post(
        fleet.old.url + form["action"], {"csrfmiddlewaretoken": token}, headers={"Referer": home.url}, timeout=60
    )

    assert JOURNAL in basket.visible_text
    states = [Payment.objects.get(payment_url=page.url) for page in (first, second)]
    assert [(each.state, each.release_reason) for each in states] == [
        ("released", "cancelled"), ("released", "cancelled_in_shop"),
    ]  # fmt: skip
    assert available_and_owed(fleet.new, RAM) == before
    assert disagreements(fleet.new) == []


def test_the_version_before_settles_and_audits_by_its_commands(fleet: Fleet) -> None:
    """R9"""
    guest = fleet.old.browser()
    page = order(guest, email="closed.tab@example.com")
    payment = at_khalti(page)
    guest.pay(page.url, follow=False)

    assert fleet.old.reconcile()

    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert fleet.old.audit_command()["violations"] == []
    assert fleet.new.audit_command()["violations"] == []


def test_the_version_before_refunds_its_orders_and_those_of_this_version(fleet: Fleet) -> None:
    """R9"""
    admin = fleet.old.browser("admin@example.com")
    before = available_and_owed(fleet.new, SITA)
    for store in (fleet.old, fleet.new):
        sita = store.browser(SITA)
        assert sita.pay(order(sita, points="500").url).url.endswith(THANKS)
        number = numbered(SITA).number

        pages = [refund(admin, number, amount=part) for part in ("1000", "1500")]

        assert "This order is fully refunded." in pages[-1].visible_text, store
        assert numbered(SITA).status == "Refunded"
    assert available_and_owed(fleet.new, SITA) == before
    assert disagreements(fleet.new) == []


def test_money_that_the_version_before_marks_as_received_is_in_this_versions_books(fleet: Fleet) -> None:
    """R9"""
    admin = fleet.old.browser("admin@example.com")
    for store in (fleet.old, fleet.new):
        assert order(store.browser(RAM), "cod").url.endswith("/thank-you/")
        page = admin.open(f"/shop/dashboard/orders/{numbered(RAM).number}/")
        admin.submit(page, "payment_received", payment_received="1")
        assert numbered(RAM).status == "Paid"
    fleet.new.reconcile()

    for purchase in Purchase.objects.filter(number__in=[numbered(RAM).number]):
        assert [row.amount for row in received.rows(purchase)] == [purchase.amount_due]
    assert disagreements(fleet.new) == []


def test_the_rules_that_an_editor_saves_in_the_version_before_hold_in_this_one(fleet: Fleet) -> None:
    before = ledger.current_version(SITE)
    editor = fleet.old.browser("editor@example.com")
    page = editor.open(f"/admin/settings/loyalink_khalti/loyaltysettings/{Site.objects.get().pk}/")

    saved = editor.submit(page, "per", per="20")

    assert saved.status == 200, saved.visible_text
    after = ledger.current_version(SITE)
    assert (after.number, after.rules.per) == (before.number + 1, 2000)
    set_rules(SITE, before.rules)
    assert disagreements(fleet.new) == []


def test_points_that_staff_move_in_the_version_before_are_right_in_this_one(fleet: Fleet) -> None:
    python(
        fleet.old,
        "from django.contrib.auth import get_user_model",
        "from loyalink_khalti.loyalty import ledger",
        "User = get_user_model().objects",
        "a, b = (str(User.create_user(name, f'{name}@example.com').pk) for name in ('asha', 'bina'))",
        "for who in (a, b):",
        "    ledger.adjust(site_key='default', member_id=who, points=300, reason='goodwill', key=f'gift:{who}')",
        "ledger.merge(site_key='default', member_id=a, into=b)",
    )
    fleet.new.reconcile()

    assert available_and_owed(fleet.new, "bina@example.com") == (600, 0)
    assert fleet.new.audit_command()["violations"] == []


@pytest.mark.parametrize("begun", ["old", "new"])
@pytest.mark.parametrize("by", ["browser", "reconciler"])
def test_a_payment_begun_in_one_version_is_settled_by_the_other(fleet: Fleet, begun: str, by: str) -> None:
    """R9"""
    first, second = (fleet.old, fleet.new) if begun == "old" else (fleet.new, fleet.old)
    gita = first.browser(GITA)
    page = order(gita)
    payment = at_khalti(page)
    back = gita.pay(page.url, follow=False).url

    shown: Page | None = None
    if by == "browser":
        shown = moved_to(second, gita).open(at(second, back))
    else:
        second.reconcile()

    payment.refresh_from_db()
    assert (payment.state, shown and shown.status) == ("fulfilled", shown and 200)
    assert disagreements(fleet.new) == []
