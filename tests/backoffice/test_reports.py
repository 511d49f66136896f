"""The reports in Wagtail's menu: who reads them, what they show and draw, and what leaves as a spreadsheet."""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from openpyxl import load_workbook
from wagtail.models import Site

from loyalink_khalti.backoffice.reports.charts import Bars, chart
from loyalink_khalti.backoffice.reports.urls import REPORTS
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.ledger import Bought
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points, grouped
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.ports import Line
from loyalink_khalti.staff.reasons import AdjustReason

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)
POINTS, MONEY = ("movement", "ageing", "adjustments"), ("settlement", "attention")
EVIL = '=HYPERLINK("http://evil.example")'
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def allow(editor: User) -> Callable[..., None]:
    """Give the editor more permissions."""

    def give(*names: str) -> None:
        editor.groups.get().permissions.add(*Permission.objects.filter(codename__in=names))

    return give


@pytest.fixture
def reader(allow: Callable[..., None]) -> None:
    """The editor may read all reports and take them along."""
    allow("view_entry", "view_payment", "export_account", "export_payment")


def address(name: str, **asked: Any) -> str:
    url = reverse(f"loyalink_khalti_report_{name}")
    return f"{url}?{'&'.join(f'{key}={value}' for key, value in asked.items())}"


def words(browser: Client, name: str, **asked: Any) -> str:
    """What stands on a report, without its tags."""
    body = browser.get(address(name, **asked)).content.decode()
    main = body[body.index('id="listing-results"') :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def sheet(browser: Client, name: str, **asked: Any) -> list[dict[str, str]]:
    response = browser.get(address(name, export="csv", **asked))
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined, arg-type]
    return list(csv.DictReader(StringIO(text)))


def adjust(points: int, *, key: str, reason: str = "goodwill", member: str = "7", **more: Any) -> None:
    ledger.adjust(site_key="default", member_id=member, points=points, key=key, reason=reason, **more)


def earn(points: int, purchase: str) -> None:
    """So many points for a purchase, by the rules a shop begins with."""
    line = Line(sku="pen", title="Pen", quantity=1, unit=Paisa(points * 1000), total=Paisa(points * 1000))
    bought = Bought(lines=(line,), shipping=Paisa(0), discount=Paisa(0), worth=Paisa(0), at=timezone.now())
    ledger.award(site_key="default", member_id="7", purchase=purchase, bought=bought, version_id=None)


def payment(ref: str, *, site: str = "default", environment: str = "live", **fields: Any) -> Payment:
    key, _made = Credentials.objects.get_or_create(
        site_key=site, environment=environment, defaults={"base_url": "https://khalti.com/", "fingerprint": "c0ffee"}
    )
    purchase = Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key=site, language="en", method="khalti", cart={}, total=100_000,
        payable=100_000,
    )  # fmt: skip
    fields = {"state": "fulfilled", "captured": 100_000, "fee": 3000, "paid_at": timezone.now(), **fields}
    return Payment.objects.create(
        purchase=purchase, credentials=key, environment=environment, amount=100_000, **fields
    )  # fmt: skip


@pytest.fixture
def story(site: Any) -> None:
    """Something for every report to tell."""
    with time_machine.travel(NOW - timedelta(days=40), tick=False):  # 16 January
        earn(400, "shop:1")
        ledger.hold(site_key="default", member_id="7", purchase="shop:2", points=Points(100))
        ledger.capture(purchase="shop:2", value=Paisa(1000))
    adjust(50, key="1", actor="1", note="They rang us.")
    paid = payment("order-1")
    Refund.objects.create(
        purchase=paid.purchase, payment=paid, key="r", state="done", goods=20_000, shipping=0, cash=20_000,
        done_at=timezone.now(),
    )  # fmt: skip
    mismatched = payment("order-2", state="mismatched", paid_at=None)
    Flag.objects.create(payment=mismatched, reason=Reason.AMOUNT_MISMATCH, raised_at=NOW - timedelta(days=3))


