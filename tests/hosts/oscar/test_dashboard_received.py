"""Staff record cash and bank transfers in Oscar's dashboard: who may, what is logged, what the page says."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.test import Client
from django.utils import timezone
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow import audit
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.refund_form import RefundRequest

from .conftest import (
    Customer,
    Order,
    Store,
    available,
    form_with,
    only_order,
    only_purchase,
    order_page,
    receive,
    text,
)
from .deletion import delete_in_sql

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


@pytest.fixture
def order(store: Store, sita: Customer) -> Any:
    """A notebook of Rs 500, Rs 50 of it by points, to be paid by bank transfer; 45 points are earned."""
    sita.buy(store.notebook, method="bank_transfer", points=500)
    return only_order()


@pytest.fixture
def site_limit(order: Any) -> None:
    """Staff may refund Rs 40 of one order."""
    KhaltiSettings.objects.update_or_create(
        site=Site.objects.get(is_default_site=True), defaults={"refund_limit": 4_000}
    )


def colleague(*codenames: str, groups: tuple[str, ...] = ()) -> Client:
    """Return the browser of a member of staff with Oscar's ``view_order`` and these permissions."""
    user = get_user_model().objects.create_user("clerk", "clerk@example.com", "clerk-password", is_staff=True)
    named = Permission.objects.filter(codename__in=["view_order", *(name.partition(".")[2] for name in codenames)])
    user.user_permissions.set(named)
    user.groups.set(Group.objects.filter(name__in=groups))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def press(staff: Client, order: Any, step: str, **typed: str) -> Any:
    form = form_with(staff.get(order_page(order)), "received", step)
    return staff.post(order_page(order), form | typed, follow=True)


def cancel(staff: Client, order: Any) -> Any:
    sent = {"order_action": "change_order_status", "new_status": "Cancelled"}
    return staff.post(order_page(order), sent, follow=True)


def logged() -> list[str]:
    entries = ModelLogEntry.objects.filter(action__startswith="loyalink_khalti.").order_by("pk")
    return [entry.message for entry in entries]


def state_of(order: Any) -> tuple[str, int, int]:
    found = OscarShop().get_order(order.number)
    return found.status, found.paid, found.refunded


def audit_passes() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


# M23: a permission of its own, and one entry of the log for each action


def test_staff_who_may_only_view_orders_cannot_record_money(sita: Customer, order: Any) -> None:
    """M23."""
    clerk = colleague()
    page = clerk.get(order_page(order))
    assert 'value="record"' not in page.content.decode()
    assert "Rs 450.00 of Rs 450.00 is left to pay" in text(page)

    sent = {"received": "record", "received-amount": "450", "received-received_on": "2026-01-01"}
    answer = clerk.post(order_page(order), sent | {"received-key": "k", "received-seen": "0"})

    assert answer.status_code == 403
    assert (state_of(order), available(sita), ReceivedMoney.objects.count()) == (("Pending", 0, 0), 700, 0)


@pytest.mark.parametrize("step", ["record", "reverse", "apply"])
def test_each_step_needs_the_permission(order: Any, staff: Client, step: str) -> None:
    """M23."""
    receive(staff, order)
    entry = ReceivedMoney.objects.get()

    answer = colleague(permissions.REFUND).post(
        order_page(order), {"received": step, "entry": str(entry.pk), "reason": "wrong"}
    )

    assert (answer.status_code, ReceivedMoney.objects.count()) == (403, 1)


def test_a_surplus_is_refunded_by_those_who_may_refund(order: Any, staff: Client) -> None:
    """M23"""
    receive(staff, order, amount="500", more="on")

    answer = colleague(permissions.RECORD_RECEIVED).post(order_page(order), {"received": "refund"})

    assert (answer.status_code, Refund.objects.count()) == (403, 0)


@pytest.mark.parametrize("group", [permissions.EDITORS, permissions.ACCOUNTANTS])
def test_the_default_groups_may_record_money(sita: Customer, order: Any, group: str) -> None:
    """M23: a migration grants it to the groups that exist."""
    receive(colleague(groups=(group,)), order)

    assert (state_of(order), available(sita)) == (("Paid", 45_000, 0), 745)


