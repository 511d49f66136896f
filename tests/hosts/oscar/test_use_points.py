"""The control for using points on Oscar's payment page: where it stops, its figures, and what it says instead."""

from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from loyalink_khalti.loyalty import ledger

from .conftest import Customer, Page, Store, available, new_member, text

pytestmark = pytest.mark.sampled

PAYMENT_PAGE = "/shop/checkout/payment-method/"


def soup(page: Page) -> BeautifulSoup:
    return BeautifulSoup(page.content.decode(), "html.parser")


def select(page: Page, selector: str) -> Tag:
    found = soup(page).select_one(selector)
    assert found is not None, selector
    return found


def figures(page: Page) -> dict[str, str]:
    rows = soup(page).select("#lk-points-figures dl > div")
    return {str(row.dt.text): " ".join(row.dd.text.split()) for row in rows if row.dt and row.dd}


@pytest.fixture
def rich(store: Store) -> Customer:
    """Ram with 9,000 points (Rs 900) and a notebook for Rs 500, in front of the payment page."""
    ram = new_member("ram@example.com", points=9000)
    ram.add(store.notebook)
    ram.go_to_payment()
    return ram


def test_the_control_stops_only_at_numbers_of_points_that_fit(rich: Customer) -> None:
    """T28: Khalti accepts no payment below Rs 10, so the last step leaves that and the stop after it nothing."""
    page = rich.browser.get(PAYMENT_PAGE)

    control, slider = select(page, "[data-lk-points]"), select(page, "input[type=range]")
    assert [control[f"data-{name}"] for name in ("first", "last", "increment", "whole")] == [
        "100",
        "4900",
        "10",
        "5000",
    ]
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "482", "0")
    assert "name" not in slider.attrs  # without its script it sends nothing


def test_apply_shows_the_figures_of_the_points_and_chooses_nothing(rich: Customer) -> None:
    tried = rich.choose("cod", points="१,०००", action="update")

    assert tried.status_code == 200
    assert figures(tried) == {
        "Points used": "1,000 −Rs 100.00",
        "To pay": "Rs 400.00",
        "Points you earn": "40",
        "Points you keep": "8,000",
    }
    assert select(tried, "#id_points")["value"] == "1,000"
    assert "Rs 400.00" in select(tried, "#basket_totals").text
    assert "earns you 40 points" in select(tried, "#lk-points-earned").text
    assert rich.browser.get("/shop/checkout/preview/").status_code == 302  # nothing has been chosen yet
    assert available(rich) == 9000


@pytest.mark.parametrize(
    ("pressed", "used", "due"), [("5000", "5,000 −Rs 500.00", "Rs 0.00"), ("0", "0", "Rs 500.00")]
)
def test_a_button_of_the_control_overrules_what_was_typed(rich: Customer, pressed: str, used: str, due: str) -> None:
    """Without JavaScript: "Use all" and "Use none" are buttons of the form. No method need be chosen for them."""
    page = rich.browser.post(PAYMENT_PAGE, {"points": "77", "use_points": pressed})

    assert (figures(page)["Points used"], figures(page)["To pay"]) == (used, due)
    assert not soup(page).select(".error-block")


@pytest.mark.parametrize("more", [{}, {"action": "update"}])
def test_the_numbers_next_to_one_that_fits_not_are_offered_as_buttons(rich: Customer, more: dict[str, Any]) -> None:
    """T9: the reason and the hint are tied to the field."""
    page = rich.choose("khalti", points="4950", **more)

    offered = [button["value"] for button in soup(page).select("#lk-points-refusal button")]
    typed = select(page, "#id_points")
    assert offered == ["4900", "5000"]
    assert (typed["value"], typed["aria-invalid"]) == ("4950", "true")
    described = str(typed["aria-describedby"]).split()
    assert [select(page, f"#{each}").name for each in described] == ["small", "p"]
    assert "Rs 5.00" in select(page, "#id_points_error").text
    assert figures(page)["To pay"] == "Rs 500.00"


def test_chosen_points_that_fit_no_more_are_refused_where_they_stand(store: Store, rich: Customer) -> None:
    rich.choose("khalti", points="5000")
    rich.add(store.notebook)  # Rs 1,000 now: 5,000 points fit
    assert figures(rich.go_to_payment())["To pay"] == "Rs 500.00"
    ledger.adjust(site_key="default", member_id=str(rich.user.pk), points=-8000, key="test:less", reason="less")

    page = rich.browser.get(PAYMENT_PAGE)

    assert "You have 1,000 points" in select(page, "#id_points_error").text
    assert [button["value"] for button in soup(page).select("#lk-points-refusal button")] == ["1000"]


@pytest.mark.parametrize(
    ("points", "line"),
    [
        (0, "You have no points to use yet."),
        (60, "You have 60 points. You can use points once you have 100: 40 more."),
    ],
)
def test_a_member_who_can_use_none_gets_a_quiet_line(store: Store, points: int, line: str) -> None:
    member = new_member("gita@example.com", points=points)
    member.add(store.notebook)

    page = member.go_to_payment()

    assert " ".join(select(page, "#lk-use-points .lk-quiet").text.split()) == line
    assert not soup(page).select("#lk-use-points input")


def test_a_blocked_member_and_a_guest_get_a_quiet_line(store: Store, sita: Customer, guest: Customer) -> None:
    for customer in (sita, guest):
        customer.add(store.notebook)
    ledger.set_blocked(site_key="default", member_id=str(sita.user.pk), blocked=True)

    blocked, unknown = sita.go_to_payment(), guest.go_to_payment()

    assert "Your points are blocked. Please contact the shop." in text(blocked)
    assert (
        select(unknown, "#lk-use-points a")["href"] == f"/shop/accounts/login/?next={PAYMENT_PAGE.replace('/', '%2F')}"
    )
    assert not soup(blocked).select("#lk-use-points input")


def test_with_cash_on_delivery_points_may_leave_less_than_khaltis_minimum(rich: Customer) -> None:
    page = rich.choose("cod", points="4950", action="update")

    assert figures(page)["To pay"] == "Rs 5.00"
    assert select(page, "[data-lk-points]")["data-last"] == "5000"
