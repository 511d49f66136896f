"""Bodies that are not JSON, too large, of wrong types, or with text that no database stores: each a problem."""

import json

import pytest

from loyalink_khalti.payments.models import Purchase
from tests.api.calling import ROOT, App, basket, problem

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = {"shop": "fake", "basket": basket(), "method": "cod", "expected_due": 250_000}
NOT_JSON = [
    "", "{", "[1,]", "null x", b"\xff\xfe", b"\x80", "{'shop': 1}", '{"shop": NaN}', '{"points": Infinity}',
    '{"shop": "fake", "shop": "oscar"}', '{"points": ' + "9" * 5000 + "}", "[" * 100_000,
]  # fmt: skip
WRONG = [
    "[]", '"text"', "7", "null", {}, {**GOOD, "shop": 7}, {**GOOD, "shop": None}, {**GOOD, "basket": []},
    {**GOOD, "basket": "x"}, {**GOOD, "points": "5"}, {**GOOD, "points": -1}, {**GOOD, "points": 1.0},
    {**GOOD, "points": True}, {**GOOD, "points": 10**30}, {**GOOD, "expected_due": "250000"},
    {**GOOD, "expected_due": 9.99}, {**GOOD, "method": "cash"}, {**GOOD, "unknown": 1}, {**GOOD, "return_to": 5},
    {**GOOD, "shop": "fa\x00ke"}, {**GOOD, "basket": {"a": "\x00"}}, {**GOOD, "basket": {"\ud800": 1}},
    {**GOOD, "basket": {"a": [[["\udfff"]]]}},
]  # fmt: skip
NOT_USABLE = [
    {}, {"items": 5}, {"items": []}, {**basket(), "items": [{"sku": "pen", "quantity": 0}]},
    {**basket(), "customer": None}, {**basket(), "customer": {"email": 7}}, {**basket(), "id": 7},
    {**basket(), "x": 1},
]  # fmt: skip


def test_bad_bodies_are_refused_with_a_problem_and_change_nothing(app: App) -> None:
    """Q5"""
    app.get("/program")
    for body in NOT_JSON:
        expected = (422, "invalid-request") if body == "" else (400, "not-json")
        assert problem(app.post("/purchases", body, idempotency_key="k" * 16)) == expected, body[:40]
    for body in WRONG:
        assert problem(app.post("/purchases", body, idempotency_key="k" * 16)) == (422, "invalid-request"), body
    for wanted in NOT_USABLE:
        assert problem(app.quote(basket=wanted)) == (422, "invalid-details"), wanted
    assert not Purchase.objects.exists()


def test_a_large_body_is_refused_before_it_is_read(app: App) -> None:
    """Q5"""
    for size in (300_000, 1_000_000, 3_000_000):
        assert problem(app.post("/quote", "x" * size)) == (413, "too-large")
    nested = '{"a":' * 30 + "1" + "}" * 30
    assert problem(app.quote(basket=json.loads(nested))) == (422, "invalid-request")


def test_a_body_that_is_a_form_is_refused(app: App) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""):
        refused = app.client.generic("POST", f"{ROOT}/quote", b'{"shop": "fake"}', content_type=content_type)
        assert problem(refused) == (415, "unsupported-media-type"), content_type


def test_wrong_parameters_are_named(app: App, sita: App) -> None:
    for path in (
        "/points/history?size=0",
        "/points/history?before=-1",
        "/points/history?size=x",
        "/payments/a?wait=99",
    ):
        refused = sita.get(path)
        assert problem(refused) == (422, "invalid-request"), path
        assert refused.json()["errors"][0]["pointer"].startswith("query: ")
    for token in ("%00", "%ff", "a%20b", "x" * 65):
        assert sita.get(f"/payments/{token}").status_code == 404