def test_a_permission_that_was_just_removed_counts_at_once(order: Any) -> None:
    """M23"""
    clerk = colleague(permissions.RECORD_RECEIVED)
    form = form_with(clerk.get(order_page(order)), "received", "record")
    get_user_model().objects.get(username="clerk").user_permissions.clear()
    get_user_model().objects.get(username="clerk").user_permissions.set(
        Permission.objects.filter(codename="view_order")
    )

    assert clerk.post(order_page(order), form).status_code == 403
    assert not ReceivedMoney.objects.exists()


def test_each_action_is_logged_once_however_often_its_form_is_sent(order: Any, staff: Client) -> None:
    """M23."""
    form = form_with(staff.get(order_page(order)), "received", "record")
    for _click in range(3):
        staff.post(order_page(order), form)
    entry = ReceivedMoney.objects.get()
    for _click in range(2):
        staff.post(order_page(order), {"received": "reverse", "entry": str(entry.pk), "reason": "wrong order"})

    day = formats.day(day_of(timezone.now()))
    assert logged() == [f"Received Rs 450.00 on {day}", "Reversed an entry of Rs 450.00 received"]
    assert {each.user.email for each in ModelLogEntry.objects.filter(action__startswith="loyalink_khalti.")} == {
        "admin@example.com"
    }


def test_cancelling_and_refunding_are_logged_too(order: Any, staff: Client) -> None:
    """M23, its siblings."""
    cancel(staff, order)
    cancel(staff, order)
    receive(staff, order)
    form = {"refund": "preview", "quantity_0": "1", "seen_refund": str(Refund.objects.order_by("-pk").first().pk)}  # type: ignore[union-attr]
    confirm = form_with(staff.post(order_page(order), form), "refund", "confirm")
    for _click in range(2):
        staff.post(order_page(order), confirm)

    day = formats.day(day_of(timezone.now()))
    assert logged() == [
        "Cancelled before it was paid",
        f"Received Rs 450.00 on {day}",
        "Placed again: its payment arrived after it was cancelled",
        "Refund of Rs 450.00: Refunded",
    ]


# M25: parts, too much, too late


def test_a_transfer_in_two_parts_pays_the_order(sita: Customer, order: Any, staff: Client) -> None:
    """M25."""
    page = receive(staff, order, amount="150", reference="NIC-1")
    assert "Rs 300.00 is left to pay" in text(page)
    assert (state_of(order), available(sita)) == (("Pending", 15_000, 0), 700)

    page = receive(staff, order, reference="NIC-2")

    assert "The order is paid, and its points are awarded" in text(page)
    assert (state_of(order), available(sita)) == (("Paid", 45_000, 0), 745)
    assert "NIC-1" in text(page)
    assert audit_passes()


@pytest.mark.parametrize(
    "typed", ["1,450", "१,४५०", "१४५०", "Rs 1,450.00", "रु १,४५०.००"], ids=["commas", "devanagari", "plain", "rs", "ru"]
)
def test_amounts_are_read_as_people_write_them(store: Store, sita: Customer, staff: Client, typed: str) -> None:
    for _each in range(3):
        sita.add(store.notebook)
    sita.buy(method="cod")
    order = only_order()

    receive(staff, order, amount=typed)

    assert ReceivedMoney.objects.get().amount == 145_000


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"amount": "0"}, "Enter an amount above 0"),
        ({"amount": "-450"}, "Enter an amount above 0"),
        ({"amount": ""}, "Enter an amount in rupees"),
        ({"amount": "1,50"}, "Use a decimal point"),
        ({"amount": "450.001"}, "at most two decimals"),
        ({"amount": "NaN"}, "Enter an amount in rupees"),
        ({"amount": "450\x00"}, "Enter an amount in rupees"),
        ({"received_on": "2999-01-01"}, "in the future"),
        ({"received_on": "yesterday"}, "Enter the day on which the money arrived"),
        ({"seen": "1,234"}, "This form is incomplete"),
        ({"key": ""}, "This form is incomplete"),
    ],
)
def test_what_cannot_be_right_is_refused_in_words_and_the_form_stays(
    sita: Customer, order: Any, staff: Client, typed: dict[str, str], message: str
) -> None:
    page = receive(staff, order, reference="NIC-1", **typed)

    assert message in text(page)
    assert 'value="NIC-1"' in page.content.decode()
    assert (state_of(order), available(sita), ReceivedMoney.objects.count()) == (("Pending", 0, 0), 700, 0)


