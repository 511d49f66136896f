"""The reports in Wagtail's menu: permissions, figures, charts and exports."""

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

from loyalink_khalti import conf
from loyalink_khalti.backoffice.reports.charts import Series, bar_chart
from loyalink_khalti.backoffice.reports.registry import REPORTS
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import group_digits
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.ports import Line
from loyalink_khalti.staff.choices import AdjustReason

pytestmark = [pytest.mark.django_db, pytest.mark.sampled]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)
POINTS, MONEY = (
    ("movement", "ageing", "adjustments"),
    ("takings", "settlement", "review", "unpaid", "unmatched", "uncollected"),
)
EVIL = '=HYPERLINK("http://evil.example")'
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def allow(editor: User) -> Callable[..., None]:
    """Grant the editor more permissions."""

    def grant(*names: str) -> None:
        editor.groups.get().permissions.add(*Permission.objects.filter(codename__in=names))

    return grant


@pytest.fixture
def reader(allow: Callable[..., None]) -> None:
    """The editor may view and export all reports."""
    allow("view_entry", "view_payment", "export_account", "export_payment")


def report_url(name: str, **filters: Any) -> str:
    url = reverse(f"loyalink_khalti_report_{name}")
    return f"{url}?{'&'.join(f'{key}={value}' for key, value in filters.items())}"


def report_text(browser: Client, name: str, **filters: Any) -> str:
    """Return the text of a report."""
    body = browser.get(report_url(name, **filters)).content.decode()
    main = body[body.index('id="listing-results"') :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def export_rows(browser: Client, name: str, **filters: Any) -> list[dict[str, str]]:
    response = browser.get(report_url(name, export="csv", **filters))
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined, arg-type]
    return list(csv.DictReader(StringIO(text)))


def adjust(points: int, *, key: str, reason: str = "goodwill", member: str = "7", **more: Any) -> None:
    ledger.adjust(site_key="default", member_id=member, points=points, key=key, reason=reason, **more)


def earn(points: int, purchase: str) -> None:
    """Award points for a purchase, by the default rules."""
    line = Line(sku="pen", title="Pen", quantity=1, unit=Paisa(points * 1000), total=Paisa(points * 1000))
    order = OrderSnapshot(
        lines=(line,), shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=timezone.now()
    )
    ledger.award(site_key="default", member_id="7", purchase=purchase, order=order, version_id=None)


def payment(ref: str, *, site: str = "default", environment: str = "live", **fields: Any) -> Payment:
    key, _made = Credentials.objects.get_or_create(
        site_key=site, environment=environment, defaults={"base_url": "https://khalti.com/", "fingerprint": "c0ffee"}
    )
    purchase = Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key=site, language="en", method="khalti", cart={}, total=100_000,
        amount_due=100_000,
    )  # fmt: skip
    fields = {"state": "fulfilled", "captured": 100_000, "fee": 3000, "paid_at": timezone.now(), **fields}
    return Payment.objects.create(
        purchase=purchase, credentials=key, environment=environment, amount=100_000, **fields
    )  # fmt: skip


@pytest.fixture
def activity(site: Any) -> None:
    """Something for every report to show."""
    with time_machine.travel(NOW - timedelta(days=40), tick=False):  # 16 January
        earn(400, "shop:1")
        ledger.hold(site_key="default", member_id="7", purchase="shop:2", points=Points(100))
        ledger.capture(purchase="shop:2", value=Paisa(1000))
    adjust(50, key="1", actor="1", note="They called us.")
    paid = payment("order-1")
    Refund.objects.create(
        purchase=paid.purchase, payment=paid, key="r", state="done", subtotal=20_000, shipping=0, amount=20_000,
        done_at=timezone.now(),
    )  # fmt: skip
    mismatched = payment("order-2", state="mismatched", paid_at=None)
    Flag.objects.create(payment=mismatched, reason=FlagReason.AMOUNT_MISMATCH, raised_at=NOW - timedelta(days=3))


# Permissions