# Who reads them


@pytest.mark.parametrize(
    ("permission", "seen"), [("view_entry", POINTS), ("view_payment", MONEY), ("export_account", ())]
)
def test_each_report_is_for_whoever_may_see_what_is_in_it(
    browser: Client, allow: Callable[..., None], story: None, permission: str, seen: tuple[str, ...]
) -> None:
    allow(permission)

    answers = {name: browser.get(address(name)).status_code for name in REPORTS}
    results = {name: browser.get(reverse(f"loyalink_khalti_report_{name}_results")).status_code for name in REPORTS}
    menu = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert answers == results == {name: 200 if name in seen else 403 for name in REPORTS}
    assert [name for name in REPORTS if f"/reports/{name}/" in menu] == [name for name in REPORTS if name in seen]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("name", REPORTS)
def test_who_may_not_export_is_offered_no_download_and_refused_one(
    browser: Client, allow: Callable[..., None], story: None, name: str, kind: str
) -> None:
    allow("view_entry", "view_payment")
    page = browser.get(address(name)).content.decode()
    refused = browser.get(address(name, export=kind))
    allow("export_account", "export_payment")

    assert "export=" not in page
    assert refused.status_code == 403
    assert f"export={kind}" in browser.get(address(name)).content.decode()
    assert browser.get(address(name, export=kind)).status_code == 200


def test_a_stranger_is_sent_to_the_login(client: Client, site: Any) -> None:
    assert {client.get(address(name)).status_code for name in REPORTS} == {302}


# What they show


def test_points_by_month_show_where_they_lie_and_what_they_are_worth(
    browser: Client, reader: None, story: None
) -> None:
    page = words(browser, "movement")

    assert "From 1 March 2025 to 25 February 2026" in page
    assert "Outstanding 350 points at the end" in page
    assert "Liability Rs 35.00" in page
    assert "February 2026 300 0 0 50 0 0 0 0 350 Rs 35.00 Rs 35.00" in page
    assert "January 2026 0 400 0 0 −100 0 0 0 300 Rs 30.00 Rs 30.00 25.0 % 0.0 %" in page
    assert "Total 0 400 0 50 −100 0 0 0 350 Rs 35.00 Rs 35.00 25.0 % 0.0 %" in page


def test_the_expected_breakage_is_taken_off_the_liability(browser: Client, reader: None, story: None) -> None:
    page = words(browser, "movement", breakage=20)

    assert "Net liability Rs 28.00 with 20 % breakage expected" in page


def test_a_breakage_that_is_no_share_is_not_believed(browser: Client, reader: None, story: None) -> None:
    assert "Net liability Rs 35.00" in words(browser, "movement", breakage=101)


def test_any_days_may_be_chosen_and_say_so(browser: Client, reader: None, story: None) -> None:
    page = words(browser, "movement", days_from="2026-01-16", days_to="2026-02-10")

    assert "From 16 January 2026 to 10 February 2026" in page
    assert "16–31 January 2026 0 400" in page
    assert "1–10 February 2026 300 0 0 0 0 0 0 0 300" in page


@pytest.mark.parametrize("since", ["0001-01-01", "nonsense", "9999-12-31", "2026-03-01"])
@pytest.mark.parametrize("name", ["movement", "settlement", "adjustments"])
def test_days_that_nobody_means_break_nothing(
    browser: Client, reader: None, story: None, name: str, since: str
) -> None:
    assert browser.get(address(name, days_from=since, days_to="9999-12-31")).status_code == 200


def test_expiring_points_show_their_months(browser: Client, reader: None, story: None) -> None:
    page = words(browser, "ageing")

    assert "January 2027 300 300 0 1 Rs 30.00" in page
    assert "Total 350 350 0 2 Rs 35.00" in page


