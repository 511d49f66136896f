"""Requests have the form that Khalti accepts, and only valid answers are readable."""

from datetime import UTC, datetime

import pytest

from loyalink_khalti.errors import KhaltiUnreadable
from loyalink_khalti.khalti import Initiate, Initiated, Lookup, Status
from loyalink_khalti.nepal import KATHMANDU

from . import vectors

ORDER = {
    "return_url": "https://example.com/khalti/return/t/",
    "website_url": "https://example.com/",
    "amount": 1000,
    "purchase_order_id": "Order01",
    "purchase_order_name": "test",
}


def test_vector_a_a_full_request_has_the_documented_form_without_optional_fields():
    customer = vectors.FULL_REQUEST["customer_info"]
    request = Initiate(**{key: vectors.FULL_REQUEST[key] for key in ORDER}, **customer)

    left_out = {"amount_breakdown", "product_details", "merchant_username", "merchant_extra"}
    assert request.to_wire() == {k: v for k, v in vectors.FULL_REQUEST.items() if k not in left_out}


def test_vectors_b_and_c_amounts_are_integers_and_no_mode_is_sent():
    wire = Initiate(**ORDER, name="Test Bahadur", email="test@khalti.com", phone="9800000001").to_wire()

    assert wire == ORDER | {
        "customer_info": {"name": "Test Bahadur", "email": "test@khalti.com", "phone": "9800000001"}
    }
    assert type(wire["amount"]) is int


def test_vector_c2_a_request_equals_one_that_a_real_sandbox_accepted():
    logged = vectors.LOGGED_REQUEST
    customer = logged["customer_info"]

    assert Initiate(**{key: logged[key] for key in ORDER}, **customer).to_wire() == logged


def test_a_customer_without_a_name_sends_no_customer_info():
    assert Initiate(**ORDER).to_wire() == ORDER
    assert Initiate(**ORDER, name="  ", email="sita@example.com").to_wire() == ORDER  # Khalti requires the name


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("9800000123", "9800000123"),
        ("+977 980-000-0123", "9800000123"),
        ("+977-9800000123", "9800000123"),
        (" 980 0000 123 ", "9800000123"),
        ("(980) 0000123", "9800000123"),
        ("९८०००००१२३", "9800000123"),
        ("+९७७ ९८० ०००० १२३", "9800000123"),
        ("977 980 0000123", "9800000123"),
        ("00977-980.000.0123", "9800000123"),
        ("0980 000 0123", "9800000123"),
        ("01-4412345", None),
        ("+977 1 4412345", None),
        ("14412345", None),
        ("8800000123", None),
        ("98000001234", None),
        ("980000012", None),
        ("977 9841234", None),
        ("+91 9800000123", None),
        ("+91 98412 34567", None),
        ("0091 98412 34567", None),
        ("91 98412 34567", None),
        ("9800000123 ext 5", None),
        ("9800000123, 9841234567", None),
        ("98OOOOO123", None),
        ("+977", None),
        ("", None),
    ],
)
def test_only_a_nepali_mobile_is_sent_as_phone_number(typed, sent):
    """M17: without its country code or extension another number is a stranger's mobile."""
    customer = Initiate(**ORDER, name="Sita", phone=typed).to_wire()["customer_info"]

    assert customer == ({"name": "Sita", "phone": sent} if sent else {"name": "Sita"})


@pytest.mark.parametrize("typed", ["", "   ", "sita", "sita@", "sita@localhost", "si ta@example.com"])
def test_an_invalid_email_is_left_out(typed):
    assert Initiate(**ORDER, name="Sita", email=typed).to_wire()["customer_info"] == {"name": "Sita"}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Pens\r\nand\tpaper\x00\x1b[31m", "Pens and paper[31m"),
        ("कापी र कलम", "कापी र कलम"),
        ("क्\u200dष", "क्\u200dष"),
        ("half \ud83d", "half"),
        ("x" * 500, "x" * 99 + "…"),
        ("न" * 98 + "की दोकान", "न" * 98 + "…"),  # H9: की stays whole
        ("\x00 \n", "Order01"),
    ],
)
def test_an_order_name_is_one_short_line_and_never_blank(name, sent):
    """H9"""
    assert Initiate(**ORDER | {"purchase_order_name": name}).to_wire()["purchase_order_name"] == sent


