"""To whom Khalti is offered, and for which orders: why not, in words for the shopper."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Audience, KhaltiSettings
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.offering import khalti_off
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(shop: FakeShop) -> Site:
    return Site.objects.get(is_default_site=True)


def offered(site: Site, **chosen: Any) -> None:
    """Let editors choose to whom and for what."""
    KhaltiSettings.objects.update_or_create(site=site, defaults=chosen)


def why(total: int = 50_000, *, member_id: str | None = None, payable: int | None = None) -> str:
    return khalti_off(
        site_key="default",
        member_id=member_id,
        total=Paisa(total),
        payable=Paisa(total if payable is None else payable),
    )


def test_where_nobody_has_chosen_anything_it_is_offered_to_everybody(site: Site) -> None:
    assert [why(), why(1000), why(10_000_000)] == ["", "", ""]


@pytest.mark.parametrize(
    ("total", "words"),
    [
        (49_999, "This shop takes Khalti for orders from Rs 500.00 on."),
        (50_000, ""),
        (200_000, ""),
        (200_001, "This shop takes Khalti for orders up to Rs 2,000.00."),
    ],
)
def test_it_is_offered_from_the_smallest_order_to_the_largest_both_included(
    site: Site, total: int, words: str
) -> None:
    offered(site, minimum_order=50_000, maximum_order=200_000)

    assert why(total) == words


def test_the_limits_are_those_of_the_order_before_points(site: Site) -> None:
    offered(site, minimum_order=50_000)

    assert why(50_000, payable=2_000) == ""
    assert "Khalti takes no less than Rs 10.00" in why(50_000, payable=500)


def test_members_only_asks_a_guest_to_log_in(site: Site) -> None:
    offered(site, audience=Audience.MEMBERS)

    assert (why(), why(member_id="7")) == ("Log in to pay with Khalti.", "")


def test_for_staff_alone_it_is_not_open_to_customers(site: Site) -> None:
    offered(site, audience=Audience.STAFF)
    sita, maya = (User.objects.create(username=name, is_staff=name == "maya") for name in ("sita", "maya"))

    said = "Khalti is being tried out in this shop and is not open to customers yet."
    assert [why(), why(member_id=str(sita.pk)), why(member_id=str(maya.pk))] == [said, said, ""]


def test_switched_off_comes_before_everything_else(site: Site) -> None:
    offered(site, enabled=False, audience=Audience.MEMBERS, minimum_order=50_000)

    assert why(1000) == "Khalti is switched off in this shop just now."


def test_a_payment_that_is_not_offered_does_not_begin_whatever_the_page_sent(
    site: Site, shop: FakeShop, khalti: Khalti
) -> None:
    offered(site, minimum_order=300_000)
    shop.stock(pen=3)

    with pytest.raises(CannotPay, match=r"from Rs 3,000\.00 on"):
        flow.begin(shop.freeze(shop.cart()))

    assert (Payment.objects.count(), khalti.opened) == (0, [])