def test_more_than_is_left_to_pay_needs_a_second_look(order: Any, staff: Client) -> None:
    """M25c"""
    page = receive(staff, order, amount="4500")
    assert "Rs 450.00 is left to pay, and this is Rs 4,050.00 more" in text(page)
    assert not ReceivedMoney.objects.exists()

    form = form_with(page, "received", "record") | {"received-more": "on"}
    page = staff.post(order_page(order), form, follow=True)

    assert "Rs 4,050.00 more was received than this order needs" in text(page)
    assert (state_of(order), only_purchase().surplus) == (("Paid", 45_000, 0), 405_000)
    assert audit_passes()


def test_the_surplus_is_refunded_by_hand_once(order: Any, staff: Client) -> None:
    """M25c"""
    receive(staff, order, amount="500", more="on")
    form = form_with(staff.get(order_page(order)), "received", "refund")

    for _click in range(2):
        page = staff.post(order_page(order), form, follow=True)

    assert "Hand Rs 50.00 to the customer" in text(page)
    assert (state_of(order), only_purchase().surplus, Refund.objects.count()) == (("Paid", 45_000, 0), 0, 1)
    assert logged()[1:] == ["Refund of Rs 50.00: Refunded"]
    assert audit_passes()


def test_the_limit_for_refunds_holds_for_a_surplus_too(order: Any, staff: Client, site_limit: None) -> None:
    """M25c"""
    receive(staff, order, amount="500", more="on")
    clerk = colleague(permissions.REFUND, permissions.RECORD_RECEIVED)
    form = form_with(clerk.get(order_page(order)), "received", "refund")

    page = text(clerk.post(order_page(order), form, follow=True))

    assert "Staff may refund up to Rs 40.00 of one order" in page
    assert (only_purchase().surplus, Refund.objects.count()) == (5_000, 0)


def test_the_limit_for_refunds_holds_when_a_partly_paid_order_is_cancelled(
    order: Any, staff: Client, site_limit: None
) -> None:
    """M26"""
    receive(staff, order, amount="150")
    clerk = colleague(permissions.REFUND)

    page = text(cancel(clerk, order))

    assert "Staff may refund up to Rs 40.00 of one order" in page
    assert (state_of(order), Refund.objects.count()) == (("Pending", 15_000, 0), 0)


def test_a_transfer_after_the_cancellation_in_parts_counts_up_to_the_amount_due(order: Any, staff: Client) -> None:
    cancel(staff, order)
    page = receive(staff, order, amount="150")
    assert "The order stays cancelled; Rs 150.00 was received for it since." in text(page)
    assert form_with(page, "received", "record")["received-amount"] == "300"

    receive(staff, order)

    assert state_of(order) == ("Paid", 45_000, 0)
    assert audit_passes()


def test_of_two_open_pages_the_second_is_told_that_the_first_has_recorded(order: Any, staff: Client) -> None:
    """M25e"""
    first, second = (form_with(staff.get(order_page(order)), "received", "record") for _page in range(2))
    staff.post(order_page(order), first)

    page = staff.post(order_page(order), second | {"received-more": "on"}, follow=True)

    assert "Another amount was recorded in the meantime" in text(page)
    assert ReceivedMoney.objects.count() == 1


def test_a_transfer_after_the_cancellation_places_the_order_again(
    store: Store, sita: Customer, order: Any, staff: Client
) -> None:
    """M25, M25a."""
    cancel(staff, order)
    assert (state_of(order), available(sita), store.stock(store.notebook)) == (("Cancelled", 0, 0), 1200, 20)
    mail.outbox.clear()

    page = receive(staff, order)

    assert "The order is placed again and paid" in text(page)
    assert (state_of(order), available(sita), store.stock(store.notebook)) == (("Paid", 45_000, 0), 745, 19)
    assert list(order.sources.order_by("pk").values_list("amount_debited", "amount_refunded")) == [(50, 0), (450, 0)]
    assert [message.to for message in mail.outbox] == [["sita@example.com"]]  # the order's mail, once more
    assert audit_passes()