@pytest.mark.parametrize("wire", [vectors.INITIATED, vectors.LOGGED_INITIATED])
def test_vector_d_an_opened_payment_has_its_expiry(wire):
    initiated = Initiated.from_wire(wire)

    assert (initiated.pidx, initiated.payment_url) == (wire["pidx"], wire["payment_url"])
    assert initiated.expires_at == datetime.fromisoformat(wire["expires_at"])
    assert initiated.expires_in == 1800


def test_vector_d_times_have_nepals_offset():
    expires_at = datetime(2023, 5, 25, 16, 26, 16, 471649, tzinfo=KATHMANDU)

    assert Initiated.from_wire(vectors.INITIATED).expires_at == expires_at


@pytest.mark.parametrize(
    "expires_at",
    ["2023-05-25T16:26:16.471649", "soon", "", "2023-13-45T99:00:00+05:45", "0001-01-01T00:00:00+05:45", None],
)
def test_an_unusable_time_is_none(expires_at):
    """C25: the shop's own lifetime applies then."""
    assert Initiated.from_wire(vectors.INITIATED | {"expires_at": expires_at}).expires_at is None


def test_a_time_far_in_the_future_is_returned_unchanged():
    """C25: the flow decides what it means."""
    wire = vectors.INITIATED | {"expires_at": "9998-01-01T00:00:00+00:00"}

    assert Initiated.from_wire(wire).expires_at == datetime(9998, 1, 1, tzinfo=UTC)


def test_the_answer_of_2022_without_times_is_readable():
    initiated = Initiated.from_wire({k: vectors.INITIATED[k] for k in ("pidx", "payment_url")})

    assert (initiated.expires_at, initiated.expires_in) == (None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pidx": None},
        {"pidx": ""},
        {"pidx": 7},
        {"pidx": "a" * 65},
        {"pidx": "a b"},
        {"pidx": "क"},
        {"pidx": "a\n"},
        {"payment_url": None},
        {"payment_url": ""},
        {"payment_url": ["https://khalti.com/"]},
        {"payment_url": "https://khalti.com/" + "a" * 2000},
        {"expires_at": 1800},
        {"expires_in": "1800"},
        {"expires_in": 1800.0},
        {"expires_in": True},
        {"expires_in": -1},
    ],
)
def test_an_opened_payment_with_a_missing_or_wrong_field_is_unreadable(wrong):
    """C24."""
    with pytest.raises(KhaltiUnreadable):
        Initiated.from_wire(vectors.INITIATED | wrong)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Completed", Status.COMPLETED),
        ("Pending", Status.PENDING),
        ("Initiated", Status.INITIATED),
        ("Refunded", Status.REFUNDED),
        ("Partially Refunded", Status.PARTIALLY_REFUNDED),
        ("Partially refunded", Status.PARTIALLY_REFUNDED),
        ("Expired", Status.EXPIRED),
        ("EXPIRED", Status.EXPIRED),
        ("User canceled", Status.CANCELED),
        ("user Canceled", Status.CANCELED),
        ("Canceled", Status.CANCELED),
        ("Failed", Status.FAILED),
        ("completed", Status.UNKNOWN),
        ("COMPLETED", Status.UNKNOWN),
        ("Completed ", Status.UNKNOWN),
        (" Completed", Status.UNKNOWN),
        ("Completed\n", Status.UNKNOWN),
        ("Complеted", Status.UNKNOWN),  # a Cyrillic е
        ("Reversed", Status.UNKNOWN),
        ("unknown", Status.UNKNOWN),
        ("", Status.UNKNOWN),
    ],
)
def test_completed_must_match_exactly_and_the_other_statuses_in_any_case(text, status):
    """C21."""
    assert Lookup.from_wire(vectors.looked_up("Completed") | {"status": text}).status is status


def test_an_unknown_status_keeps_its_text_up_to_a_limit():
    lookup = Lookup.from_wire(vectors.looked_up("Reversed\x00\n" + "x" * 1000))

    assert lookup.status is Status.UNKNOWN
    assert lookup.status_text.startswith("Reversed")
    assert lookup.status_text.isprintable()
    assert len(lookup.status_text) == 64


