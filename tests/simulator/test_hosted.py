"""The hosted page takes the payer's money once, and sends the browser back."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from loyalink_khalti.simulator import Plan, Simulator

from .conftest import Merchant

GOOD = {"khalti_id": "9800000003", "mpin": "1111", "otp": "987654", "action": "pay"}


class Payer:
    """A browser at one payment's page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def see(self) -> requests.Response:
        return requests.get(self.url, timeout=10)

    def post(self, **changes: str) -> requests.Response:
        return requests.post(self.url, data=GOOD | changes, allow_redirects=False, timeout=10)


@pytest.fixture
def payer(sim: Simulator, pidx: str) -> Payer:
    return Payer(f"{sim.url}/?pidx={pidx}")


def test_the_page_shows_who_is_paid_for_what_and_how_much(merchant: Merchant) -> None:
    opened = merchant.initiate(amount=123_450, purchase_order_name="2 notebooks & <b>pens</b>").json()

    page = Payer(opened["payment_url"]).see()

    assert page.status_code == 200
    for words in ("shop.example", "2 notebooks &amp; &lt;b&gt;pens&lt;/b&gt;", "Rs 1,234.50", "no money moves"):
        assert words in page.text
    assert "<script" not in page.text
    assert set(re.findall(r'name="(khalti_id|mpin|otp|action)"', page.text)) == {"khalti_id", "mpin", "otp", "action"}


@pytest.mark.parametrize("path", ["/", "/wallet", "/wallet/", "/sct", "/sct/"])
def test_every_route_of_khaltis_shows_it(sim: Simulator, pidx: str, path: str) -> None:
    assert "Rs 13.00" in Payer(f"{sim.url}{path}?pidx={pidx}").see().text


def test_paying_sends_the_browser_back_in_the_documented_order(merchant: Merchant, sim: Simulator) -> None:
    opened = merchant.initiate(purchase_order_name="React Course").json()

    answer = Payer(opened["payment_url"]).post()

    transaction = sim.payment(opened["pidx"]).transaction_id
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"https://shop.example/khalti/return/t0ken/?pidx={opened['pidx']}&transaction_id={transaction}"
        f"&tidx={transaction}&txnId={transaction}&amount=1300&total_amount=1300&mobile=98XXXXX003&status=Completed"
        "&purchase_order_id=test12&purchase_order_name=React%20Course"
    )
    assert merchant.status(opened["pidx"]) == "Completed"


def test_cancelling_sends_the_browser_back_with_nothing(merchant: Merchant, payer: Payer, pidx: str) -> None:
    answer = payer.post(action="cancel", khalti_id="", mpin="", otp="")

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
    ("return_url", "glued"),
    [
        ("https://shop.example/r", "https://shop.example/r/?"),
        ("https://shop.example/r/", "https://shop.example/r//?"),
        ("https://shop.example/r?payment=success", "https://shop.example/r?payment=success/?"),
    ],
)
def test_the_server_redirect_glues_its_query_on(
    merchant: Merchant, sim: Simulator, return_url: str, glued: str
) -> None:
    opened = merchant.initiate(return_url=return_url, purchase_order_name="Pro Plan", merchant_extra="x y").json()

    answer = Payer(f"{sim.url}/sct?pidx={opened['pidx']}").post()

    location = answer.headers["Location"]
    fields = dict(parse_qsl(location.removeprefix(glued)))
    assert location.startswith(f"{glued}status=Completed&txn=")
    assert location.endswith(f"&purchase_order_name=Pro+Plan&pidx={opened['pidx']}&merchant_extra=x+y")
    assert list(fields)[2:8] == ["token", "bank_reference", "amount", "mobile", "transaction_id", "tidx"]
    assert fields["bank_reference"] == "None"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"khalti_id": "9800000006"}, "Mobile or pin invalid."),
        ({"mpin": "1112"}, "Mobile or pin invalid."),
        ({"otp": "000000"}, "Confirmation code or transaction pin does not match."),
        ({"khalti_id": "", "mpin": "", "otp": ""}, "Mobile or pin invalid."),
    ],
)
def test_wrong_credentials_are_refused_in_khaltis_words(
    merchant: Merchant, payer: Payer, pidx: str, changes: dict[str, str], words: str
) -> None:
    answer = payer.post(**changes)

    assert answer.status_code == 400
    assert f"{words} 2 tries remaining." in answer.text
    assert merchant.status(pidx) == "Initiated"