def test_settlement_shows_what_came_what_is_kept_and_what_went_back(
    browser: Client, reader: None, story: None
) -> None:
    page = words(browser, "settlement")

    assert "25 February 2026 1 Rs 1,000.00 Rs 30.00 1 Rs 200.00 Rs 770.00" in page
    assert "Total 1 Rs 1,000.00 Rs 30.00 1 Rs 200.00 Rs 770.00" in page
    assert "1 payment (Rs 1,000.00) is not in here, whatever the days: it waits for a decision." in page


def test_money_that_may_go_back_is_in_the_sums_and_is_said_to_wait(browser: Client, reader: None, site: Any) -> None:
    payment("order-1")
    payment("order-2", state="mismatched", captured=50_000)
    one = words(browser, "settlement")
    payment("order-3", state="paid", captured=20_000)
    payment("order-4", state="mismatched", paid_at=NOW - timedelta(days=60))

    page = words(browser, "settlement")
    body = browser.get(address("settlement")).content.decode()

    waits = "1 payment (Rs 500.00) is counted here and waits for a decision: the money may go back."
    assert waits in one
    assert "2 payments (Rs 700.00) are counted here and wait for a decision: the money may go back." in page
    assert "Taken Rs 1,700.00 3 payments" in page
    assert f'<a href="{reverse("loyalink_khalti_report_attention")}">Waiting for a decision</a>' in body


def test_where_all_is_decided_nothing_is_said_of_decisions(browser: Client, reader: None, site: Any) -> None:
    payment("order-1")

    assert "decision" not in words(browser, "settlement")


def test_a_fee_that_khalti_has_not_named_is_said_to_be_unknown(browser: Client, reader: None, site: Any) -> None:
    payment("order-1", fee=None)

    assert "Rs 0.00 not known of 1 payment" in words(browser, "settlement")


def test_money_of_the_test_server_is_not_mixed_with_money(browser: Client, reader: None, story: None) -> None:
    payment("order-9", environment="test", captured=55_500)

    live, test = words(browser, "settlement"), words(browser, "settlement", environment="test")

    assert "Rs 555.00" not in live
    assert "Rs 555.00" in test
    assert "no money has moved" in test


def test_adjustments_name_who_for_whom_and_why(browser: Client, reader: None, editor: User, site: Any) -> None:
    sita = User.objects.create(username="sita", email="sita@example.com")
    adjust(50, key="1", member=str(sita.pk))
    adjust(-20, key="2", member=str(sita.pk), actor=str(editor.pk), note=f"{SCRIPT} twice", reason="mistake")

    page = words(browser, "adjustments")
    body = browser.get(address("adjustments")).content.decode()

    assert "sita@example.com −20 mistake maya@example.com &lt;script&gt;alert(1)&lt;/script&gt; twice" in page
    assert "Sums by reason" in page
    assert "mistake 1 0 −20 −20" in page
    assert SCRIPT not in body


def test_reasons_are_said_in_words_and_found_by_them(browser: Client, reader: None, site: Any) -> None:
    adjust(50, key="1", actor="1", reason="opening balance")
    adjust(30, key="2", actor="1", reason="goodwill")
    adjust(20, key="3", actor="1", reason="dashain gift")

    page = words(browser, "adjustments")
    body = browser.get(address("adjustments")).content.decode()
    found = words(browser, "adjustments", reason="dashain gift")

    assert "opening balance" not in page
    assert "Opening balance 1 50 0 50" in page
    assert "Added 20" in found
    assert re.findall(r'<option value="([^"]*)"[^>]*>\s*([^<]*?)\s*</option>', body)[1:] == [
        ("goodwill", "Goodwill"), ("correction", "Correction"), ("complaint", "Complaint"),
        ("opening balance", "Opening balance"), ("other", "Something else"), ("dashain gift", "dashain gift"),
    ]  # fmt: skip
    assert [row["Reason"] for row in sheet(browser, "adjustments")] == ["dashain gift", "Goodwill", "Opening balance"]


