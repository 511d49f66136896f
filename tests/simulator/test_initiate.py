"""initiate answers as documented, with Khalti's messages."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from loyalink_khalti.simulator import Simulator

from .conftest import Merchant

ERROR = {"error_key": "validation_error"}
BLANK = ["This field may not be blank."]
NOT_URL = ["Enter a valid URL."]


def test_initiate_opens_a_payment(merchant: Merchant, sim: Simulator) -> None:
    answer = merchant.initiate(amount=123_450)

    opened = answer.json()
    assert answer.status_code == 200
    assert list(opened) == ["pidx", "payment_url", "expires_at", "expires_in"]
    assert re.fullmatch(r"[2-9A-HJ-NP-Za-km-z]{22}", opened["pidx"])
    assert opened["expires_in"] == 1800
    assert sim.payment(opened["pidx"]).amount == 123_450


def test_expires_at_is_nepal_time_with_microseconds(merchant: Merchant) -> None:
    text = merchant.initiate().json()["expires_at"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+05:45", text)
    assert datetime.fromisoformat(text).utcoffset() == timedelta(hours=5, minutes=45)


def test_payment_url_has_the_shape_of_2026(merchant: Merchant, sim: Simulator) -> None:
    opened = merchant.initiate(return_url="https://shop.example/r?a=b c".replace(" ", "%20")).json()

    assert opened["payment_url"] == (
        f"{sim.url}/wallet/?pidx={opened['pidx']}&return_url=https%3A%2F%2Fshop.example%2Fr%3Fa%3Db%2520c&mode=wallet"
    )


def test_payment_url_can_have_the_old_shape() -> None:
    with Simulator(old_payment_urls=True) as sim:
        opened = Merchant(sim).initiate().json()

    assert opened["payment_url"] == f"{sim.url}/?pidx={opened['pidx']}"


@pytest.mark.parametrize("amount", [1300, "1300", 1000])
def test_amounts_are_integers_or_digits(merchant: Merchant, amount: Any) -> None:
    assert merchant.initiate(amount=amount).status_code == 200


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"return_url": ""}, {"return_url": BLANK}),
        ({"return_url": "shop.example/return"}, {"return_url": NOT_URL}),
        ({"return_url": "myapp://return"}, {"return_url": NOT_URL}),
        ({"return_url": "https://shop.example/a b"}, {"return_url": NOT_URL}),
        ({"return_url": "https://shop.example:99999/"}, {"return_url": NOT_URL}),
        ({"return_url": "https://[1/"}, {"return_url": NOT_URL}),
        ({"website_url": " "}, {"website_url": BLANK}),
        ({"website_url": "http://shop"}, {"website_url": NOT_URL}),
        ({"amount": 999}, {"amount": ["Amount should be greater than Rs. 10, that is 1000 paisa."]}),
        ({"amount": -5}, {"amount": ["Amount should be greater than Rs. 10, that is 1000 paisa."]}),
        ({"amount": "13.50"}, {"amount": ["A valid integer is required."]}),
        ({"amount": 1300.5}, {"amount": ["A valid integer is required."]}),
        ({"amount": ""}, {"amount": ["A valid integer is required."]}),
        ({"amount": True}, {"amount": ["A valid integer is required."]}),
        ({"amount": 10**30}, {"amount": ["A valid integer is required."]}),
        ({"amount": None}, {"amount": ["This field may not be null."]}),
        ({"amount": ...}, {"amount": ["This field is required."]}),
        ({"purchase_order_id": ""}, {"purchase_order_id": BLANK}),
        ({"purchase_order_name": ""}, {"purchase_order_name": BLANK}),
        ({"purchase_order_name": ["a"]}, {"purchase_order_name": ["Not a valid string."]}),
        ({"purchase_order_name": "a\0b"}, {"purchase_order_name": ["Null characters are not allowed."]}),
        ({"purchase_order_name": "\ud800"}, {"purchase_order_name": ["Not a valid string."]}),
        ({"amount_breakdown": [{"label": "a", "amount": 1000}]}, {"amount": ["Amount Breakdown mismatch."]}),
        (
            {"modes": ["MOBILE_BANKING"], "amount": 9999},
            {"amount": ["Amount should be greater than Rs. 100, that is 10000 paisa."]},
        ),
        ({"modes": "KHALTI"}, {"modes": ['Expected a list of items but got type "str".']}),
        ({"customer_info": None}, {"customer_info": ["This field may not be null."]}),
    ],
)
def test_each_invalid_field_gets_khaltis_message(
    merchant: Merchant, sim: Simulator, changes: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = merchant.initiate(**changes)

    assert answer.status_code == 400
    if "customer_info" in changes:
        assert answer.json() == errors
    else:
        assert answer.json() == errors | ERROR
    assert sim.payments() == []


@pytest.mark.parametrize(
    ("customer", "errors"),
    [
        ({"name": ""}, {"name": ["This field is required."]}),
        ({"name": "Sita", "phone": ""}, {"phone": BLANK}),
        ({"name": "Sita", "email": "", "phone": ""}, {"email": BLANK, "phone": BLANK}),
        ({"email": "sita"}, {"email": ["Enter a valid email address."]}),
    ],
)
def test_the_errors_of_a_customer_are_nested(
    merchant: Merchant, customer: dict[str, str], errors: dict[str, Any]
) -> None:
    answer = merchant.initiate(customer_info=customer)

    assert (answer.status_code, answer.json()) == (400, {"customer_info": errors})


@pytest.mark.parametrize("customer", [{}, {"name": "Sita"}, {"name": "Sita", "email": "sita@example.com"}])
def test_a_customer_may_lack_anything(merchant: Merchant, customer: dict[str, str]) -> None:
    assert merchant.initiate(customer_info=customer).status_code == 200


def test_several_errors_come_at_once_in_the_order_of_the_fields(merchant: Merchant) -> None:
    answer = merchant.initiate(purchase_order_name="", amount="x", return_url=..., customer_info={"name": ""})

    expected = ["return_url", "amount", "purchase_order_name", "customer_info", "error_key"]
    assert list(answer.json()) == expected


def test_a_breakdown_that_adds_up_is_accepted_with_any_lines(merchant: Merchant) -> None:
    lines = [
        {"label": "Mark Price", "amount": "1500"},
        {"label": "VAT", "amount": 0},
        {"label": "Less", "amount": -200},
    ]

    assert merchant.initiate(amount_breakdown=lines).status_code == 200


def test_ttl_is_the_lifetime_of_the_link(merchant: Merchant) -> None:
    assert merchant.initiate(ttl=1000).json()["expires_in"] == 1000


def test_the_same_order_may_be_opened_twice_and_both_can_be_paid(merchant: Merchant, sim: Simulator) -> None:
    first, second = merchant.open(purchase_order_id="Order01"), merchant.open(purchase_order_id="Order01")

    sim.pay(first)
    sim.pay(second)

    assert first != second
    assert [merchant.status(pidx) for pidx in (first, second)] == ["Completed", "Completed"]


def test_a_merchant_before_kyc_has_a_limit(merchant: Merchant, sim: Simulator) -> None:
    sim.switches.merchant_limit = 200

    answer = merchant.initiate(amount=20_001)

    assert answer.status_code == 400
    assert answer.json() == {"amount": ["Amount must be less than 200."]} | ERROR
    assert merchant.initiate(amount=20_000).status_code == 200


def test_a_merchant_without_a_fee_cannot_open_payments(merchant: Merchant, sim: Simulator) -> None:
    sim.switches.fee_not_found = True

    answer = merchant.initiate()

    assert (answer.status_code, answer.json()) == (400, {"detail": "Fee not found."} | ERROR)


@pytest.mark.parametrize("header", [None, "live_secret_key_1", "Token abc", "Key", "Key  "])
def test_a_call_without_a_key_gets_401(merchant: Merchant, header: str | None) -> None:
    merchant.session.headers["Authorization"] = header  # type: ignore[assignment]  # None leaves it out

    answer = merchant.initiate()

    body = {"detail": "Authentication credentials were not provided.", "status_code": 401}
    assert (answer.status_code, answer.json()) == (401, body)


def test_with_configured_keys_any_other_key_is_invalid() -> None:
    with Simulator(keys=["good", "better"]) as sim:
        refused = Merchant(sim, "bad").initiate()
        accepted = [Merchant(sim, key).initiate().status_code for key in ("good", "better")]

    assert (refused.status_code, refused.json()) == (401, {"detail": "Invalid token.", "status_code": 401})
    assert accepted == [200, 200]


def test_the_keyword_of_the_key_may_be_lower_case(merchant: Merchant) -> None:
    merchant.session.headers["Authorization"] = "key abc"

    assert merchant.initiate().status_code == 200


def test_the_database_holds_no_key(tmp_path: Any) -> None:
    with Simulator(tmp_path / "payments.sqlite3") as sim:
        Merchant(sim, "verysecret").open()
        written = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"verysecret" not in written


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"amount": ' + b"9" * 5000 + b"}"])
def test_invalid_json_is_a_parse_error(merchant: Merchant, body: bytes) -> None:
    url = merchant.simulator.base_url + "epayment/initiate/"
    answer = merchant.session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("JSON parse error - ")


def test_a_json_list_is_refused(merchant: Merchant) -> None:
    answer = merchant.post("v2/epayment/initiate/", [1])

    assert answer.status_code == 400
    assert answer.json()["non_field_errors"] == ["Invalid data. Expected a dictionary, but got list."]


def test_get_is_not_allowed_and_a_missing_slash_redirects(merchant: Merchant, sim: Simulator) -> None:
    got = merchant.session.get(sim.base_url + "epayment/initiate/", timeout=10)
    bare = merchant.post("v2/epayment/initiate", {})

    assert (got.status_code, got.json()) == (405, {"detail": 'Method "GET" not allowed.'})
    assert (bare.status_code, bare.headers["Location"]) == (301, "/api/v2/epayment/initiate/")


def test_the_banks_are_listed_without_a_key(sim: Simulator) -> None:
    url = f"{sim.url}/api/v5/bank/?payment_type=mobilecheckout"
    page = requests.get(url, timeout=10).json()

    assert page["total_records"] == len(page["records"]) > 0
    assert all(bank["has_mobile_checkout"] for bank in page["records"])
