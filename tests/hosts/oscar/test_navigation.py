"""Oscar's dashboard links to Wagtail's admin and back, for staff to the pages that they may open."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from oscar.apps.dashboard.menu import get_nodes
from oscar.core.loading import get_model
from pytest_django import Settings

from loyalink_khalti.hosts.oscar import navigation
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, only_order, payment_of, text

DASHBOARD = "/shop/dashboard/"


def staff_with(*codenames: str) -> Client:
    user = User.objects.create(username="maya", email="maya@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture(autouse=True)
def _on_the_web(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.hosts.oscar.wagtail_urls"


@pytest.fixture
def bought(store: Store, sita: Customer, khalti: Simulator) -> Payment:
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    payment.refresh_from_db()
    return payment


def entries(browser: Client) -> dict[str, str]:
    """Return the entries below "Content and points": labels and addresses."""
    user = browser.get(DASHBOARD).wsgi_request.user
    nodes = [node for node in get_nodes(user) if str(node.label) == "Content and points"]
    return {str(child.label): child.url for node in nodes for child in node.children}


@pytest.mark.django_db
def test_staff_find_content_payments_members_and_reports_in_oscars_menu() -> None:
    browser = staff_with("access_admin", "view_payment", "view_account", "view_entry")

    page = browser.get(DASHBOARD).content.decode()

    assert "Content and points" in page
    for name in ("wagtailadmin_home", "loyalink_khalti_payments", "loyalink_khalti_members"):
        assert f'href="{reverse(name)}"' in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("codenames", "found"),
    [
        ([], []),
        (["view_payment", "view_account", "view_entry"], []),
        (["access_admin"], ["Pages"]),
        (["access_admin", "view_payment"], ["Pages", "Orders and payments"]),
        (["access_admin", "view_account", "view_entry"], ["Pages", "Members", "Reports"]),
    ],
)
def test_staff_see_only_the_entries_that_they_may_open(codenames: list[str], found: list[str]) -> None:
    assert list(entries(staff_with(*codenames))) == found


@pytest.mark.django_db
def test_the_dashboard_works_without_wagtails_admin(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.hosts.oscar.no_wagtail"
    browser = staff_with("access_admin", "view_payment")

    page = browser.get(DASHBOARD)

    assert page.status_code == 200
    assert "Content and points" not in page.content.decode()


def test_an_entry_that_the_shop_has_added_stays_where_it_is(settings: Settings) -> None:
    settings.OSCAR_DASHBOARD_NAVIGATION = [navigation.WAGTAIL, {"label": "Last"}]

    navigation.add_menu_entry()

    assert settings.OSCAR_DASHBOARD_NAVIGATION == [navigation.WAGTAIL, {"label": "Last"}]


def test_otherwise_the_entry_is_added_at_the_end(settings: Settings) -> None:
    settings.OSCAR_DASHBOARD_NAVIGATION = ({"label": "First"},)

    navigation.add_menu_entry()

    assert settings.OSCAR_DASHBOARD_NAVIGATION == [{"label": "First"}, navigation.WAGTAIL]


@pytest.mark.django_db
def test_wagtails_sidebar_leads_to_oscars_dashboard() -> None:
    page = staff_with("access_admin").get(reverse("wagtailadmin_home"))

    assert f'"url": "{DASHBOARD}"' in sidebar(page)


def sidebar(page: Any) -> str:
    found = re.search(r'<script id="wagtail-sidebar-props"[^>]*>(.*?)</script>', page.content.decode(), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.money
def test_an_order_links_to_its_payment_for_staff_who_may_view_payments(bought: Payment) -> None:
    address = reverse("dashboard:order-detail", args=[bought.purchase.ref])
    link = f'href="{reverse("loyalink_khalti_payment", args=[bought.pk])}"'
    browser = staff_with("view_order", "view_payment")
    assert link in browser.get(address).content.decode()

    User.objects.get(username="maya").user_permissions.remove(Permission.objects.get(codename="view_payment"))

    page = browser.get(address)
    assert (page.status_code, link in page.content.decode()) == (200, False)


@pytest.mark.money
def test_an_open_flag_is_shown_at_the_top_of_its_order(bought: Payment) -> None:
    flag = Flag.objects.create(payment=bought, reason=FlagReason.REFUNDED_AT_KHALTI)
    Flag.objects.create(payment=bought, reason=FlagReason.LATE, resolved_at=bought.created_at)
    address = reverse("dashboard:order-detail", args=[bought.purchase.ref])

    page = text(staff_with("view_order", "view_payment").get(address))

    assert str(REASONS[FlagReason.REFUNDED_AT_KHALTI]) in page
    assert f"Flag {flag.pk} of the payment of Rs 500.00" in page
    assert str(REASONS[FlagReason.LATE]) not in page
    assert page.index(f"Flag {flag.pk}") < page.index("Customer Information")


@pytest.mark.money
def test_an_order_without_a_payment_has_no_link_and_no_warning(store: Store, guest: Customer) -> None:
    guest.buy(store.notebook, method="cod")

    address = reverse("dashboard:order-detail", args=[only_order().number])
    page = text(staff_with("view_order", "view_payment").get(address))

    assert only_order().number in page
    assert "Khalti payment of" not in page
    assert "needs review" not in page


@pytest.mark.money
def test_an_orders_page_works_without_wagtails_admin(bought: Payment, settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.hosts.oscar.no_wagtail"
    Flag.objects.create(payment=bought, reason=FlagReason.LATE)

    address = reverse("dashboard:order-detail", args=[bought.purchase.ref])
    page = text(staff_with("view_order", "view_payment").get(address))

    assert str(REASONS[FlagReason.LATE]) in page
    assert "Khalti payment of" not in page


@pytest.mark.django_db
def test_nested_categories_are_named_with_their_ancestors() -> None:
    Category = get_model("catalogue", "Category")
    pens = Category.add_root(name="Pens", slug="pens")
    ink = pens.add_child(name="Ink", slug="ink")
    indigo = ink.add_child(name="Indigo", slug="indigo")
    paper = Category.add_root(name="Paper", slug="paper")

    assert OscarShop().categories() == {
        f"oscar:{pens.pk}": "Pens",
        f"oscar:{ink.pk}": "Pens › Ink",
        f"oscar:{indigo.pk}": "Pens › Ink › Indigo",
        f"oscar:{paper.pk}": "Paper",
    }


def test_the_staff_page_is_one_order_or_the_whole_dashboard() -> None:
    assert OscarShop().staff_page("") == DASHBOARD
    assert OscarShop().staff_page("SS-42") == f"{DASHBOARD}orders/SS-42/"
