"""initiate, lookup and refund against Khalti's documented answers, verbatim."""

import json

import pytest
import responses
from responses import matchers

from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import Initiate, Khalti, Secret, Status

from . import vectors
from .conftest import KEY

BASE = "https://dev.khalti.com/api/v2/"


INITIATE = f"{BASE}epayment/initiate/"


LOOKUP = f"{BASE}epayment/lookup/"


REFUND = "https://dev.khalti.com/api/merchant-transaction/GFq9PFS7b2iYvL8Lir9oXe/refund/"


PIDX = "HT6o6PEZRWFJ5ygavzHWd5"


TRANSACTION = "GFq9PFS7b2iYvL8Lir9oXe"


ORDER = Initiate(
    return_url="https://example.com/payment/",
    website_url="https://example.com/",
    amount=1300,
    purchase_order_id="test12",
    purchase_order_name="test",
    name="Khalti Bahadur",
    email="example@gmail.com",
    phone="9800000123",
)


METHODS = [
    pytest.param(INITIATE, lambda khalti: khalti.initiate(ORDER), id="initiate"),
    pytest.param(LOOKUP, lambda khalti: khalti.lookup(PIDX), id="lookup"),
    pytest.param(REFUND, lambda khalti: khalti.refund(TRANSACTION), id="refund"),
]


each_method = pytest.mark.parametrize(("url", "call"), METHODS)


def test_vector_a_initiate_sends_the_key_and_json(sandbox, khalti):
    sandbox.post(
        INITIATE,
        json=vectors.INITIATED,
        match=[
            matchers.header_matcher({"Authorization": f"Key {KEY}", "Content-Type": "application/json"}),
            matchers.json_params_matcher(ORDER.to_wire()),
        ],
    )

    assert khalti.initiate(ORDER).pidx == "bZQLD9wRVWo4CdESSfuSsB"


@pytest.mark.parametrize("wire", [vectors.INITIATED, vectors.LOGGED_INITIATED])
def test_vector_d_initiate_returns_the_payment_url(wire, sandbox, khalti):
    sandbox.post(INITIATE, json=wire)

    assert khalti.initiate(ORDER).payment_url == wire["payment_url"]


def test_vector_d_the_payment_url_of_2026_is_unchanged(sandbox, khalti):
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": vectors.PAYMENT_URL_OF_2026})

    assert khalti.initiate(ORDER).payment_url == vectors.PAYMENT_URL_OF_2026