def test_if_the_product_is_sold_out_the_money_waits_for_a_refund_or_for_stock(
    store: Store, sita: Customer, order: Any, staff: Client
) -> None:
    """M25, M25b."""
    cancel(staff, order)
    store.notebook.stockrecords.update(num_in_stock=0)

    page = text(receive(staff, order))

    assert "The money is recorded, and the order is not updated: Sold out: LOKTA-A5" in page
    assert "Rs 450.00 was received after this order was cancelled" in page
    assert (state_of(order), only_purchase().surplus, available(sita)) == (("Cancelled", 0, 0), 45_000, 1200)
    store.notebook.stockrecords.update(num_in_stock=1)
    page = text(press(staff, order, "apply"))
    assert "The order is placed again and paid" in page
    assert (state_of(order), store.stock(store.notebook), available(sita)) == (("Paid", 45_000, 0), 0, 745)
    assert audit_passes()


def test_an_order_that_was_placed_again_by_mistake_can_be_corrected_and_cancelled_again(
    store: Store, sita: Customer, order: Any, staff: Client
) -> None:
    """M25a"""
    cancel(staff, order)
    receive(staff, order)
    press(staff, order, "reverse", reason="It was for another order.")
    assert (state_of(order), available(sita)) == (("Pending", 0, 0), 700)

    cancel(staff, order)

    assert (state_of(order), available(sita), store.stock(store.notebook)) == (("Cancelled", 0, 0), 1200, 20)
    assert audit_passes()


def test_a_wrong_entry_is_reversed_with_a_reason(sita: Customer, order: Any, staff: Client) -> None:
    receive(staff, order)

    page = text(press(staff, order, "reverse", reason="It was for another order."))

    assert "It was for another order." in page
    assert "Rs 450.00 of Rs 450.00 is left to pay" in page
    assert (state_of(order), available(sita), order.status) == (("Pending", 0, 0), 700, "Pending")
    assert audit_passes()


def test_a_form_with_the_key_of_a_reversal_does_not_block_it(order: Any, staff: Client) -> None:
    """M34"""
    receive(staff, order, amount="100")
    entry = ReceivedMoney.objects.get()
    receive(staff, order, amount="50", key=f"reverse:{entry.pk}")

    page = staff.post(
        order_page(order), {"received": "reverse", "entry": str(entry.pk), "reason": "wrong order"}, follow=True
    )

    assert "The entry is reversed" in text(page)
    assert state_of(order) == ("Pending", 5_000, 0)


def test_an_entry_of_another_order_is_not_reversed(store: Store, guest: Customer, order: Any, staff: Client) -> None:
    receive(staff, order)
    entry = ReceivedMoney.objects.get()
    guest.buy(store.notebook, method="cod")
    other = Order.objects.exclude(pk=order.pk).get()

    staff.post(order_page(other), {"received": "reverse", "entry": str(entry.pk), "reason": "mine"})

    assert ReceivedMoney.objects.count() == 1


def test_cancelling_after_a_part_hands_that_part_to_the_customer(order: Any, staff: Client, sita: Customer) -> None:
    """M28: staff read on the page, and again after it, that they have to hand it over."""
    page = text(receive(staff, order, amount="150"))
    assert "Rs 150.00 was received already. Hand it to the customer" in page

    page = text(cancel(staff, order))

    assert "Hand Rs 150.00 to the customer" in page
    assert (state_of(order), available(sita)) == (("Cancelled", 15_000, 15_000), 1200)
    assert audit_passes()


def test_an_order_whose_money_arrives_while_it_is_cancelled_is_not_refunded(order: Any, staff: Client) -> None:
    """M27: a colleague records the transfer after the other one's request has read the order as unpaid."""
    stale = only_purchase()
    everything = RefundRequest.all_of(stale)
    receive(staff, order)

    with pytest.raises(CannotRefund, match="is paid"):
        everything.refund(stale, key="cancel", actor="7", cancels=True)

    assert (state_of(order), Refund.objects.count()) == (("Paid", 45_000, 0), 0)


def test_the_day_is_kept(order: Any, staff: Client) -> None:
    yesterday = day_of(timezone.now()) - timedelta(days=1)

    receive(staff, order, received_on=yesterday.isoformat())

    assert ReceivedMoney.objects.get().received_on == yesterday


def test_an_order_that_is_deleted_meanwhile_has_no_page(order: Any, staff: Client) -> None:
    """M25f"""
    form = form_with(staff.get(order_page(order)), "received", "record")
    delete_in_sql(order)

    assert staff.post(order_page(order), form).status_code == 404
    assert not ReceivedMoney.objects.exists()


def test_an_order_paid_with_khalti_has_no_such_tab(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook)

    page = staff.get(order_page(only_order()))

    assert "received_money" not in page.context
