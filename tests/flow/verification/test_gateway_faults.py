"""Every fault of Khalti's answer, on each of the three verbs: the deadline is met, nothing follows, nothing is resent.

Without an answer initiate releases everything, lookup is tried again, and a refund is unknown until staff know.
"""

import json
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay, CannotRefund, KhaltiNotFound
from loyalink_khalti.flow import audit
from loyalink_khalti.khalti import Secret
from loyalink_khalti.khalti.circuit_breaker import breaker_for
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.ports import Outcome
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.khalti.peer import Peer
from tests.purchases import KEY, SERVER, Khalti, flags, points, states_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled]
both = pytest.mark.money
"""On both databases. Answers are parsed alike on either, so that one of each kind is enough there."""

HTML = "<html>Khalti is being maintained</html>"
ALL_OF_IT = (
    '{"pidx": "pidx1", "status": "Completed", "total_amount": 245000, "transaction_id": "T1", "detail": "done"}'
)
NO_ANSWER = [
    pytest.param(requests.ConnectionError("refused"), id="C01 refused", marks=both),
    pytest.param(requests.ConnectionError("name or service not known"), id="C01 no such name"),
    pytest.param(requests.ConnectTimeout("connect"), id="C02 connect hangs"),
    pytest.param(requests.ReadTimeout("silence"), id="C03 no reply", marks=both),
    pytest.param(requests.ConnectionError("reset by peer"), id="C06 reset"),
    pytest.param(requests.exceptions.ChunkedEncodingError("closed"), id="C06 closed in its body"),
    pytest.param((500, {}, '{"detail": "Internal server error."}'), id="C08 500 JSON", marks=both),
    pytest.param((502, {}, HTML), id="C08 502 HTML"),
    pytest.param((503, {}, ALL_OF_IT), id="C08 503 that looks right"),
    pytest.param((200, {}, HTML), id="C09 200 HTML"),
    pytest.param((200, {}, ""), id="C14 empty"),
    pytest.param((200, {}, b"\x1f\x8b\x00{]"), id="C14 garbage"),
    pytest.param((200, {}, ALL_OF_IT[:-1]), id="C14 truncated", marks=both),
    pytest.param((200, {}, "\ufeff" + ALL_OF_IT), id="C14 BOM"),
    pytest.param((200, {}, "null"), id="C15 null"),
    pytest.param((200, {}, f"[{ALL_OF_IT}]"), id="C15 list"),
    pytest.param((200, {}, '"Completed"'), id="C15 text"),
    pytest.param((200, {}, "{}"), id="C15 nothing"),
    pytest.param((200, {}, '{"detail":' + "[" * 30_000 + "]" * 30_000 + "}"), id="C18 30,000 deep"),
    pytest.param((200, {}, '{"detail":' + "[" * 100_000), id="C18 100,000 deep", marks=both),
    pytest.param((302, {"Location": "https://dev.khalti.com/api/v2/epayment/lookup/"}, ""), id="C20 same host"),
    pytest.param((307, {"Location": "https://khalti.evil.example/"}, ""), id="C20 other host", marks=both),
    pytest.param((307, {"Location": "http://dev.khalti.com/api/v2/"}, ALL_OF_IT), id="C20 plain http"),
    pytest.param((302, {"Location": "file:///etc/passwd"}, ""), id="C20 file"),
]