def test_after_three_wrong_tries_nothing_is_accepted_but_cancel(merchant: Merchant, payer: Payer, pidx: str) -> None:
    for _ in range(3):
        payer.post(mpin="0000")

    right = payer.post()
    status = merchant.status(pidx)
    cancelled = payer.post(action="cancel")

    assert right.status_code == 403
    assert "Transaction processing is disabled after multiple incorrect pin attempts." in right.text
    assert status == "Initiated"
    assert cancelled.status_code == 302


def test_of_twenty_that_pay_at_once_one_pays(sim: Simulator, payer: Payer, pidx: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: payer.post(), range(20)))

    assert sorted(answer.status_code for answer in answers) == [302] + [409] * 19
    paid = next(answer for answer in answers if answer.status_code == 302)
    assert f"transaction_id={sim.payment(pidx).transaction_id}&" in paid.headers["Location"]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("pay", "This payment is paid"),
        ("expire", "This link has expired"),
        ("cancel", "This payment was cancelled"),
        ("pend", "This payment is being processed"),
        ("fail", "This payment has failed"),
    ],
)
def test_what_is_over_cannot_be_paid_and_leads_back_to_the_shop(
    sim: Simulator, payer: Payer, pidx: str, verb: str, words: str
) -> None:
    getattr(sim, verb)(pidx)
    before = sim.payment(pidx)

    seen, posted = payer.see(), payer.post()

    assert (seen.status_code, posted.status_code) == (200, 409)
    for page in (seen.text, posted.text):
        assert words in page
        assert 'href="https://shop.example/khalti/return/t0ken/?pidx=' in page
    assert sim.payment(pidx) == before


def test_an_unknown_pidx_has_a_page_of_its_own(sim: Simulator) -> None:
    page = Payer(f"{sim.url}/?pidx=<script>").see()

    assert page.status_code == 404
    assert "There is no such payment" in page.text
    assert "<script" not in page.text


def test_a_trailing_slash_after_the_pidx_is_forgiven(sim: Simulator, pidx: str) -> None:
    assert Payer(f"{sim.url}/?pidx={pidx}/").see().status_code == 200


def test_a_dropped_callback_leaves_the_payer_on_a_page(sim: Simulator, payer: Payer, pidx: str) -> None:
    sim.callback(pidx, "drop")

    answer = payer.post()

    assert answer.status_code == 200
    assert "The browser was closed here" in answer.text
    assert "t0ken" not in answer.text
    assert (sim.return_urls(pidx), sim.payment(pidx).state) == ((), "Completed")


def test_a_doubled_callback_opens_the_return_url_twice_without_javascript(
    sim: Simulator, payer: Payer, pidx: str
) -> None:
    sim.callback(pidx, "double")

    page = payer.post().text

    first, second = sim.return_urls(pidx)
    shown = first.replace("&", "&amp;")
    assert first == second
    assert f'<iframe title="The first visit" src="{shown}">' in page
    assert f'<meta http-equiv="refresh" content="3; url={shown}">' in page


def test_a_forged_callback_claims_what_is_not_so(sim: Simulator, payer: Payer, pidx: str) -> None:
    sim.callback(pidx, Plan.FORGED)

    location = payer.post(action="cancel").headers["Location"]

    fields = dict(parse_qsl(urlsplit(location).query))
    assert fields["status"] == "Completed"
    assert fields["pidx"] != pidx
    assert fields["amount"] == "13000"


def test_a_bare_callback_has_no_pidx(sim: Simulator, payer: Payer, pidx: str) -> None:
    sim.callback(pidx, Plan.BARE)

    query = urlsplit(payer.post(action="cancel").headers["Location"]).query
    assert query == "message=Could%20not%20process%20the%20payment."


def test_a_pending_payment_comes_back_without_a_transaction(sim: Simulator, pidx: str) -> None:
    sim.pend(pidx)

    assert "&transaction_id=&tidx=&" in sim.return_urls(pidx)[0]
    assert "&status=Pending&" in sim.return_urls(pidx)[0]


def test_header_injection_is_impossible(merchant: Merchant, sim: Simulator) -> None:
    pidx = merchant.open(return_url="https://shop.example/दोकान", purchase_order_name="a\r\nSet-Cookie: b=c")

    answer = Payer(f"{sim.url}/?pidx={pidx}").post()

    assert answer.headers["Location"].isascii()
    assert "Set-Cookie" not in answer.headers
