"""The tester's panel does what customers, Khalti's staff and network failures do to payments."""

import re
from typing import Any

import pytest
import requests

from loyalink_khalti.simulator import Simulator

from .conftest import Merchant


class Panel:
    """A browser or a program that uses the panel."""

    def __init__(self, sim: Simulator) -> None:
        self.url = f"{sim.url}/panel/"

    def html(self) -> str:
        return requests.get(self.url, timeout=10).text

    def press(self, do: str, headers: dict[str, str] | None = None, **fields: str) -> requests.Response:
        data = {"do": do, **fields}
        return requests.post(self.url, data=data, headers=headers, allow_redirects=False, timeout=10)

    def call(self, verb: str, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}api/{verb}", json=body, headers=headers, timeout=10)


@pytest.fixture
def panel(sim: Simulator) -> Panel:
    return Panel(sim)


def test_the_panel_lists_payments_with_amount_and_state(merchant: Merchant, sim: Simulator, panel: Panel) -> None:
    sim.pay(merchant.open(amount=12_345_650, purchase_order_name="<i>Ink</i>"))

    page = panel.html()

    assert all(text in page for text in ("&lt;i&gt;Ink&lt;/i&gt;", "Rs 1,23,456.50", "Completed"))


@pytest.mark.parametrize(
    ("button", "status"),
    [
        ("pend", "Pending"),
        ("complete", "Completed"),
        ("fail", "Failed"),
        ("expire", "Expired"),
        ("cancel", "User canceled"),
    ],
)
def test_each_button_changes_the_payment(
    merchant: Merchant, panel: Panel, pidx: str, button: str, status: str
) -> None:
    shown = panel.html()
    pressed = panel.press(button, pidx=pidx)

    assert f'value="{button}"' in shown
    assert (pressed.status_code, pressed.headers["Location"]) == (303, f"/panel/#p-{pidx}")
    assert merchant.status(pidx) == status


def test_staff_refund_in_rupees_in_part_or_in_full(sim: Simulator, panel: Panel, pidx: str) -> None:
    sim.pay(pidx)

    panel.press("refund", pidx=pidx, rupees="5.50")
    part = sim.payment(pidx)
    panel.press("refund", pidx=pidx, rupees="")

    assert (part.refunded, part.state) == (550, "Partially Refunded")
    assert (sim.payment(pidx).refunded, sim.payment(pidx).state) == (1300, "Refunded")


@pytest.mark.parametrize(("rupees", "code"), [("x", 400), ("0.001", 400), ("14", 409), ("-1", 409), ("NaN", 400)])
def test_an_impossible_refund_shows_an_error(sim: Simulator, panel: Panel, pidx: str, rupees: str, code: int) -> None:
    sim.pay(pidx)

    answer = panel.press("refund", pidx=pidx, rupees=rupees)

    assert answer.status_code == code
    assert 'role="alert"' in answer.text
    assert sim.payment(pidx).refunded == 0


def test_the_callback_plan_of_a_payment_can_be_set(sim: Simulator, panel: Panel, pidx: str) -> None:
    panel.press("callback", pidx=pidx, plan="double")
    doubled = sim.return_urls(pidx)
    panel.press("callback", pidx=pidx, plan="")

    assert len(doubled) == 2
    assert len(sim.return_urls(pidx)) == 1


def test_a_switch_makes_every_callback_a_server_redirect(sim: Simulator, panel: Panel, pidx: str) -> None:
    panel.press("switch", callback="server", merchant_limit="200", unknown_pidx_code="400", fee_not_found="true")

    assert "/t0ken//?status=" in sim.return_urls(pidx)[0]
    assert (sim.switches.merchant_limit, sim.switches.unknown_pidx_code, sim.switches.fee_not_found) == (
        200,
        400,
        True,
    )
    panel.press("switch", merchant_limit="")
    assert (sim.switches.merchant_limit, sim.switches.fee_not_found) == (None, False)


