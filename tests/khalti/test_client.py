"""Khalti's three verbs against its documented answers, word for word."""

import json

import pytest
import responses
from responses import matchers

from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotAsked,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import Initiate, Khalti, Places, Secret, Status
from loyalink_khalti.khalti.gate import SILENCES

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
VERBS = [
    pytest.param(INITIATE, lambda khalti: khalti.initiate(ORDER), id="initiate"),
    pytest.param(LOOKUP, lambda khalti: khalti.lookup(PIDX), id="lookup"),
    pytest.param(REFUND, lambda khalti: khalti.refund(TRANSACTION), id="refund"),
]
each_verb = pytest.mark.parametrize(("url", "ask"), VERBS)


def test_vector_a_initiate_carries_the_key_and_json(sandbox, khalti):
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
def test_vector_d_initiate_gives_the_payment_page(wire, sandbox, khalti):
    sandbox.post(INITIATE, json=wire)

    assert khalti.initiate(ORDER).payment_url == wire["payment_url"]


def test_vector_d_the_payment_url_of_2026_is_passed_on_untouched(sandbox, khalti):
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": vectors.PAYMENT_URL_OF_2026})

    assert khalti.initiate(ORDER).payment_url == vectors.PAYMENT_URL_OF_2026


@pytest.mark.parametrize(("body", "words"), vectors.INITIATE_ERRORS)
def test_vector_e_each_documented_refusal_is_a_no_in_khaltis_words(body, words, sandbox, khalti):
    """C27."""
    sandbox.post(INITIATE, json=body, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.initiate(ORDER)

    assert type(caught.value) is KhaltiRejected
    assert (caught.value.status_code, caught.value.detail, caught.value.words) == (400, body, words)
    assert caught.value.path == "/api/v2/epayment/initiate/"


@pytest.mark.parametrize("body", vectors.KEY_ERRORS)
@each_verb
def test_vector_f_a_rejected_key_is_told_apart(url, ask, body, sandbox, khalti):
    """C11."""
    sandbox.post(url, json=body, status=401)

    with pytest.raises(KhaltiKeyRejected) as caught:
        ask(khalti)

    assert caught.value.words == body["detail"]


def test_a_refusal_is_told_in_bounded_words(sandbox, khalti):
    sandbox.post(INITIATE, json={"amount": [{"deep": ["no " * 5000]}, None, 7]}, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.initiate(ORDER)

    assert len(caught.value.words) == 500


def test_vector_h_lookup_asks_by_pidx(sandbox, khalti):
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
    ("word", "code", "status", "transaction_id", "refunded"),
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
    word, code, status, transaction_id, refunded, sandbox, khalti
):
    """C10."""
    sandbox.post(LOOKUP, json=vectors.looked_up(word), status=code)

    lookup = khalti.lookup(PIDX)

    assert (lookup.status, lookup.transaction_id, lookup.refunded) == (status, transaction_id, refunded)
    assert (lookup.total_amount, lookup.fee, lookup.status_text) == (1000, 0, word)


def test_vector_i_another_pidx_than_asked_for_is_given_for_the_shop_to_see(sandbox, khalti):
    """C22."""
    sandbox.post(LOOKUP, json=vectors.looked_up("Completed", pidx="H889Er9gq4j92oCrePrDwf"))

    assert khalti.lookup(PIDX).pidx == "H889Er9gq4j92oCrePrDwf"


@pytest.mark.parametrize("code", [404, 400])
@each_verb
def test_vector_j_not_found_is_told_by_its_body_whatever_the_code(url, ask, code, sandbox, khalti):
    """C12."""
    sandbox.post(url, json=vectors.NOT_FOUND, status=code)

    with pytest.raises(KhaltiNotFound) as caught:
        ask(khalti)

    assert caught.value.words == "Not found."


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, {}),
        ({"amount": 5000}, {"amount": 5000}),
        ({"mobile": "9800000005"}, {"mobile": "9800000005"}),
        ({"mobile": "9800000005", "amount": 7500}, {"mobile": "9800000005", "amount": 7500}),
    ],
)
def test_vector_k_refunds_go_beside_v2_with_whole_paisa(arguments, body, sandbox, khalti):
    sandbox.post(
        REFUND,
        json=vectors.REFUNDED,
        match=[matchers.header_matcher({"Authorization": f"Key {KEY}", "Content-Type": "application/json"})],
    )

    assert khalti.refund(TRANSACTION, **arguments) == "Transaction refund successful."
    assert json.loads(sandbox.calls[0].request.body) == body