@pytest.mark.parametrize(
    ("permission", "seen"), [("view_entry", POINTS), ("view_payment", MONEY), ("export_account", ())]
)
def test_each_report_needs_its_permission(
    browser: Client, allow: Callable[..., None], activity: None, permission: str, seen: tuple[str, ...]
) -> None:
    allow(permission)

    answers = {name: browser.get(report_url(name)).status_code for name in REPORTS}
    results = {name: browser.get(reverse(f"loyalink_khalti_report_{name}_results")).status_code for name in REPORTS}
    menu = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert answers == results == {name: 200 if name in seen else 403 for name in REPORTS}
    assert [name for name in REPORTS if f"/reports/{name}/" in menu] == [name for name in REPORTS if name in seen]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("name", REPORTS)
def test_exports_need_their_permission(
    browser: Client, allow: Callable[..., None], activity: None, name: str, kind: str
) -> None:
    allow("view_entry", "view_payment")
    page = browser.get(report_url(name)).content.decode()
    refused = browser.get(report_url(name, export=kind))
    allow("export_account", "export_payment")

    assert "export=" not in page
    assert refused.status_code == 403
    assert f"export={kind}" in browser.get(report_url(name)).content.decode()
    assert browser.get(report_url(name, export=kind)).status_code == 200


def test_an_anonymous_user_is_redirected_to_the_login(client: Client, site: Any) -> None:
    assert {client.get(report_url(name)).status_code for name in REPORTS} == {302}


# Figures


def test_the_movement_report_shows_points_and_liability_by_month(
    browser: Client, reader: None, activity: None
) -> None:
    page = report_text(browser, "movement")

    assert "From 1 March 2025 to 25 February 2026" in page
    assert "Outstanding 350 points at the end" in page
    assert "Liability Rs 35.00" in page
    assert "February 2026 300 0 0 50 0 0 0 0 0 350 Rs 35.00 Rs 35.00" in page
    assert "January 2026 0 400 0 0 −100 0 0 0 0 300 Rs 30.00 Rs 30.00 25.0 % 0.0 %" in page
    assert "Total 0 400 0 50 −100 0 0 0 0 350 Rs 35.00 Rs 35.00 22.2 % 0.0 %" in page


def test_the_expected_breakage_is_deducted_from_the_liability(browser: Client, reader: None, activity: None) -> None:
    page = report_text(browser, "movement", breakage=20)

    assert "Net liability Rs 28.00 with 20 % expected breakage" in page


def test_an_invalid_breakage_is_ignored(browser: Client, reader: None, activity: None) -> None:
    assert "Net liability Rs 35.00" in report_text(browser, "movement", breakage=101)


def test_a_report_covers_the_chosen_days_and_says_so(browser: Client, reader: None, activity: None) -> None:
    page = report_text(browser, "movement", days_from="2026-01-16", days_to="2026-02-10")

    assert "From 16 January 2026 to 10 February 2026" in page
    assert "16–31 January 2026 0 400" in page
    assert "1–10 February 2026 300 0 0 0 0 0 0 0 0 300" in page


@pytest.mark.parametrize("since", ["0001-01-01", "nonsense", "9999-12-31", "2026-03-01"])
@pytest.mark.parametrize("name", ["movement", "settlement", "adjustments"])
def test_mistyped_days_are_accepted(browser: Client, reader: None, activity: None, name: str, since: str) -> None:
    assert browser.get(report_url(name, days_from=since, days_to="9999-12-31")).status_code == 200


def test_the_ageing_report_shows_the_months_of_expiry(browser: Client, reader: None, activity: None) -> None:
    page = report_text(browser, "ageing")

    assert "January 2027 300 300 0 1 Rs 30.00" in page
    assert "Total 350 350 0 2 Rs 35.00" in page


def test_the_settlement_report_shows_captured_fees_refunded_and_net(
    browser: Client, reader: None, activity: None
) -> None:
    page = report_text(browser, "settlement")

    assert "25 February 2026 1 Rs 1,000.00 Rs 30.00 1 Rs 200.00 Rs 770.00" in page
    assert "Total 1 Rs 1,000.00 Rs 30.00 1 Rs 200.00 Rs 770.00" in page
    assert "1 payment (Rs 1,000.00) is not included on any day because it needs review." in page


