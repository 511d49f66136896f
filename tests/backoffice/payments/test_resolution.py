"""Staff resolve a flag on a page: by name, with a reason, once, and with permission."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.payments.test_refund import limit
from tests.backoffice.staff import Desk, accountant, staff_user
from tests.purchases import Khalti, states_of

pytestmark = pytest.mark.django_db(transaction=True)

FLAG = "loyalink_khalti_flag_resolve"


@pytest.fixture
def flag(flagged: Payment) -> Flag:
    return Flag.objects.get()


def test_the_payments_page_links_to_the_review(desk: Desk, flagged: Payment, flag: Flag) -> None:
    page = desk.page(flagged)

    assert str(REASONS[FlagReason.AMOUNT_MISMATCH]) in page_text(page)
    assert page.find("a", string="Review")["href"].endswith(f"/khalti/flags/{flag.pk}/resolve/")


def test_each_option_says_what_it_does(desk: Desk, flag: Flag) -> None:
    page = desk.open(FLAG, flag.pk)

    assert [option.get_text(" ", strip=True) for option in page.select(".desk-choice")] == [
        "Accept the amount and place the order",
        "Refund the payment at Khalti: Rs 2,499.00 to the customer",
    ]


def test_accepting_the_amount_places_the_order_and_the_history_says_who_and_why(
    desk: Desk, flagged: Payment, flag: Flag
) -> None:
    page = desk.post(FLAG, flag.pk, resolution="accept", reason="One rupee is ours to lose.", confirm="1")

    assert "is resolved. The payment is now: Paid." in page_text(page)
    assert states_of(flagged) == ("fulfilled", "placed")
    assert "One rupee is ours to lose." in page_text(page)
    assert "by maya@example.com" in page_text(page)
    reason = str(REASONS[FlagReason.AMOUNT_MISMATCH]).removesuffix(".")
    done = f"Resolved flag {flag.pk} ({reason}): Accept the amount and place the order"
    assert logged() == [("loyalink_khalti.resolve", done, "maya")]


def test_a_flag_is_not_resolved_without_a_reason(desk: Desk, flagged: Payment, flag: Flag) -> None:
    page = desk.post(FLAG, flag.pk, resolution="accept", reason="  ", confirm="1")

    assert "Enter a reason" in page_text(page)
    assert states_of(flagged) == ("mismatched", "open")


@pytest.mark.parametrize("resolution", ["", "close", "place_order", "drop table"])
def test_an_option_that_does_not_apply_is_refused_at_its_field(
    desk: Desk, flagged: Payment, flag: Flag, resolution: str
) -> None:
    page = desk.post(FLAG, flag.pk, resolution=resolution, reason="Because.", confirm="1")

    assert page.select("fieldset .error-message")
    assert states_of(flagged) == ("mismatched", "open")


def test_a_flag_that_a_colleague_has_resolved_is_not_resolved_again(desk: Desk, flagged: Payment, flag: Flag) -> None:
    flow.resolve_flag(flag, flow.Resolution.ACCEPT, actor=str(accountant().pk), reason="Mine.")

    page = desk.post(FLAG, flag.pk, resolution="refund", reason="No, mine.", confirm="1")

    assert f"Flag {flag.pk} is already resolved." in page_text(page)
    assert states_of(flagged) == ("fulfilled", "placed")


def test_a_refunded_payment_is_shown_as_refunded(desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti) -> None:
    page = desk.post(FLAG, flag.pk, resolution="refund", reason="Not what was agreed.", confirm="1")

    assert "The payment is now: Refunded." in page_text(page)
    assert khalti.refunded == [(f"T-{flagged.pidx}", {})]
    assert states_of(flagged) == ("refunded", "released")


def test_a_refund_that_khalti_refuses_leaves_the_flag_open(
    desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance"}'))

    page = desk.post(FLAG, flag.pk, resolution="refund", reason="Not what was agreed.", confirm="1")

    assert "Khalti refused: “Insufficient balance”." in page_text(page)
    flag.refresh_from_db()
    assert flag.resolved_at is None


def test_a_refund_is_not_offered_without_the_permission(
    urls: None, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    desk = Desk(staff_user("clerk", "view_payment", "change_flag"))

    page = desk.open(FLAG, flag.pk)

    assert "Refund the payment" not in page_text(page)
    desk.post(FLAG, flag.pk, resolution="refund", reason="I would like to.", status=403, confirm="1")
    assert khalti.refunded == []


def test_a_refund_above_the_limit_needs_the_permission(
    desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    limit(100_000)

    page = desk.post(FLAG, flag.pk, resolution="refund", reason="Not what was agreed.", confirm="1")

    assert "Rs 1,000.00" in page_text(page)
    assert page.select_one("[name=ask]") is not None
    assert khalti.refunded == []
    Desk(accountant()).post(FLAG, flag.pk, resolution="refund", reason="Not what was agreed.", confirm="1")
    assert states_of(flagged) == ("refunded", "released")


def test_staff_confirm_an_unconfirmed_refund(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    khalti.next_refund.append((504, {}, ""))
    desk.post("loyalink_khalti_payment_refund", paid.pk, amount="1000", key="k", seen_refund="0", confirm="1")
    flag = Flag.objects.get(reason="refund_unknown")
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)

    page = desk.post(FLAG, flag.pk, resolution="confirm_refund", reason="The dashboard shows Rs 980.", confirm="1")

    assert "The payment is now: Partially refunded." in page_text(page)
    assert states_of(paid) == ("partially_refunded", "placed")


def test_a_partial_refund_made_at_khalti_is_recorded_in_rupees(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    desk.post("loyalink_khalti_payment_refresh", paid.pk)
    flag = Flag.objects.get(reason="refunded_at_khalti")

    empty = desk.post(FLAG, flag.pk, resolution="record_refund", reason="As the dashboard shows.", confirm="1")
    too_much = desk.post(
        FLAG, flag.pk, resolution="record_refund", reason="As the dashboard shows.", amount="2450.01", confirm="1"
    )
    page = desk.post(
        FLAG, flag.pk, resolution="record_refund", reason="As the dashboard shows.", amount="980", confirm="1"
    )

    assert "more than 0" in page_text(empty)
    assert "Only Rs 2,450.00 can be refunded" in page_text(too_much)
    assert "The payment is now: Partially refunded." in page_text(page)
    paid.refresh_from_db()
    assert paid.refunded == 98_000
