"""To whom and for which orders Khalti is available, and why not, written for the customer."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Audience, KhaltiSettings
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow import khalti_unavailable_reason
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(shop: FakeShop) -> Site:
    return Site.objects.get(is_default_site=True)


def set_options(site: Site, **chosen: Any) -> None:
    """Save the editors' settings of Khalti."""
    KhaltiSettings.objects.update_or_create(site=site, defaults=chosen)


def reason(total: int = 50_000, *, member_id: str | None = None, amount_due: int | None = None) -> str:
    return khalti_unavailable_reason(
        site_key="default",
        member_id=member_id,
        total=Paisa(total),
        amount_due=Paisa(total if amount_due is None else amount_due),
    )


def test_without_settings_khalti_is_available_to_everybody(site: Site) -> None:
    assert [reason(), reason(1000), reason(10_000_000)] == ["", "", ""]


@pytest.mark.parametrize(
    ("total", "message"),
    [
        (49_999, "This shop accepts Khalti for orders of Rs 500.00 or more."),
        (50_000, ""),
        (200_000, ""),
        (200_001, "This shop accepts Khalti for orders up to Rs 2,000.00."),
    ],
)
def test_it_is_available_between_minimum_and_maximum_order_inclusive(site: Site, total: int, message: str) -> None:
    set_options(site, minimum_order=50_000, maximum_order=200_000)

    assert reason(total) == message


def test_the_limits_apply_to_the_total_before_points(site: Site) -> None:
    set_options(site, minimum_order=50_000)

    assert reason(50_000, amount_due=2_000) == ""
    assert "Khalti accepts payments of Rs 10.00 or more, but only Rs 5.00 is due." in reason(50_000, amount_due=500)


def test_members_only_asks_a_guest_to_log_in(site: Site) -> None:
    set_options(site, audience=Audience.MEMBERS)

    assert (reason(), reason(member_id="7")) == ("Log in to pay with Khalti.", "")


def test_for_staff_only_it_is_unavailable_to_customers(site: Site) -> None:
    set_options(site, audience=Audience.STAFF)
    sita, maya = (User.objects.create(username=name, is_staff=name == "maya") for name in ("sita", "maya"))

    testing = "This shop is testing Khalti. It is not available to customers yet."
    assert [reason(), reason(member_id=str(sita.pk)), reason(member_id=str(maya.pk))] == [testing, testing, ""]


def test_switched_off_is_the_first_reason(site: Site) -> None:
    set_options(site, enabled=False, audience=Audience.MEMBERS, minimum_order=50_000)

    assert reason(1000) == "Khalti is switched off in this shop at the moment."


def test_an_unavailable_payment_does_not_begin_whatever_the_form_sent(
    site: Site, shop: FakeShop, khalti: Khalti
) -> None:
    set_options(site, minimum_order=300_000)
    shop.stock(pen=3)

    with pytest.raises(CannotPay, match=r"of Rs 3,000\.00 or more"):
        flow.begin_payment(shop.freeze(shop.cart()))

    assert (Payment.objects.count(), khalti.opened) == (0, [])