def test_a_reason_is_said_in_the_language_of_whoever_reads(browser: Client, reader: None, site: Any) -> None:
    adjust(50, key="1", actor="1", reason="opening balance")

    with override("ne"):
        label = str(AdjustReason.OPENING.label)
    body = browser.get(address("adjustments"), headers={"accept-language": "ne"}).content.decode()

    assert label != "Opening balance"
    assert f"{label}" in body[body.index('id="listing-results"') :]


def test_sites_have_the_names_that_editors_gave_them(browser: Client, reader: None, site: Site) -> None:
    Site.objects.create(hostname="kids.example", root_page=site.root_page, site_name="Saraswati for children")
    for key in ("kids.example", "gone.example"):
        programmes.change(key, Rules())
        ledger.adjust(site_key=key, member_id="7", points=30, key="1", reason="goodwill", actor="1")
        Flag.objects.create(payment=payment(f"order-{key}", site=key), reason=Reason.LATE)

    pages = {name: browser.get(address(name)).content.decode() for name in REPORTS}

    for page in pages.values():
        labels = [word.strip() for word in re.findall(r'name="site"[^>]*>([^<]*)<', page)]
        assert {"Saraswati for children", "gone.example"} <= set(labels)
        assert "kids.example" not in labels
    for name in ("adjustments", "attention"):
        assert {row["Site"] for row in sheet(browser, name)} == {"Saraswati for children", "gone.example"}


def test_what_needs_somebody_says_what_happened_and_what_may_be_decided(
    browser: Client, reader: None, story: None
) -> None:
    page = words(browser, "attention")

    assert (
        "order-2-1 Rs 1,000.00 Khalti took another amount than was asked for."
        " take the money as it came, give the money back 22 Feb 2026, 11:45 3"
    ) in page


def test_where_nothing_is_yet_each_report_says_what_will_be_here(browser: Client, reader: None, site: Any) -> None:
    said = {name: str(report.empty) for name, report in REPORTS.items()}

    assert len(set(said.values())) == len(REPORTS)
    for name, empty in said.items():
        page = words(browser, name)
        assert empty in page
        assert "svg" not in page


def test_each_site_can_be_read_alone_where_there_are_several(browser: Client, reader: None, story: None) -> None:
    alone = browser.get(address("movement")).content.decode()
    programmes.change("branch", Rules(redeem_points=Points(1), redeem_value=Paisa(100)))
    ledger.adjust(site_key="branch", member_id="7", points=30, key="1", reason="opening", actor="1")
    payment("order-b", site="branch", captured=44_400)

    told = {name: words(browser, name, site="branch") for name in REPORTS}

    assert 'name="site"' not in alone
    assert "Outstanding 30 " in told["movement"]
    assert "Liability Rs 30.00" in told["movement"]
    assert "Outstanding 380 " in words(browser, "movement")
    assert "Total 30 30 0 1 Rs 30.00" in told["ageing"]
    assert "Total 1 Rs 444.00" in told["settlement"]
    assert "Added 30" in told["adjustments"]
    assert "order-2" not in told["attention"]


# What leaves as a spreadsheet


def test_a_sheet_has_the_figures_of_the_page_as_numbers(browser: Client, reader: None, story: None) -> None:
    february, january, _total = sheet(browser, "movement", breakage=20)
    day, _total = sheet(browser, "settlement")

    assert (january["First day"], january["Earned"], january["Redeemed"]) == ("2026-01-01", "400", "-100")
    assert (february["Closing"], february["Liability (Rs)"], february["Net of breakage (Rs)"]) == (
        "350", "35.00", "28.00",
    )  # fmt: skip
    assert january["Redeemed, of earned (%)"] == "25.0"
    assert (day["Day"], day["Taken (Rs)"], day["Left for the shop (Rs)"]) == ("2026-02-25", "1000.00", "770.00")