def audit_passes() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_after_an_unanswered_initiate_nothing_is_held_and_nothing_is_sent_again(
    fault: Any, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C01, C02, C03, C06, C08, C09, C14, C15, C18, C20: initiate."""
    shop.stock(pen=3)
    khalti.next_initiate = [fault]

    with pytest.raises(CannotPay, match="not responding"):
        flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))

    assert (points(account), shop.left("pen"), len(khalti.opened)) == ((1000, 0, 0), 3, 1)
    assert states_of(Payment.objects.get()) == ("released", "released")
    assert audit_passes()


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_after_an_unanswered_lookup_nothing_changes_and_it_is_looked_up_again(
    fault: Any, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C01, C02, C03, C06, C08, C09, C14, C15, C18, C20: lookup."""
    khalti.pay(payment.pidx)
    khalti.next_lookup = [fault]

    outcome = flow.verify_payment(payment, ignore_back_off=True)
    between = states_of(payment), points(account), shop.confirmed, len(khalti.looked_up)

    assert (outcome, between) == (Outcome.CONFIRMING, (("initiated", "open"), (500, 500, 0), [], 1))
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.PAID
    assert audit_passes()


@pytest.fixture
def purchase(payment: Payment, khalti: Khalti) -> Purchase:
    """Rs 2,500 of products, paid with 500 points and at Khalti; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Purchase.objects.get()


def refund_order(purchase: Purchase, *, key: str = "one click") -> Refund:
    return flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key=key, actor="1")


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_an_unanswered_refund_is_unknown_and_never_sent_again(
    fault: Any, purchase: Purchase, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C01, C02, C03, C06, C08, C09, C14, C15, C18, C20: refund."""
    khalti.next_refund = [fault]

    refund = refund_order(purchase)

    assert (refund.state, flags()) == ("unknown", ["refund_unknown"])
    assert (shop.refunded, points(account)) == ([], (745, 0, 500))
    with pytest.raises(CannotRefund):
        refund_order(purchase, key="another click")
    assert len(khalti.refunded) == 1
    assert audit_passes()


WRONG_AMOUNTS = [
    "NaN", "Infinity", "1e3", "2.45e5", '"245000"', "245000.0", "true", "9" * 5000, "-245000", "null", "[1]", None,
]  # fmt: skip


@pytest.mark.parametrize("amount", WRONG_AMOUNTS, ids=lambda amount: str(amount)[:12])
def test_an_amount_that_is_not_a_plain_integer_settles_nothing(
    amount: str | None, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C16: lookup. The other verbs' answers have no amount."""
    figure = "" if amount is None else f'"total_amount": {amount}, '
    body = f'{{"pidx": "pidx1", "status": "Completed", {figure}"transaction_id": "T1", "refunded": false}}'
    khalti.next_lookup = [(200, {}, body)]

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING

    assert (states_of(payment), shop.confirmed, points(account)) == (("initiated", "open"), [], (500, 500, 0))


NO = [
    pytest.param(400, {"pidx": "pidx1", "status": "Expired"}, id="C10"),
    pytest.param(400, {"amount": ["Amount should be greater than Rs. 10, that is 1000 paisa."]}, id="C27"),
    pytest.param(401, {"detail": "Invalid token.", "status_code": 401}, id="C11", marks=both),
    pytest.param(404, {"detail": "Not found.", "error_key": "validation_error"}, id="C12"),
    pytest.param(429, {"detail": "Request was throttled."}, id="C13"),
]


@pytest.mark.parametrize(("code", "body"), NO)
def test_a_refused_initiate_releases_everything_and_the_customer_sees_why(
    code: int, body: dict[str, Any], shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C10, C11, C12, C13, C27: initiate."""
    khalti.next_initiate = [(code, {"Retry-After": "30"}, json.dumps(body))]

    with pytest.raises(CannotPay, match="Nothing was paid"):
        flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))

    assert (states_of(Payment.objects.get()), points(account)) == (("released", "released"), (1000, 0, 0))
    assert (len(khalti.opened), len(flags())) == (1, 1)
    assert audit_passes()


@pytest.mark.parametrize(("code", "body"), NO)
def test_a_refused_refund_moves_nothing_and_can_be_requested_again(
    code: int,
    body: dict[str, Any],
    purchase: Purchase,
    khalti: Khalti,
    shop: FakeShop,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C10, C11, C12, C13, C27: refund. The lookup before the next one waits as long as Khalti asks."""
    caplog.set_level(logging.DEBUG)
    khalti.next_refund = [(code, {"Retry-After": "30"}, json.dumps(body))]

    refund = refund_order(purchase)

    assert (refund.state, shop.refunded, points(account)) == ("refused", [], (745, 0, 500))
    assert KEY not in f"{refund.khalti_message} {caplog.text}"
    monkeypatch.setattr(breaker_for(SERVER), "_clock", lambda: time.monotonic() + 60)
    assert refund_order(purchase, key="another click").state == "done"
    assert len(khalti.refunded) == 2
    assert audit_passes()


@both
def test_a_refused_key_raises_one_flag_and_the_payment_waits_for_a_valid_key(
    payment: Payment, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """C11: lookup."""
    caplog.set_level(logging.DEBUG)
    khalti.pay(payment.pidx)
    khalti.next_lookup = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')] * 3

    for _ in range(3):
        assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING
    between = states_of(payment), flags()

    assert between == (("initiated", "open"), ["key_refused"])
    assert KEY not in caplog.text
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.PAID


@pytest.mark.parametrize(
    "expires_at",
    ["2020-01-01T00:00:00+05:45", "2099-01-01T00:00:00+05:45", "2026-02-25T12:00:00", "tomorrow", "", None],
)
def test_a_link_expires_after_an_hour_where_khalti_reports_no_usable_expiry(
    expires_at: str | None, shop: FakeShop, khalti: Khalti
) -> None:
    """C25: initiate."""
    khalti.next_initiate = [{"expires_at": expires_at}]

    with time_machine.travel(timezone.now(), tick=False):
        payment = flow.begin_payment(shop.freeze(shop.cart()))

        assert payment.expires_at == timezone.now() + timedelta(minutes=60)


# On real connections


SLOW = ["C01", "C02", pytest.param("C03", marks=both), "C04 body", "C04 headers", "C05", "C06 cut", "C06 drop"]
KINDS = {"C03": "hang", "C04 body": "drip", "C04 headers": "header_drip", "C05": "huge", "C06 cut": "cut"}
VERBS = ["initiate", "lookup", "refund"]


@pytest.fixture
def silent_peer() -> Iterator[Peer]:
    """A server that accepts connections and never answers."""
    peer = Peer(lambda *_: None)
    yield peer
    peer.close()


def break_khalti(case: str, verb: str, simulator: Simulator, silent_peer: Peer, settings: Any) -> None:
    if case in {"C01", "C02"}:
        server = "http://127.0.0.1:9/api/v2/" if case == "C01" else silent_peer.url.replace("http:", "https:")
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": server}
    else:
        seconds = {"hang": 30.0, "drip": 0.15, "header_drip": 0.15}.get(KINDS.get(case, ""))
        simulator.fault(KINDS.get(case, "drop"), where=verb, seconds=seconds)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 0.4}


@pytest.mark.parametrize("case", SLOW)
@pytest.mark.parametrize("verb", VERBS)
def test_a_server_that_is_slow_or_breaks_off_meets_the_deadline_on_every_verb(
    case: str, verb: str, shop: FakeShop, simulator: Simulator, silent_peer: Peer, account: Account, settings: Any
) -> None:
    """C01, C02, C03, C04, C05, C06, I14: by the deadline, on real connections."""
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500))
    if verb != "initiate":
        payment = flow.begin_payment(shop.freeze(cart))
        simulator.pay(str(payment.pidx))
    if verb == "refund":
        flow.verify_payment(payment)
    break_khalti(case, verb, simulator, silent_peer, settings)
    started = time.monotonic()

    if verb == "initiate":
        with pytest.raises(CannotPay, match="not responding"):
            flow.begin_payment(shop.freeze(cart))
        assert (points(account), simulator.count("initiate")) == ((1000, 0, 0), int(case not in {"C01", "C02"}))
    elif verb == "lookup":
        assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING
        assert (states_of(payment), points(account)) == (("initiated", "open"), (500, 500, 0))
    else:
        # R4: a lookup comes first, so a Khalti that cannot be reached at all is sent no refund.
        assert refund_order(Purchase.objects.get()).state == ("refused" if case in {"C01", "C02"} else "unknown")
        assert (shop.refunded, points(account)) == ([], (745, 0, 500))

    assert time.monotonic() - started < 10  # a hanging answer would take 30 s, a dripping one more
    assert audit_passes()


@both
def test_a_payment_is_looked_up_and_refunded_with_the_key_that_created_it(
    shop: FakeShop, simulator: Simulator, settings: Any
) -> None:
    """C30: editors enter another key while the customer pays; with that key Khalti does not find the payment."""
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "FERNET_KEYS": ["W1zKqBzRkyX0mfKkTvXz0cQbYH3nVd2V9d0o0b8b6xE="],
    }
    other = Secret(KEY.replace("c0ffee", "decade"))
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    simulator.pay(str(payment.pidx))

    conf.save_secret_key("default", conf.TEST, other)
    with pytest.raises(KhaltiNotFound):
        conf.client_with_key(conf.TEST, other).lookup(str(payment.pidx))
    outcome = flow.verify_payment(payment)
    refund = refund_order(Purchase.objects.get())

    assert (outcome, flags()) == (Outcome.PAID, [])
    assert (refund.state, simulator.payment(str(payment.pidx)).refunded) == ("done", 250_000)