def test_money_that_may_be_refunded_is_included_with_a_warning(browser: Client, reader: None, site: Any) -> None:
    payment("order-1")
    payment("order-2", state="mismatched", captured=50_000)
    one = report_text(browser, "settlement")
    payment("order-3", state="paid", captured=20_000)
    payment("order-4", state="mismatched", paid_at=NOW - timedelta(days=60))

    page = report_text(browser, "settlement")
    body = browser.get(report_url("settlement")).content.decode()

    warning = "1 payment (Rs 500.00) is included but needs review: the money may have to be refunded."
    assert warning in one
    assert "2 payments (Rs 700.00) are included but need review: the money may have to be refunded." in page
    assert "Captured Rs 1,700.00 3 payments" in page
    assert f'<a href="{reverse("loyalink_khalti_report_review")}">Payments to review</a>' in body


def test_there_is_no_warning_without_payments_to_review(browser: Client, reader: None, site: Any) -> None:
    payment("order-1")

    assert "review" not in report_text(browser, "settlement")


def test_an_unknown_fee_is_mentioned(browser: Client, reader: None, site: Any) -> None:
    payment("order-1", fee=None)

    assert "Rs 0.00 unknown for 1 payment" in report_text(browser, "settlement")


def test_test_payments_are_not_mixed_with_live_ones(browser: Client, reader: None, activity: None) -> None:
    payment("order-9", environment="test", captured=55_500)

    live, test = report_text(browser, "settlement"), report_text(browser, "settlement", environment="test")

    assert "Rs 555.00" not in live
    assert "Rs 555.00" in test
    assert "no money has moved" in test


def test_the_adjustments_report_names_actor_member_and_reason(
    browser: Client, reader: None, editor: User, site: Any
) -> None:
    sita = User.objects.create(username="sita", email="sita@example.com")
    adjust(50, key="1", member=str(sita.pk))
    adjust(-20, key="2", member=str(sita.pk), actor=str(editor.pk), note=f"{SCRIPT} twice", reason="mistake")

    page = report_text(browser, "adjustments")
    body = browser.get(report_url("adjustments")).content.decode()

    assert "sita@example.com −20 mistake maya@example.com &lt;script&gt;alert(1)&lt;/script&gt; twice" in page
    assert "Totals by reason" in page
    assert "mistake 1 0 −20 −20" in page
    assert SCRIPT not in body


def test_reasons_have_labels_and_filter_by_code(browser: Client, reader: None, site: Any) -> None:
    adjust(50, key="1", actor="1", reason="opening balance")
    adjust(30, key="2", actor="1", reason="goodwill")
    adjust(20, key="3", actor="1", reason="dashain gift")

    page = report_text(browser, "adjustments")
    body = browser.get(report_url("adjustments")).content.decode()
    found = report_text(browser, "adjustments", reason="dashain gift")

    assert "opening balance" not in page
    assert "Opening balance 1 50 0 50" in page
    assert "Added 20" in found
    assert re.findall(r'<option value="([^"]*)"[^>]*>\s*([^<]*?)\s*</option>', body)[1:] == [
        ("goodwill", "Goodwill"), ("correction", "Correction"), ("complaint", "Complaint"),
        ("opening balance", "Opening balance"), ("other", "Other"), ("dashain gift", "dashain gift"),
    ]  # fmt: skip
    assert [row["Reason"] for row in export_rows(browser, "adjustments")] == [
        "dashain gift",
        "Goodwill",
        "Opening balance",
    ]


def test_a_reason_is_shown_in_the_readers_language(browser: Client, reader: None, site: Any) -> None:
    adjust(50, key="1", actor="1", reason="opening balance")

    with override("ne"):
        label = str(AdjustReason.OPENING.label)
    body = browser.get(report_url("adjustments"), headers={"accept-language": "ne"}).content.decode()

    assert label != "Opening balance"
    assert f"{label}" in body[body.index('id="listing-results"') :]