def test_a_workbook_has_them_too(browser: Client, reader: None, story: None) -> None:
    response = browser.get(address("settlement", export="xlsx"))
    book = load_workbook(BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined, arg-type]

    heading, row, whole = book.active.iter_rows(values_only=True)  # type: ignore[union-attr]
    assert heading[2] == "Taken (Rs)"
    assert (row[0].isoformat()[:10], row[1], row[2]) == ("2026-02-25", 1, 1000)
    assert whole[:3] == ("Total", 1, 1000)


def test_the_last_row_of_a_sheet_is_the_total_of_the_page(browser: Client, reader: None, story: None) -> None:
    payment("order-3", paid_at=NOW - timedelta(days=1), fee=None)

    *_months, moved = sheet(browser, "movement", breakage=20)
    *days, settled = sheet(browser, "settlement")
    *_lots, expiring = sheet(browser, "ageing")

    assert (moved["Month"], moved["First day"], moved["Last day"]) == ("Total", "", "")
    points = ("Opening", "Earned", "Redeemed", "Adjusted", "Closing")
    assert [moved[name] for name in points] == ["0", "400", "-100", "50", "350"]
    assert (moved["Liability (Rs)"], moved["Net of breakage (Rs)"]) == ("35.00", "28.00")
    assert moved["Redeemed, of earned (%)"] == "25.0"
    assert list(settled.values()) == ["Total", "2", "2000.00", "30.00", "1", "200.00", "1770.00", "1"]
    assert sum(float(day["Taken (Rs)"]) for day in days) == 2000
    assert (expiring["Expires in"], expiring["Points"]) == ("Total", "350")


def test_a_sheet_of_nothing_has_no_total(browser: Client, reader: None, site: Any) -> None:
    assert {name: sheet(browser, name) for name in REPORTS} == {name: [] for name in REPORTS}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("settlement", {"days_from": "nonsense"}, "Days: Enter a valid date."),
        ("adjustments", {"reason": "whim"}, "Reason: Select a valid choice."),
        ("attention", {"reason": "whim"}, "Reason: Select a valid choice."),
        ("movement", {"breakage": 101}, "Expected breakage, per cent: Ensure this value is less than"),
    ],
)
def test_a_question_that_cannot_be_read_is_not_answered_with_all_there_is(
    browser: Client, reader: None, story: None, name: str, asked: dict[str, Any], said: str, kind: str
) -> None:
    response = browser.get(address(name, export=kind, **asked))

    assert response.status_code == 400
    assert f"Nothing was exported: {said}" in response.content.decode()
    assert response["Content-Type"].startswith("text/html")


def test_no_cell_is_taken_for_a_formula(browser: Client, reader: None, site: Any) -> None:
    adjust(5, key="1", reason=EVIL, actor="1", note="+1 @SUM(1)")

    (row,) = sheet(browser, "adjustments")
    response = browser.get(address("adjustments", export="xlsx"))
    book = load_workbook(BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined, arg-type]

    assert (row["Reason"], row["Note"]) == (f"'{EVIL}", "'+1 @SUM(1)")
    assert {cell.data_type for line in book.active.iter_rows() for cell in line} <= {"s", "n", "d"}  # type: ignore[union-attr]


def test_a_sheet_holds_all_rows_not_a_page_of_them(browser: Client, reader: None, site: Any) -> None:
    for number in range(60):
        adjust(1, key=f"{number}", actor="1")
        Flag.objects.create(payment=payment(f"order-{number}"), reason=Reason.LATE)

    assert (len(sheet(browser, "adjustments")), len(sheet(browser, "attention"))) == (60, 60)


# What they draw


