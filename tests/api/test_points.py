"""A member's points card and history, and the rules of the programme as text."""

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment
from tests.api.calling import App
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

EMPTY = {"entries": [], "opening": 0, "closing": 0, "before": None}


def test_the_card_and_the_history_show_what_the_member_has_and_did(
    sita: App, khalti: Khalti, account: Account
) -> None:
    """A hold and its capture are one line, as on the shop's own page."""
    sita.begin(points=500, expected_due=245_000)
    payment = Payment.objects.get()
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)

    card, history = sita.get("/points").json(), sita.get("/points/history").json()

    assert (card["available"], card["points_value"], card["lifetime_redeemed"]) == (745, 7450, 500)
    assert [(each["text"], each["points"]) for each in history["entries"]] == [
        ("Earned", 245), ("Used", -500), ("Points from before", 1000),
    ]  # fmt: skip
    assert history["entries"][0]["reference"] == payment.purchase.ref
    assert history["before"] is None


def test_the_history_comes_in_parts_that_do_not_move_when_points_are_added(sita: App, member: str) -> None:
    for number in range(5):
        ledger.adjust(site_key="default", member_id=member, points=number + 1, key=f"k{number}", reason="thanks")
    first = sita.get("/points/history?size=2").json()
    ledger.adjust(site_key="default", member_id=member, points=77, key="later", reason="thanks")
    second = sita.get(f"/points/history?size=2&before={first['before']}").json()
    third = sita.get(f"/points/history?size=9&before={second['before']}").json()

    shown = [each["points"] for part in (first, second, third) for each in part["entries"]]
    assert shown == [5, 4, 3, 2, 1, 1000]
    assert third["before"] is None
    assert sita.get("/points/history?before=1000000000&size=1").json()["entries"][0]["points"] == 77
    assert sita.get("/points/history?before=0").json() == EMPTY


def test_a_member_without_points_has_an_empty_history(sita: App) -> None:
    get_user_model().objects.create(username="hari")

    assert App("hari").get("/points/history").json() == EMPTY
    assert App("hari").get("/points").json()["available"] == 0


def test_the_rules_are_sentences_for_customers(app: App) -> None:
    program = app.get("/program").json()

    assert program["rules"][0] == "You earn 1 point for every Rs 10 of products."
    assert program["rules"] == [each for section in program["sections"] for each in section["sentences"]]
    assert (program["version"], [tier["name"] for tier in program["tiers"]]) == ("1", ["Silver", "Gold", "Platinum"])


def test_an_app_accepts_the_terms_leaves_and_joins_again(sita: App, member: str) -> None:
    version = sita.get("/program").json()["version"]

    accepted = sita.post("/points/terms", {"version": version}).json()["membership"]
    outdated = sita.post("/points/terms", {"version": "0"})
    left = sita.post("/points/leave", {}).json()
    joined = sita.post("/points/terms", {"version": version}).json()

    assert (accepted["status"], accepted["accepted_version"]) == ("member", version)
    assert (outdated.status_code, outdated.json()["type"]) == (409, "urn:loyalink-khalti:problem:membership")
    assert (left["membership"]["status"], left["available"], left["by_expiry"]) == ("left", 0, [])
    assert (joined["membership"]["status"], joined["available"]) == ("member", 0)


def test_a_blocked_member_reads_why(sita: App, member: str) -> None:
    ledger.set_blocked(site_key="default", member_id=member, blocked=True, reason="asked")

    assert sita.get("/points").json()["membership"]["blocked"] == "You have asked the shop to block your points."