def test_sites_are_shown_by_name(browser: Client, reader: None, site: Site) -> None:
    names = {"kids.example": "Saraswati for children", "gone.example": ""}
    sites = [Site.objects.create(hostname=host, root_page=site.root_page, site_name=names[host]) for host in names]
    keys = [conf.site_key_of(each) for each in sites]
    sites[1].delete()
    for key in keys:
        ledger.set_rules(key, Rules())
        ledger.adjust(site_key=key, member_id="7", points=30, key="1", reason="goodwill", actor="1")
        Flag.objects.create(payment=payment(f"order-{key}", site=key), reason=FlagReason.LATE)

    pages = {name: browser.get(report_url(name)).content.decode() for name in REPORTS}

    for page in pages.values():
        labels = [word.strip() for word in re.findall(r'name="site"[^>]*>([^<]*)<', page)]
        assert {"Saraswati for children", "gone.example (deleted)"} <= set(labels)
        assert not set(keys).intersection(labels)
    for name in ("adjustments", "review"):
        assert {row["Site"] for row in export_rows(browser, name)} == {
            "Saraswati for children",
            "gone.example (deleted)",
        }


def test_the_review_report_shows_reason_and_options(browser: Client, reader: None, activity: None) -> None:
    page = report_text(browser, "review")

    assert (
        f"order-2-1 Rs 1,000.00 {REASONS[FlagReason.AMOUNT_MISMATCH]} Accept the amount · Refund 22 Feb 2026, 11:45 3"
    ) in page


def test_an_empty_report_explains_what_it_will_show(browser: Client, reader: None, site: Any) -> None:
    messages = {name: str(report.empty_message) for name, report in REPORTS.items()}

    assert len(set(messages.values())) == len(REPORTS)
    for name, message in messages.items():
        page = report_text(browser, name)
        assert message in page
        assert "svg" not in page


def test_reports_filter_by_site_if_there_are_several(browser: Client, reader: None, activity: None) -> None:
    alone = browser.get(report_url("movement")).content.decode()
    ledger.set_rules("branch", Rules(redeem_points=Points(1), redeem_value=Paisa(100)))
    ledger.adjust(site_key="branch", member_id="7", points=30, key="1", reason="opening", actor="1")
    payment("order-b", site="branch", captured=44_400)

    texts = {name: report_text(browser, name, site="branch") for name in REPORTS}

    assert 'name="site"' not in alone
    assert "Outstanding 30 " in texts["movement"]
    assert "Liability Rs 30.00" in texts["movement"]
    assert "Outstanding 380 " in report_text(browser, "movement")
    assert "Total 30 30 0 1 Rs 30.00" in texts["ageing"]
    assert "Total 1 Rs 444.00" in texts["settlement"]
    assert "Added 30" in texts["adjustments"]
    assert "order-2" not in texts["review"]


# Exports


def test_a_csv_has_the_figures_of_the_page_as_numbers(browser: Client, reader: None, activity: None) -> None:
    february, january, _total = export_rows(browser, "movement", breakage=20)
    day, _total = export_rows(browser, "settlement")

    assert (january["First day"], january["Earned"], january["Used"]) == ("2026-01-01", "400", "-100")
    assert (february["Closing"], february["Liability (Rs)"], february["Net of breakage (Rs)"]) == (
        "350", "35.00", "28.00",
    )  # fmt: skip
    assert january["Redemption rate (%)"] == "25.0"
    assert (day["Day"], day["Captured (Rs)"], day["Net (Rs)"]) == ("2026-02-25", "1000.00", "770.00")


def test_a_workbook_has_the_same_figures(browser: Client, reader: None, activity: None) -> None:
    response = browser.get(report_url("settlement", export="xlsx"))
    book = load_workbook(BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined, arg-type]

    heading, row, whole = book.active.iter_rows(values_only=True)  # type: ignore[union-attr]
    assert heading[2] == "Captured (Rs)"
    assert (row[0].isoformat()[:10], row[1], row[2]) == ("2026-02-25", 1, 1000)
    assert whole[:3] == ("Total", 1, 1000)