@pytest.mark.parametrize("name", REPORTS)
def test_each_report_is_drawn_without_script_style_or_colour(
    browser: Client, reader: None, story: None, name: str
) -> None:
    body = browser.get(address(name)).content.decode()
    (svg,) = [found for found in re.findall(r"<svg.*?</svg>", body, re.DOTALL) if "<pattern" in found]

    assert 'role="img"' in svg
    assert re.search(r'aria-label="[^"]+"', svg)
    assert re.search(r"<title>[^<]+</title>", svg)
    assert not re.search(r"<script|<style|style=|\bon\w+=|#[0-9a-fA-F]{3,8}\b|rgb|http(?!://www\.w3\.org/)", svg)
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) <= {
        "currentColor", "none", *(f"url(#{found})" for found in re.findall(r'<pattern id="([^"]+)"', svg)),
    }  # fmt: skip


def test_kinds_of_bars_are_told_apart_by_their_hatching_and_each_says_its_figure() -> None:
    svg = chart("c", "T", ["a", "b"], [Bars(name="in", values=[12_345, 0]), Bars(name="out", values=[7, 9])], grouped)

    patterns = re.findall(r'<pattern id="(c-\d)".*?<path d="([^"]+)"', svg)
    assert [name for name, _path in patterns] == ["c-0", "c-1"]
    assert len({path for _name, path in patterns}) == 2
    assert svg.count('fill="url(#c-0)"') == svg.count('fill="url(#c-1)"') == 3  # two bars and the legend
    assert [figure for figure in ("12,345", "7", "9", "in", "out") if f">{figure}<" not in svg] == []


def test_what_stands_in_a_chart_is_a_text_whatever_it_says() -> None:
    svg = chart("c", SCRIPT, [SCRIPT], [Bars(name=SCRIPT, values=[1]), Bars(name="x", values=[2])], grouped)

    assert "<script" not in svg
    assert svg.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4  # its name twice, the label, the legend


def test_a_chart_of_nothing_is_no_chart() -> None:
    assert chart("c", "T", ["a"], [Bars(name="in", values=[0])], grouped) == ""


# What they cost


def test_no_report_asks_more_of_the_database_where_there_is_more(browser: Client, reader: None, story: None) -> None:
    def statements(**asked: Any) -> dict[str, int]:
        counted = {}
        for name in REPORTS:
            with CaptureQueriesContext(connection) as captured:
                response = browser.get(address(name, **asked))
                b"".join(response.streaming_content) if asked else response.content  # type: ignore[attr-defined]
            counted[name] = sum("loyalink" in query["sql"] for query in captured)
        return counted

    few = statements(), statements(export="csv")
    for number in range(30):
        adjust(5, key=f"more {number}", member=str(number), actor=str(number), note="x")
        paid = payment(f"more-{number}", paid_at=NOW - timedelta(days=number % 20))
        Refund.objects.create(
            purchase=paid.purchase, payment=paid, key=f"{number}", state="done", goods=1, shipping=0, cash=1,
            done_at=NOW,
        )  # fmt: skip
        Flag.objects.create(payment=payment(f"flag-{number}", state="paid"), reason=Reason.LATE)

    assert (statements(), statements(export="csv")) == few
    assert max(few[0].values()) <= 6


# The first page of the admin


def test_the_first_page_sums_up_members_points_and_what_is_owed_for_them(
    browser: Client, allow: Callable[..., None], story: None
) -> None:
    allow("view_entry", "view_account")

    with CaptureQueriesContext(connection) as captured:
        body = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert "1 member with points" in body
    assert f'<a href="{address("ageing")[:-1]}">350 points outstanding</a>' in body
    assert f'<a href="{address("movement")[:-1]}">Rs 35.00 owed for points</a>' in body
    assert sum("loyalink" in query["sql"] for query in captured) == 2


@pytest.mark.parametrize(
    ("permission", "shown"),
    [("view_account", ["with points"]), ("view_entry", ["outstanding", "owed for points"]), ("view_payment", [])],
)
def test_each_sum_is_for_whoever_may_see_where_it_comes_from(
    browser: Client, allow: Callable[..., None], story: None, permission: str, shown: list[str]
) -> None:
    allow(permission)

    body = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert [word for word in ("with points", "outstanding", "owed for points") if word in body] == shown