def test_faults_are_armed_and_cleared(merchant: Merchant, panel: Panel, pidx: str) -> None:
    panel.press("fault", kind="503", where="lookup", times="2", seconds="")
    shown = panel.html()
    first = merchant.lookup(pidx).status_code
    panel.press("clear-faults")

    assert "lookup: 503 with an HTML page, 2 times" in shown
    assert (first, merchant.lookup(pidx).status_code) == (503, 200)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"do": "explode"}, 400),
        ({"do": "cancel", "pidx": "unknown"}, 404),
        ({"do": "fault", "kind": "503", "times": "many"}, 400),
        ({"do": "switch", "merchant_limit": "-1"}, 400),
        ({"do": "callback", "pidx": "unknown", "plan": "sideways"}, 400),
    ],
)
def test_an_invalid_form_shows_an_error(panel: Panel, fields: dict[str, str], code: int) -> None:
    answer = panel.press(**fields)  # type: ignore[arg-type]  # no headers among them

    assert (answer.status_code, 'role="alert"' in answer.text) == (code, True)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_cannot_press_buttons(
    merchant: Merchant, panel: Panel, pidx: str, headers: dict[str, str]
) -> None:
    pressed, called = panel.press("cancel", headers, pidx=pidx), panel.call("cancel", headers, pidx=pidx)

    assert (pressed.status_code, called.status_code) == (403, 403)
    assert merchant.status(pidx) == "Initiated"


def test_get_changes_nothing(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    requests.get(f"{sim.url}/panel/?do=cancel&pidx={pidx}", timeout=10)
    answer = requests.get(f"{sim.url}/panel/api/cancel?pidx={pidx}", timeout=10)

    assert answer.status_code == 405
    assert merchant.status(pidx) == "Initiated"


def test_programs_have_the_same_verbs(merchant: Merchant, panel: Panel, pidx: str) -> None:
    paid = panel.call("pay", pidx=pidx, khalti_id="9800000002").json()
    panel.call("callback", pidx=pidx, plan="drop")
    refunded = panel.call("refund", pidx=pidx, amount=300).json()

    assert paid["payment"]["status"] == "Completed"
    assert "mobile=98XXXXX002&" in paid["return_urls"][0]
    assert (refunded["payment"]["refunded"], refunded["return_urls"]) == (300, [])
    assert merchant.status(pidx) == "Partially Refunded"
    assert [row["pidx"] for row in panel.call("payments").json()["payments"]] == [pidx]
    assert {"endpoint": "lookup", "subject": pidx} in panel.call("calls").json()["calls"]


def test_programs_arm_faults_and_set_switches(merchant: Merchant, panel: Panel, pidx: str) -> None:
    armed = panel.call("fault", kind="500", where="lookup", times=None).json()
    codes = [merchant.lookup(pidx).status_code for _ in range(2)]
    panel.call("clear-faults")
    switched = panel.call("switch", merchant_limit=200, fee_percent="2.5").json()

    assert armed["faults"][0]["times"] is None
    assert codes == [500, 500]
    assert merchant.lookup(pidx).status_code == 200
    assert (switched["switches"]["merchant_limit"], switched["switches"]["fee_percent"]) == (200, "2.5")


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("dance", {}, 404),
        ("pay", {}, 404),
        ("refund", {"amount": "5.00"}, 400),
        ("fault", {"kind": "503", "colour": "red"}, 400),
        ("fault", {"kind": "503", "times": "many"}, 400),
        ("switch", {"gravity": 0}, 400),
        ("switch", {"fee_percent": "NaN"}, 400),
        ("callback", {"plan": "sideways"}, 400),
    ],
)
def test_programs_get_an_error_with_a_detail(panel: Panel, verb: str, body: dict[str, Any], code: int) -> None:
    answer = panel.call(verb, **body)

    assert answer.status_code == code
    assert answer.json()["detail"]


def test_an_impossible_verb_is_a_conflict(sim: Simulator, panel: Panel, pidx: str) -> None:
    sim.cancel(pidx)

    answer = panel.call("pay", pidx=pidx)

    assert answer.status_code == 409
    assert answer.json() == {"detail": "This payment is User canceled: it cannot be paid."}


def test_every_field_of_the_panel_has_a_label(panel: Panel, pidx: str) -> None:
    page = re.sub(r"<label\b.*?</label>", "", panel.html(), flags=re.DOTALL)

    assert re.findall(r"<(?:input(?! type=\"hidden\")|select)[^>]*>", page) == []