@pytest.mark.parametrize(("body", "message"), vectors.INITIATE_ERRORS)
def test_vector_e_each_documented_error_is_a_rejection_with_khaltis_message(body, message, sandbox, khalti):
    """C27."""
    sandbox.post(INITIATE, json=body, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.initiate(ORDER)

    assert type(caught.value) is KhaltiRejected
    assert (caught.value.status_code, caught.value.detail, caught.value.message) == (400, body, message)
    assert caught.value.path == "/api/v2/epayment/initiate/"


@pytest.mark.parametrize("body", vectors.KEY_ERRORS)
@each_method
def test_vector_f_a_rejected_key_has_its_own_error(url, call, body, sandbox, khalti):
    """C11."""
    sandbox.post(url, json=body, status=401)

    with pytest.raises(KhaltiKeyRejected) as caught:
        call(khalti)

    assert caught.value.message == body["detail"]


def test_the_message_of_a_rejection_is_limited(sandbox, khalti):
    sandbox.post(INITIATE, json={"amount": [{"deep": ["no " * 5000]}, None, 7]}, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.initiate(ORDER)

    assert len(caught.value.message) == 500


def test_vector_h_lookup_sends_the_pidx(sandbox, khalti):
    sandbox.post(
        LOOKUP,
        json=vectors.looked_up("Completed"),
        match=[
            matchers.json_params_matcher({"pidx": PIDX}),
            matchers.header_matcher({"Authorization": f"Key {KEY}"}),
        ],
    )

    assert khalti.lookup(PIDX).pidx == PIDX


@pytest.mark.parametrize(
    ("text", "code", "status", "transaction_id", "refunded"),
    [
        ("Completed", 200, Status.COMPLETED, TRANSACTION, False),
        ("Pending", 200, Status.PENDING, None, False),
        ("Initiated", 200, Status.INITIATED, None, False),
        ("Refunded", 200, Status.REFUNDED, TRANSACTION, True),
        ("Partially Refunded", 200, Status.PARTIALLY_REFUNDED, TRANSACTION, True),
        ("Expired", 400, Status.EXPIRED, None, False),
        ("User canceled", 400, Status.CANCELED, None, False),
        ("Failed", 400, Status.FAILED, TRANSACTION, False),
        ("Failed", 200, Status.FAILED, TRANSACTION, False),
    ],
)
def test_vector_i_each_status_is_an_answer_with_200_or_400(
    text, code, status, transaction_id, refunded, sandbox, khalti
):
    """C10."""
    sandbox.post(LOOKUP, json=vectors.looked_up(text), status=code)

    lookup = khalti.lookup(PIDX)

    assert (lookup.status, lookup.transaction_id, lookup.refunded) == (status, transaction_id, refunded)
    assert (lookup.total_amount, lookup.fee, lookup.status_text) == (1000, 0, text)


def test_vector_i_an_answer_about_another_pidx_is_returned_unchanged(sandbox, khalti):
    """C22."""
    sandbox.post(LOOKUP, json=vectors.looked_up("Completed", pidx="H889Er9gq4j92oCrePrDwf"))

    assert khalti.lookup(PIDX).pidx == "H889Er9gq4j92oCrePrDwf"


@pytest.mark.parametrize("code", [404, 400])
@each_method
def test_vector_j_not_found_is_recognised_by_its_body_for_any_status_code(url, call, code, sandbox, khalti):
    """C12."""
    sandbox.post(url, json=vectors.NOT_FOUND, status=code)

    with pytest.raises(KhaltiNotFound) as caught:
        call(khalti)

    assert caught.value.message == "Not found."


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, {}),
        ({"amount": 5000}, {"amount": 5000}),
        ({"mobile": "9800000005"}, {"mobile": "9800000005"}),
        ({"mobile": "9800000005", "amount": 7500}, {"mobile": "9800000005", "amount": 7500}),
    ],
)
def test_vector_k_refunds_are_outside_v2_and_in_whole_paisa(arguments, body, sandbox, khalti):
    sandbox.post(
        REFUND,
        json=vectors.REFUNDED,
        match=[matchers.header_matcher({"Authorization": f"Key {KEY}", "Content-Type": "application/json"})],
    )

    assert khalti.refund(TRANSACTION, **arguments) == "Transaction refund successful."
    assert json.loads(sandbox.calls[0].request.body) == body


def test_a_transaction_id_cannot_change_the_path_of_a_refund(sandbox, khalti):
    sandbox.post("https://dev.khalti.com/api/merchant-transaction/a%2F..%2Fb%3Fc/refund/", json=vectors.REFUNDED)

    assert khalti.refund("a/../b?c")
    for wrong in ("", ".", "..", "a b", "a\n", "a" * 65):
        with pytest.raises(ValueError, match="transaction id"):
            khalti.refund(wrong)


@pytest.mark.parametrize("body", [{}, {"detail": None}, {"detail": ""}, {"detail": ["ok"]}, {"status": "Completed"}])
def test_a_refund_without_a_detail_is_unreadable(body, sandbox, khalti):
    """C15."""
    sandbox.post(REFUND, json=body)

    with pytest.raises(KhaltiUnreadable):
        khalti.refund(TRANSACTION)


def test_only_for_lookup_a_400_with_a_status_is_an_answer(sandbox, khalti):
    sandbox.post(INITIATE, json=vectors.INITIATED | {"status": "Expired"}, status=400)
    sandbox.post(REFUND, json=vectors.REFUNDED | {"status": "Expired"}, status=400)

    with pytest.raises(KhaltiRejected):
        khalti.initiate(ORDER)
    with pytest.raises(KhaltiRejected):
        khalti.refund(TRANSACTION)