def test_a_transaction_id_cannot_lead_a_refund_elsewhere(sandbox, khalti):
    sandbox.post("https://dev.khalti.com/api/merchant-transaction/a%2F..%2Fb%3Fc/refund/", json=vectors.REFUNDED)

    assert khalti.refund("a/../b?c")
    for wrong in ("", ".", "..", "a b", "a\n", "a" * 65):
        with pytest.raises(ValueError, match="transaction id"):
            khalti.refund(wrong)


@pytest.mark.parametrize("body", [{}, {"detail": None}, {"detail": ""}, {"detail": ["ok"]}, {"status": "Completed"}])
def test_a_refund_without_a_word_about_it_is_unreadable(body, sandbox, khalti):
    """C15."""
    sandbox.post(REFUND, json=body)

    with pytest.raises(KhaltiUnreadable):
        khalti.refund(TRANSACTION)


def test_a_400_with_a_status_is_an_answer_of_lookups_alone(sandbox, khalti):
    sandbox.post(INITIATE, json=vectors.INITIATED | {"status": "Expired"}, status=400)
    sandbox.post(REFUND, json=vectors.REFUNDED | {"status": "Expired"}, status=400)

    with pytest.raises(KhaltiRejected):
        khalti.initiate(ORDER)
    with pytest.raises(KhaltiRejected):
        khalti.refund(TRANSACTION)


def test_a_lookup_is_refused_as_anything_else_is(sandbox, khalti):
    sandbox.post(LOOKUP, json={"pidx": ["This field may not be blank."]}, status=400)

    with pytest.raises(KhaltiRejected) as caught:
        khalti.lookup("")

    assert caught.value.words == "pidx: This field may not be blank."


@pytest.mark.parametrize("code", [500, 502, 503, 504, 520, 201, 202, 300])
@pytest.mark.parametrize("body", ['{"detail": "Not found."}', "<html>Service unavailable</html>"])
@each_verb
def test_an_outage_is_no_answer_and_no_no(url, ask, body, code, sandbox, khalti):
    """C08."""
    sandbox.post(url, body=body, status=code)

    with pytest.raises(KhaltiUnreachable, match=str(code)):
        ask(khalti)


@pytest.mark.parametrize("code", [200, 400, 403, 404, 409])
@pytest.mark.parametrize("body", ["<html>Maintenance</html>", "", "null", "[]", '"Completed"'])
@each_verb
def test_a_page_of_a_proxy_is_no_word_of_khaltis(url, ask, body, code, sandbox, khalti):
    """C09, C15."""
    sandbox.post(url, body=body, status=code)

    with pytest.raises(KhaltiUnreadable):
        ask(khalti)


@each_verb
def test_an_empty_object_is_unreadable(url, ask, sandbox, khalti):
    """C15."""
    sandbox.post(url, json={})

    with pytest.raises(KhaltiUnreadable):
        ask(khalti)


@pytest.mark.parametrize(("code", "error"), [(401, KhaltiKeyRejected), (429, KhaltiThrottled)])
@each_verb
def test_a_rejected_key_and_a_throttle_count_without_a_readable_body(url, ask, code, error, sandbox, khalti):
    sandbox.post(url, body="<html>no</html>", status=code)

    with pytest.raises(error) as caught:
        ask(khalti)

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
def test_a_throttle_says_when_to_come_back(header, seconds, sandbox, khalti):
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
def test_nobody_is_sent_to_a_payment_url_that_is_not_khaltis(payment_url, sandbox, khalti):
    """C24."""
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": payment_url})

    with pytest.raises(KhaltiUnreadable):
        khalti.initiate(ORDER)


def test_a_payment_url_of_the_configured_host_is_khaltis(sandbox, secret):
    khalti = Khalti(base_url="http://127.0.0.1:9000/api/v2", secret=secret)
    payment_url = "http://127.0.0.1:9000/?pidx=bZQLD9wRVWo4CdESSfuSsB"
    sandbox.post(
        "http://127.0.0.1:9000/api/v2/epayment/initiate/", json=vectors.INITIATED | {"payment_url": payment_url}
    )

    assert khalti.initiate(ORDER).payment_url == payment_url


def test_two_merchants_of_one_process_do_not_share_a_key(sandbox, khalti):
    other = Khalti(base_url=BASE, secret=Secret("f" * 32))
    for one in (khalti, other, khalti):
        sandbox.post(LOOKUP, json=vectors.looked_up("Pending"), headers={"Set-Cookie": "session=abc; Path=/"})
        one.lookup(PIDX)

    assert [call.request.headers["Authorization"] for call in sandbox.calls] == [
        f"Key {KEY}",
        "Key " + "f" * 32,
        f"Key {KEY}",
    ]
    assert not any("Cookie" in call.request.headers for call in sandbox.calls)