def test_vector_i_a_real_lookup_has_its_fee_in_addition_to_the_amount():
    assert Lookup.from_wire(vectors.LOGGED_LOOKUP) == Lookup(
        pidx="KgwqwyHCLqjRMMi8rCeR55",
        status=Status.COMPLETED,
        status_text="Completed",
        total_amount=10000,
        transaction_id="v4VqmjVr4XbTkNaooNyoz5",
        fee=300,
        refunded=False,
    )


@pytest.mark.parametrize("amount", [float("nan"), 1e3, "1000", True, 10**13, -1, [1000], {}])
@pytest.mark.parametrize("status", ["Completed", "Expired"])
def test_an_amount_that_is_not_a_whole_number_is_unreadable(status, amount):
    """C16."""
    with pytest.raises(KhaltiUnreadable, match="total_amount"):
        Lookup.from_wire(vectors.looked_up(status, total_amount=amount))


def test_an_amount_of_zero_is_readable():
    """C16."""
    assert Lookup.from_wire(vectors.looked_up("Completed", total_amount=0)).total_amount == 0


@pytest.mark.parametrize("status", ["Completed", "Refunded", "Partially refunded"])
@pytest.mark.parametrize("nothing", [{"total_amount": None}, {}])
def test_a_paid_or_refunded_payment_without_an_amount_is_unreadable(status, nothing):
    wire = {key: value for key, value in vectors.looked_up(status).items() if key != "total_amount"}

    with pytest.raises(KhaltiUnreadable, match="total_amount"):
        Lookup.from_wire(wire | nothing)


@pytest.mark.parametrize("status", ["Expired", "User canceled", "Failed", "Pending", "Initiated", "Reversed"])
def test_a_payment_that_is_not_paid_needs_no_amount(status):
    wire = {key: value for key, value in vectors.looked_up(status).items() if key != "total_amount"}

    assert Lookup.from_wire(wire).total_amount is None


@pytest.mark.parametrize("nothing", [{"transaction_id": None}, {"transaction_id": ""}, {}])
def test_a_missing_transaction_id_is_none(nothing):
    """A16: the flow decides what it means."""
    wire = {key: value for key, value in vectors.looked_up("Completed").items() if key != "transaction_id"}

    assert Lookup.from_wire(wire | nothing).transaction_id is None


@pytest.mark.parametrize("fee", [None, 31.5, "300", -1, True])
def test_an_invalid_fee_does_not_make_a_lookup_unreadable(fee):
    assert Lookup.from_wire(vectors.looked_up("Completed", fee=fee)).fee is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"pidx": None},
        {"pidx": 5},
        {"pidx": "a" * 65},
        {"status": None},
        {"status": True},
        {"status": ["Completed"]},
        {"transaction_id": 5},
        {"transaction_id": "a" * 65},
        {"transaction_id": "../x y"},
        {"refunded": "false"},
        {"refunded": 0},
    ],
)
def test_a_lookup_with_a_wrong_field_is_unreadable(wrong):
    with pytest.raises(KhaltiUnreadable):
        Lookup.from_wire(vectors.looked_up("Completed") | wrong)


@pytest.mark.parametrize(("status", "refunded"), [("Completed", False), ("Refunded", True), ("Expired", False)])
def test_without_refunded_the_status_decides_it(status, refunded):
    assert Lookup.from_wire(vectors.looked_up(status, refunded=None)).refunded is refunded


@pytest.mark.parametrize("wire", vectors.KPG_1)
def test_vector_l_answers_of_khaltis_old_protocol_are_unreadable(wire):
    with pytest.raises(KhaltiUnreadable):
        Lookup.from_wire(wire)


def test_vector_m_unknown_fields_are_ignored():
    assert Lookup.from_wire(vectors.SDK_LOOKUP).status is Status.PENDING


def test_the_repr_of_a_request_shows_no_personal_data():
    text = repr(Initiate(**ORDER, name="Sita Sharma", email="sita@example.com", phone="9800000123"))

    assert not {part for part in ("Sita", "sita", "9800000123") if part in text}