def test_a_400_without_a_status_rejects_a_lookup(sandbox, khalti):
    sandbox.post(LOOKUP, json={"pidx": ["This field may not be blank."]}, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.lookup("")

    assert caught.value.message == "pidx: This field may not be blank."


@pytest.mark.parametrize("code", [500, 502, 503, 504, 520, 201, 202, 300])
@pytest.mark.parametrize("body", ['{"detail": "Not found."}', "<html>Service unavailable</html>"])
@each_method
def test_an_outage_is_no_answer_and_no_rejection(url, call, body, code, sandbox, khalti):
    """C08."""
    sandbox.post(url, body=body, status=code)

    with pytest.raises(KhaltiUnreachable, match=str(code)):
        call(khalti)


@pytest.mark.parametrize("code", [200, 400, 403, 404, 409])
@pytest.mark.parametrize("body", ["<html>Maintenance</html>", "", "null", "[]", '"Completed"'])
@each_method
def test_a_page_of_a_proxy_is_unreadable(url, call, body, code, sandbox, khalti):
    """C09, C15."""
    sandbox.post(url, body=body, status=code)

    with pytest.raises(KhaltiUnreadable):
        call(khalti)


@each_method
def test_an_empty_object_is_unreadable(url, call, sandbox, khalti):
    """C15."""
    sandbox.post(url, json={})

    with pytest.raises(KhaltiUnreadable):
        call(khalti)


@pytest.mark.parametrize(("code", "error"), [(401, KhaltiKeyRejected), (429, KhaltiThrottled)])
@each_method
def test_a_rejected_key_and_a_throttle_need_no_readable_body(url, call, code, error, sandbox, khalti):
    sandbox.post(url, body="<html>no</html>", status=code)

    with pytest.raises(error) as caught:
        call(khalti)

    assert caught.value.detail == {}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("99999999999999", 3600.0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", 120.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:00:00 GMT", 3600.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        (None, None),
    ],
)
def test_a_throttle_has_the_seconds_of_retry_after(header, seconds, sandbox, khalti):
    """C13."""
    headers = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT"} | ({"Retry-After": header} if header else {})
    sandbox.post(LOOKUP, json={"detail": "Request was throttled."}, status=429, headers=headers)

    with pytest.raises(KhaltiThrottled) as caught:
        khalti.lookup(PIDX)

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "location",
    [
        LOOKUP,
        "http://dev.khalti.com/api/v2/epayment/lookup/",
        "https://evil.example/",
        "file:///etc/passwd",
        "//evil.example/",
        "http://[",
        "",
    ],
)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code, location, sandbox, khalti):
    """I13, C20."""
    sandbox.post(LOOKUP, status=code, headers={"Location": location}, json=vectors.looked_up("Completed"))

    with pytest.raises(KhaltiUnreachable, match=str(code)):
        khalti.lookup(PIDX)

    assert len(sandbox.calls) == 1


@pytest.mark.parametrize(
    "payment_url",
    [
        "javascript:alert(1)",
        "https://evil.example/?pidx=bZQLD9wRVWo4CdESSfuSsB",
        "http://test-pay.khalti.com/?pidx=bZQLD9wRVWo4CdESSfuSsB",
        "https://khalti.com@evil.example/",
        "https://evil.example\\.khalti.com/",
        "https://test-pay.khalti.com/?pidx=" + "a" * 10_000,
        "",
        None,
    ],
)
def test_a_payment_url_that_is_not_khaltis_is_unreadable(payment_url, sandbox, khalti):
    """C24."""
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": payment_url})

    with pytest.raises(KhaltiUnreadable):
        khalti.initiate(ORDER)


def test_a_payment_url_on_the_configured_host_is_accepted(sandbox, secret):
    khalti = Khalti(base_url="http://127.0.0.1:9000/api/v2", secret=secret)
    payment_url = "http://127.0.0.1:9000/?pidx=bZQLD9wRVWo4CdESSfuSsB"
    sandbox.post(
        "http://127.0.0.1:9000/api/v2/epayment/initiate/", json=vectors.INITIATED | {"payment_url": payment_url}
    )

    assert khalti.initiate(ORDER).payment_url == payment_url


def test_two_merchants_of_one_process_do_not_share_a_key(sandbox, khalti):
    other = Khalti(base_url=BASE, secret=Secret("f" * 32))
    for client in (khalti, other, khalti):
        sandbox.post(LOOKUP, json=vectors.looked_up("Pending"), headers={"Set-Cookie": "session=abc; Path=/"})
        client.lookup(PIDX)

    assert [call.request.headers["Authorization"] for call in sandbox.calls] == [
        f"Key {KEY}",
        "Key " + "f" * 32,
        f"Key {KEY}",
    ]
    assert not any("Cookie" in call.request.headers for call in sandbox.calls)


def test_environment_variables_do_not_change_where_a_call_goes(sandbox, khalti, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine dev.khalti.com login evil password evil\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://evil.example:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "evil.pem"))
    seen = {}

    def record(request):
        seen.update(request.req_kwargs, authorization=request.headers["Authorization"])
        return 200, {}, json.dumps(vectors.looked_up("Pending"))

    sandbox.add_callback(responses.POST, LOOKUP, callback=record)
    khalti.lookup(PIDX)

    assert seen["authorization"] == f"Key {KEY}"
    assert seen["verify"] is True
    assert not seen["proxies"]