def test_the_last_row_of_an_export_is_the_total_of_the_page(browser: Client, reader: None, activity: None) -> None:
    payment("order-3", paid_at=NOW - timedelta(days=1), fee=None)

    *_months, moved = export_rows(browser, "movement", breakage=20)
    *days, settled = export_rows(browser, "settlement")
    *_lots, expiring = export_rows(browser, "ageing")

    assert (moved["Month"], moved["First day"], moved["Last day"]) == ("Total", "", "")
    points = ("Opening", "Earned", "Used", "Adjusted", "Closing")
    assert [moved[name] for name in points] == ["0", "400", "-100", "50", "350"]
    assert (moved["Liability (Rs)"], moved["Net of breakage (Rs)"]) == ("35.00", "28.00")
    assert moved["Redemption rate (%)"] == "22.2"
    assert list(settled.values()) == ["Total", "2", "2000.00", "30.00", "1", "200.00", "1770.00", "0.00", "0.00", "1"]
    assert sum(float(day["Captured (Rs)"]) for day in days) == 2000
    assert (expiring["Expires in"], expiring["Points"]) == ("Total", "350")


def test_an_empty_export_has_no_total(browser: Client, reader: None, site: Any) -> None:
    assert {name: export_rows(browser, name) for name in REPORTS} == {name: [] for name in REPORTS}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("name", "filters", "error"),
    [
        ("settlement", {"days_from": "nonsense"}, "Days: Enter a valid date."),
        ("adjustments", {"reason": "whim"}, "Reason: Select a valid choice."),
        ("review", {"reason": "whim"}, "Reason: Select a valid choice."),
        ("movement", {"breakage": 101}, "Expected breakage, percent: At most 100."),
    ],
)
def test_invalid_filters_refuse_the_export(
    browser: Client, reader: None, activity: None, name: str, filters: dict[str, Any], error: str, kind: str
) -> None:
    response = browser.get(report_url(name, export=kind, **filters))

    assert response.status_code == 400
    assert f"Nothing was exported: {error}" in response.content.decode()
    assert response["Content-Type"].startswith("text/html")


def test_no_cell_of_an_export_is_a_formula(browser: Client, reader: None, site: Any) -> None:
    adjust(5, key="1", reason=EVIL, actor="1", note="+1 @SUM(1)")

    (row,) = export_rows(browser, "adjustments")
    response = browser.get(report_url("adjustments", export="xlsx"))
    book = load_workbook(BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined, arg-type]

    assert (row["Reason"], row["Note"]) == (f"'{EVIL}", "'+1 @SUM(1)")
    assert {cell.data_type for line in book.active.iter_rows() for cell in line} <= {"s", "n", "d"}  # type: ignore[union-attr]


def test_an_export_has_the_rows_of_all_pages(browser: Client, reader: None, site: Any) -> None:
    for number in range(60):
        adjust(1, key=f"{number}", actor="1")
        Flag.objects.create(payment=payment(f"order-{number}"), reason=FlagReason.LATE)

    assert (len(export_rows(browser, "adjustments")), len(export_rows(browser, "review"))) == (60, 60)


# Charts


@pytest.mark.parametrize("name", sorted({*REPORTS} - {"unmatched", "uncollected"}))  # a few rows, without a chart
def test_each_chart_is_an_image_without_script_style_or_colour(
    browser: Client, reader: None, activity: None, name: str
) -> None:
    body = browser.get(report_url(name)).content.decode()
    (svg,) = [found for found in re.findall(r"<svg.*?</svg>", body, re.DOTALL) if "<pattern" in found]

    assert 'role="img"' in svg
    (labelled_by,) = re.findall(r'aria-labelledby="([^"]+)"', svg)
    for element, found in zip(("title", "desc"), labelled_by.split(), strict=True):
        assert re.search(rf'<{element} id="{found}">[^<]+</{element}>', svg)
    assert not re.search(r"<script|<style|style=|\bon\w+=|#[0-9a-fA-F]{3,8}\b|rgb|http(?!://www\.w3\.org/)", svg)
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) <= {
        "currentColor", "none", *(f"url(#{found})" for found in re.findall(r'<pattern id="([^"]+)"', svg)),
    }  # fmt: skip


