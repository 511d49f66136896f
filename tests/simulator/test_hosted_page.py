"""The hosted page captures a payment once and sends the browser back."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from loyalink_khalti.simulator import CallbackPlan, Simulator

from .conftest import Merchant

GOOD = {"khalti_id": "9800000003", "mpin": "1111", "otp": "987654", "action": "pay"}


class Browser:
    """A customer's browser on the page of one payment."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self) -> requests.Response:
        return requests.get(self.url, timeout=10)

    def post(self, **changes: str) -> requests.Response:
        return requests.post(self.url, data=GOOD | changes, allow_redirects=False, timeout=10)


@pytest.fixture
def browser(sim: Simulator, pidx: str) -> Browser:
    return Browser(f"{sim.url}/?pidx={pidx}")


def test_the_page_shows_the_shop_the_order_and_the_amount(merchant: Merchant) -> None:
    opened = merchant.initiate(amount=123_450, purchase_order_name="2 notebooks & <b>pens</b>").json()

    page = Browser(opened["payment_url"]).open()

    assert page.status_code == 200
    for text in ("shop.example", "2 notebooks &amp; &lt;b&gt;pens&lt;/b&gt;", "Rs 1,234.50", "no money moves"):
        assert text in page.text
    assert "<script" not in page.text
    assert set(re.findall(r'name="(khalti_id|mpin|otp|action)"', page.text)) == {"khalti_id", "mpin", "otp", "action"}


@pytest.mark.parametrize("path", ["/", "/wallet", "/wallet/", "/sct", "/sct/"])
def test_every_path_of_khalti_shows_the_page(sim: Simulator, pidx: str, path: str) -> None:
    assert "Rs 13.00" in Browser(f"{sim.url}{path}?pidx={pidx}").open().text


def test_after_payment_the_callback_has_the_documented_parameters(merchant: Merchant, sim: Simulator) -> None:
    opened = merchant.initiate(purchase_order_name="React Course").json()

    answer = Browser(opened["payment_url"]).post()

    transaction = sim.payment(opened["pidx"]).transaction_id
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"https://shop.example/khalti/return/t0ken/?pidx={opened['pidx']}&transaction_id={transaction}"
        f"&tidx={transaction}&txnId={transaction}&amount=1300&total_amount=1300&mobile=98XXXXX003&status=Completed"
        "&purchase_order_id=test12&purchase_order_name=React%20Course"
    )
    assert merchant.status(opened["pidx"]) == "Completed"


def test_after_cancelling_the_callback_has_no_transaction(merchant: Merchant, browser: Browser, pidx: str) -> None:
    answer = browser.post(action="cancel", khalti_id="", mpin="", otp="")

    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"https://shop.example/khalti/return/t0ken/?pidx={pidx}&transaction_id=&tidx=&amount=1300&total_amount=1300"
        "&mobile=&status=User%20canceled&purchase_order_id=test12&purchase_order_name=test"
    )
    assert merchant.status(pidx) == "User canceled"


def test_a_return_url_with_a_query_keeps_it(merchant: Merchant, sim: Simulator) -> None:
    pidx = merchant.open(return_url="https://shop.example/r?payment=success")

    assert sim.return_urls(pidx)[0].startswith(f"https://shop.example/r?payment=success&pidx={pidx}&")


@pytest.mark.parametrize(
    ("return_url", "prefix"),
    [
        ("https://shop.example/r", "https://shop.example/r/?"),
        ("https://shop.example/r/", "https://shop.example/r//?"),
        ("https://shop.example/r?payment=success", "https://shop.example/r?payment=success/?"),
    ],
)
def test_the_server_redirect_appends_its_query_to_any_return_url(
    merchant: Merchant, sim: Simulator, return_url: str, prefix: str
) -> None:
    opened = merchant.initiate(return_url=return_url, purchase_order_name="Pro Plan", merchant_extra="x y").json()

    answer = Browser(f"{sim.url}/sct?pidx={opened['pidx']}").post()

    location = answer.headers["Location"]
    fields = dict(parse_qsl(location.removeprefix(prefix)))
    assert location.startswith(f"{prefix}status=Completed&txn=")
    assert location.endswith(f"&purchase_order_name=Pro+Plan&pidx={opened['pidx']}&merchant_extra=x+y")
    assert list(fields)[2:8] == ["token", "bank_reference", "amount", "mobile", "transaction_id", "tidx"]
    assert fields["bank_reference"] == "None"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"khalti_id": "9800000006"}, "Mobile or pin invalid."),
        ({"mpin": "1112"}, "Mobile or pin invalid."),
        ({"otp": "000000"}, "Confirmation code or transaction pin does not match."),
        ({"khalti_id": "", "mpin": "", "otp": ""}, "Mobile or pin invalid."),
    ],
)
def test_wrong_credentials_are_refused_with_khaltis_message(
    merchant: Merchant, browser: Browser, pidx: str, changes: dict[str, str], message: str
) -> None:
    answer = browser.post(**changes)

    assert answer.status_code == 400
    assert f"{message} 2 tries remaining." in answer.text
    assert merchant.status(pidx) == "Initiated"