def test_the_environment_has_no_say_in_where_a_call_goes(sandbox, khalti, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine dev.khalti.com login evil password evil\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://evil.example:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "evil.pem"))
    seen = {}

    def note(request):
        seen.update(request.req_kwargs, authorization=request.headers["Authorization"])
        return 200, {}, json.dumps(vectors.looked_up("Pending"))

    sandbox.add_callback(responses.POST, LOOKUP, callback=note)
    khalti.lookup(PIDX)

    assert seen["authorization"] == f"Key {KEY}"
    assert seen["verify"] is True
    assert not seen["proxies"]


# Whether it is asked at all


@pytest.fixture
def silent(sandbox, khalti):
    """A server that has been silent as often as it takes to be left alone."""
    for _time in range(SILENCES):
        sandbox.post(LOOKUP, status=503)
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)
    sandbox.reset()


@each_verb
def test_a_server_that_was_silent_is_sent_nothing_by_any_verb(url, ask, silent, sandbox, khalti, secret):
    """C01, I14: nor by another merchant of this process."""
    for one in (khalti, Khalti(base_url=BASE, secret=Secret("f" * 32))):
        with pytest.raises(KhaltiNotAsked):
            ask(one)

    assert len(sandbox.calls) == 0


def test_another_server_is_asked_all_the_same(silent, sandbox, secret):
    sandbox.post("https://khalti.com/api/v2/epayment/lookup/", json=vectors.looked_up("Pending"))

    assert Khalti(base_url="https://khalti.com/api/v2/", secret=secret).lookup(PIDX).status is Status.PENDING


@pytest.mark.parametrize("body", ["<html>Maintenance</html>", "{}"])
@each_verb
def test_answers_that_cannot_be_read_are_silences_too(url, ask, body, sandbox, khalti):
    """C09, C15"""
    sandbox.post(url, body=body)
    for _time in range(SILENCES):
        with pytest.raises(KhaltiUnreadable):
            ask(khalti)

    assert khalti.gate.is_shut


def test_a_payment_url_of_strangers_is_a_silence_too(sandbox, khalti):
    """C24"""
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": "https://evil.example/"})
    for _time in range(SILENCES):
        with pytest.raises(KhaltiUnreadable):
            khalti.initiate(ORDER)

    assert khalti.gate.is_shut


@pytest.mark.parametrize("word", ["Expired", "User canceled"])
def test_a_400_that_answers_a_lookup_ends_a_row_of_silences(word, sandbox, khalti):
    """C10"""
    for answer in ({"status": 503}, {"status": 400, "json": vectors.looked_up(word)}):
        for _time in range(SILENCES - 1):
            sandbox.post(LOOKUP, **answer)
    for _time in range(SILENCES - 1):
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)
    khalti.lookup(PIDX)
    sandbox.reset()
    sandbox.post(LOOKUP, status=503)
    with pytest.raises(KhaltiUnreachable):
        khalti.lookup(PIDX)

    assert not khalti.gate.is_shut


def test_words_that_never_leave_are_no_silences(sandbox, khalti):
    for _time in range(SILENCES):
        with pytest.raises(ValueError, match="transaction id"):
            khalti.refund("..")

    assert not khalti.gate.is_shut


def test_a_throttled_lookup_makes_lookups_wait_and_no_shopper(sandbox, khalti):
    """C13"""
    sandbox.post(LOOKUP, json={"detail": "Request was throttled."}, status=429, headers={"Retry-After": "60"})
    sandbox.post(INITIATE, json=vectors.INITIATED)
    with pytest.raises(KhaltiThrottled):
        khalti.lookup(PIDX)

    with pytest.raises(KhaltiNotAsked, match="patience"):
        khalti.lookup(PIDX)

    assert khalti.initiate(ORDER).pidx
    assert len(sandbox.calls) == 2


@each_verb
def test_a_call_without_a_place_sends_nothing_and_is_no_silence(url, ask, sandbox, secret):
    """I14"""
    places = Places(1)
    khalti = Khalti(base_url=BASE, secret=secret, places=places)

    with places.taken(patience=0.0):
        for _time in range(SILENCES):
            with pytest.raises(KhaltiNotAsked, match="too many"):
                ask(khalti)

    assert (len(sandbox.calls), khalti.gate.is_shut) == (0, False)


def test_a_place_is_held_while_khalti_is_asked_and_given_back_after_silence(sandbox, secret):
    khalti = Khalti(base_url=BASE, secret=secret, places=Places(1))
    beside = []

    def note(request):
        with pytest.raises(KhaltiNotAsked) as caught:
            khalti.lookup(PIDX)
        beside.append(str(caught.value))
        return 503, {}, ""

    sandbox.add_callback(responses.POST, LOOKUP, callback=note)
    for _time in range(2):
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)

    assert beside == ["too many calls to Khalti are under way"] * 2