def test_each_series_has_its_own_hatching_and_each_bar_its_figure() -> None:
    svg = bar_chart(
        "c", "T", ["a", "b"], [Series(name="in", values=[12_345, 0]), Series(name="out", values=[7, 9])], group_digits
    )

    patterns = re.findall(r'<pattern id="(c-\d)".*?<path d="([^"]+)"', svg)
    assert [name for name, _path in patterns] == ["c-0", "c-1"]
    assert len({path for _name, path in patterns}) == 2
    assert svg.count('fill="url(#c-0)"') == svg.count('fill="url(#c-1)"') == 3  # two bars and the legend
    assert [figure for figure in ("12,345", "7", "9", "in", "out") if f">{figure}<" not in svg] == []


def test_texts_in_a_chart_are_escaped() -> None:
    svg = bar_chart(
        "c", SCRIPT, [SCRIPT], [Series(name=SCRIPT, values=[1]), Series(name="x", values=[2])], group_digits
    )

    assert "<script" not in svg
    assert svg.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # the title, the label, the legend


def test_a_chart_without_values_is_empty() -> None:
    assert bar_chart("c", "T", ["a"], [Series(name="in", values=[0])], group_digits) == ""


# Statements


def test_a_report_takes_no_more_statements_with_more_rows(browser: Client, reader: None, activity: None) -> None:
    def statements(**filters: Any) -> dict[str, int]:
        counted = {}
        for name in REPORTS:
            with CaptureQueriesContext(connection) as captured:
                response = browser.get(report_url(name, **filters))
                b"".join(response.streaming_content) if filters else response.content  # type: ignore[attr-defined]
            counted[name] = sum("loyalink" in query["sql"] for query in captured)
        return counted

    few = statements(), statements(export="csv")
    for number in range(30):
        adjust(5, key=f"more {number}", member=str(number), actor=str(number), note="x")
        paid = payment(f"more-{number}", paid_at=NOW - timedelta(days=number % 20))
        Refund.objects.create(
            purchase=paid.purchase, payment=paid, key=f"{number}", state="done", subtotal=1, shipping=0, amount=1,
            done_at=NOW,
        )  # fmt: skip
        Flag.objects.create(payment=payment(f"flag-{number}", state="paid"), reason=FlagReason.LATE)

    assert (statements(), statements(export="csv")) == few
    assert max(few[0].values()) <= 11


# The dashboard


def test_the_dashboard_shows_members_points_and_liability(
    browser: Client, allow: Callable[..., None], activity: None
) -> None:
    allow("view_entry", "view_account")

    with CaptureQueriesContext(connection) as captured:
        body = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert "1 member with points" in body
    assert f'<a href="{report_url("ageing")[:-1]}">350 points outstanding</a>' in body
    assert f'<a href="{report_url("movement")[:-1]}">Rs 35.00 points liability</a>' in body
    # Two for the figures, one for the panel of changes to the key, one for whether Khalti is off.
    assert sum('"loyalink_khalti_' in query["sql"] for query in captured) == 4


@pytest.mark.parametrize(
    ("permission", "shown"),
    [("view_account", ["with points"]), ("view_entry", ["outstanding", "points liability"]), ("view_payment", [])],
)
def test_each_number_needs_the_permission_of_its_page(
    browser: Client, allow: Callable[..., None], activity: None, permission: str, shown: list[str]
) -> None:
    allow(permission)

    body = browser.get(reverse("wagtailadmin_home")).content.decode()

    assert [word for word in ("with points", "outstanding", "points liability") if word in body] == shown