def test_after_three_wrong_tries_only_cancel_is_accepted(merchant: Merchant, browser: Browser, pidx: str) -> None:
    for _ in range(3):
        browser.post(mpin="0000")

    right = browser.post()
    status = merchant.status(pidx)
    cancelled = browser.post(action="cancel")

    assert right.status_code == 403
    assert "Transaction processing is disabled after multiple incorrect pin attempts." in right.text
    assert status == "Initiated"
    assert cancelled.status_code == 302


def test_of_twenty_payments_at_once_one_succeeds(sim: Simulator, browser: Browser, pidx: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: browser.post(), range(20)))

    assert sorted(answer.status_code for answer in answers) == [302] + [409] * 19
    paid = next(answer for answer in answers if answer.status_code == 302)
    assert f"transaction_id={sim.payment(pidx).transaction_id}&" in paid.headers["Location"]


@pytest.mark.parametrize(
    ("method", "title"),
    [
        ("pay", "This payment is paid"),
        ("expire", "This link has expired"),
        ("cancel", "This payment was cancelled"),
        ("pend", "This payment is being processed"),
        ("fail", "This payment has failed"),
    ],
)
def test_a_closed_payment_cannot_be_paid_and_links_back_to_the_shop(
    sim: Simulator, browser: Browser, pidx: str, method: str, title: str
) -> None:
    getattr(sim, method)(pidx)
    before = sim.payment(pidx)

    opened, posted = browser.open(), browser.post()

    assert (opened.status_code, posted.status_code) == (200, 409)
    for page in (opened.text, posted.text):
        assert title in page
        assert 'href="https://shop.example/khalti/return/t0ken/?pidx=' in page
    assert sim.payment(pidx) == before


def test_an_unknown_pidx_shows_a_not_found_page(sim: Simulator) -> None:
    page = Browser(f"{sim.url}/?pidx=<script>").open()

    assert page.status_code == 404
    assert "Payment not found" in page.text
    assert "<script" not in page.text


def test_a_trailing_slash_after_the_pidx_is_ignored(sim: Simulator, pidx: str) -> None:
    assert Browser(f"{sim.url}/?pidx={pidx}/").open().status_code == 200


def test_a_dropped_callback_leaves_the_customer_on_a_page(sim: Simulator, browser: Browser, pidx: str) -> None:
    sim.callback(pidx, "drop")

    answer = browser.post()

    assert answer.status_code == 200
    assert "The browser was closed here" in answer.text
    assert "t0ken" not in answer.text
    assert (sim.return_urls(pidx), sim.payment(pidx).state) == ((), "Completed")


def test_a_double_callback_opens_the_return_url_twice_without_javascript(
    sim: Simulator, browser: Browser, pidx: str
) -> None:
    sim.callback(pidx, "double")

    page = browser.post().text

    first, second = sim.return_urls(pidx)
    shown = first.replace("&", "&amp;")
    assert first == second
    assert f'<iframe title="The first visit" src="{shown}">' in page
    assert f'<meta http-equiv="refresh" content="3; url={shown}">' in page


def test_a_forged_callback_has_wrong_parameters(sim: Simulator, browser: Browser, pidx: str) -> None:
    sim.callback(pidx, CallbackPlan.FORGED)

    location = browser.post(action="cancel").headers["Location"]

    fields = dict(parse_qsl(urlsplit(location).query))
    assert fields["status"] == "Completed"
    assert fields["pidx"] != pidx
    assert fields["amount"] == "13000"


def test_a_bare_callback_has_no_pidx(sim: Simulator, browser: Browser, pidx: str) -> None:
    sim.callback(pidx, CallbackPlan.BARE)

    query = urlsplit(browser.post(action="cancel").headers["Location"]).query
    assert query == "message=Could%20not%20process%20the%20payment."


def test_the_callback_of_a_pending_payment_has_no_transaction(sim: Simulator, pidx: str) -> None:
    sim.pend(pidx)

    assert "&transaction_id=&tidx=&" in sim.return_urls(pidx)[0]
    assert "&status=Pending&" in sim.return_urls(pidx)[0]


def test_header_injection_is_impossible(merchant: Merchant, sim: Simulator) -> None:
    pidx = merchant.open(return_url="https://shop.example/दोकान", purchase_order_name="a\r\nSet-Cookie: b=c")

    answer = Browser(f"{sim.url}/?pidx={pidx}").post()

    assert answer.headers["Location"].isascii()
    assert "Set-Cookie" not in answer.headers
