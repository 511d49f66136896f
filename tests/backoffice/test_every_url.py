"""Every URL of the back office: who may open it or post to it, and that none of them shows the secret key."""

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.khalti import Secret
from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.statements import Statement, StatementDifference, StatementRow
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.backoffice.payments.conftest import (
    account,
    begin,
    fake_shop,
    flagged,
    khalti,
    member,
    no_call_in_a_transaction,
    shop,
    urls,
    waiting,
)
from tests.backoffice.staff import Desk

__all__ = [
    "account", "begin", "fake_shop", "flagged", "khalti", "member", "no_call_in_a_transaction", "shop", "urls",
    "waiting",
]  # fmt: skip

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "live_secret_key_0000000000004000800000000ca4a41e5"

STAFF = {"editor", "accountant", "admin"}
EDITORS = {"editor", "admin"}
ACCOUNTANTS = {"accountant", "admin"}
ADMIN = {"admin"}

ALLOWED: dict[str, set[str]] = {
    "loyalink_khalti_test_key": EDITORS,
    "loyalink_khalti_switch": EDITORS,
    "loyalink_khalti_refund_approval": STAFF,
    "loyalink_khalti_payment_evidence": STAFF,
    "loyalink_khalti_rules_example": EDITORS,
    "loyalink_khalti_payments": STAFF,
    "loyalink_khalti_payments_results": STAFF,
    "loyalink_khalti_payment": STAFF,
    "loyalink_khalti_payment_refresh": STAFF,
    "loyalink_khalti_payment_mail": STAFF,
    "loyalink_khalti_mail_preview": EDITORS,
    "loyalink_khalti_payment_refund": STAFF,
    "loyalink_khalti_payment_record_refund": STAFF,
    "loyalink_khalti_refund_reverse": STAFF,
    "loyalink_khalti_flag_resolve": STAFF,
    "loyalink_khalti_members": STAFF,
    "loyalink_khalti_members_results": STAFF,
    "loyalink_khalti_points_upload": STAFF,
    "loyalink_khalti_member": STAFF,
    "loyalink_khalti_member_adjust": STAFF,
    "loyalink_khalti_member_block": EDITORS,
    "loyalink_khalti_member_merge": EDITORS,
    "loyalink_khalti_member_export": STAFF,
    "loyalink_khalti_member_erase": ADMIN,
    "loyalink_khalti_member_check_now": STAFF,
    "loyalink_khalti_statements": STAFF,
    "loyalink_khalti_statements_results": STAFF,
    "loyalink_khalti_statement": STAFF,
    "loyalink_khalti_statement_upload": ACCOUNTANTS,
    "loyalink_khalti_statement_map": ACCOUNTANTS,
    "loyalink_khalti_statement_days": STAFF,
    "loyalink_khalti_differences": STAFF,
    "loyalink_khalti_differences_results": STAFF,
    "loyalink_khalti_difference": STAFF,
    "loyalink_khalti_counter": STAFF,
    "loyalink_khalti_counter_sales": STAFF,
    "loyalink_khalti_counter_sales_results": STAFF,
    "loyalink_khalti_counter_sale": STAFF,
    "loyalink_khalti_counter_refund": STAFF,
    "loyalink_khalti_campaigns": EDITORS,
    "loyalink_khalti_campaigns_results": EDITORS,
    "loyalink_khalti_campaign_add": EDITORS,
    "loyalink_khalti_campaign_example": EDITORS,
    "loyalink_khalti_campaign_edit": EDITORS,
    "loyalink_khalti_campaign_end": EDITORS,
    "loyalink_khalti_campaign_delete": EDITORS,
    "loyalink_khalti_release": STAFF,
    "loyalink_khalti_missing_order": STAFF,
    "loyalink_khalti_order": STAFF,
    "loyalink_khalti_order_refund": STAFF,
    "loyalink_khalti_order_apply_refunds": STAFF,
    "loyalink_khalti_order_cancel": STAFF,
    "loyalink_khalti_order_received": STAFF,
    "loyalink_khalti_order_mail": STAFF,
    "loyalink_khalti_order_note": STAFF,
    "loyalink_khalti_payment_note": STAFF,
    "loyalink_khalti_orders_save_filter": STAFF,
    "loyalink_khalti_orders_delete_filter": STAFF,
    "loyalink_khalti_invoices": ACCOUNTANTS,
    "loyalink_khalti_invoices_results": ACCOUNTANTS,
    "loyalink_khalti_invoice": ACCOUNTANTS,
    "loyalink_khalti_invoice_print": ACCOUNTANTS,
    "loyalink_khalti_invoice_printed": ACCOUNTANTS,
    "loyalink_khalti_invoice_pdf": ACCOUNTANTS,
    "loyalink_khalti_order_invoice": ACCOUNTANTS,
    "loyalink_khalti_packing_slip": STAFF,
    "loyalink_khalti_packing_slip_pdf": STAFF,
    "loyalink_khalti_unmatched": STAFF,
    "loyalink_khalti_report_unmatched": STAFF,
    "loyalink_khalti_report_unmatched_results": STAFF,
    "loyalink_khalti_report_uncollected": STAFF,
    "loyalink_khalti_report_uncollected_results": STAFF,
    "loyalink_khalti_report_unpaid": STAFF,
    "loyalink_khalti_report_unpaid_results": STAFF,
    "loyalink_khalti_report_review": STAFF,
    "loyalink_khalti_report_review_results": STAFF,
    "loyalink_khalti_report_takings": STAFF,
    "loyalink_khalti_report_takings_results": STAFF,
    "loyalink_khalti_daily_close": STAFF,
    "loyalink_khalti_report_settlement": STAFF,
    "loyalink_khalti_report_settlement_results": STAFF,
    "loyalink_khalti_report_movement": STAFF,
    "loyalink_khalti_report_movement_results": STAFF,
    "loyalink_khalti_report_ageing": STAFF,
    "loyalink_khalti_report_ageing_results": STAFF,
    "loyalink_khalti_report_adjustments": STAFF,
    "loyalink_khalti_report_adjustments_results": STAFF,
}
"""The roles that may open a URL and post to it: the default groups and a superuser."""
POSTED = dict.fromkeys(
    ("loyalink_khalti_statement", "loyalink_khalti_statement_days", "loyalink_khalti_difference"), ACCOUNTANTS
)
"""The roles that may post, where that needs another permission than to look."""
LISTS = [name for name in ALLOWED if f"{name}_results" in ALLOWED]
WITHOUT_EXPORT = {"loyalink_khalti_campaigns"}


def url_names(resolver: URLResolver) -> Iterator[str]:
    """Yield the names of the package's URLs."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            name = str(pattern.name or "")
            if name.startswith("loyalink_khalti") and not name.startswith("loyalink_khalti_page"):  # its own table
                yield str(pattern.name)
        else:
            yield from url_names(pattern)


@pytest.fixture
def url_args(flagged: Payment, waiting: Payment, urls: None, settings: Any) -> dict[str, tuple[Any, ...]]:
    """The arguments of the URLs: a flagged payment, a member with reserved points, a planned campaign."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "FERNET_KEYS": [Fernet.generate_key().decode()]}
    conf.save_secret_key("default", conf.TEST, Secret(CANARY))
    held = Hold.objects.get()
    campaign = Campaign.objects.create(
        name="Dashain", starts_at="2090-10-01T00:00Z", ends_at="2090-10-16T00:00Z", multiplier=2
    )
    site = Site.objects.get(is_default_site=True).pk
    ids: dict[str, tuple[Any, ...]] = {
        "loyalink_khalti_test_key": (site,),
        "loyalink_khalti_switch": (site,),
        "loyalink_khalti_refund_approval": (refund_request(flagged),),
        "loyalink_khalti_rules_example": (site,),
        "loyalink_khalti_mail_preview": (site, "order_refunded"),
        "loyalink_khalti_flag_resolve": (Flag.objects.get().pk,),
        "loyalink_khalti_release": (waiting.purchase_id,),
        "loyalink_khalti_missing_order": (waiting.purchase_id,),
        "loyalink_khalti_unmatched": (UnmatchedPayment.objects.create(pidx="p" * 22, site_key="default").pk,),
        "loyalink_khalti_refund_reverse": (flagged.pk, 1),
        **dict.fromkeys(("loyalink_khalti_counter_sale", "loyalink_khalti_counter_refund"), (counter_sale(),)),
        "loyalink_khalti_orders_delete_filter": (1,),
        **{
            f"loyalink_khalti_{name}": (1, *more)
            for name, *more in (
                ("invoice",),
                ("invoice_print",),
                ("invoice_printed", 0),
                ("invoice_pdf", 0),
            )
        },
        **dict.fromkeys(("loyalink_khalti_packing_slip", "loyalink_khalti_packing_slip_pdf"), (flagged.purchase_id,)),
        **dict.fromkeys(("loyalink_khalti_statement", "loyalink_khalti_statement_map"), (statement().pk,)),
        "loyalink_khalti_difference": (difference().pk,),
        "loyalink_khalti_member_check_now": (held.account_id, held.pk),
    }
    for name in ALLOWED:
        if name.startswith("loyalink_khalti_payment") and "payments" not in name:
            ids.setdefault(name, (flagged.pk,))
        elif name.startswith("loyalink_khalti_order") and "orders" not in name:
            ids.setdefault(name, (flagged.purchase_id,))
        elif name.startswith("loyalink_khalti_member") and "members" not in name:
            ids.setdefault(name, (held.account_id,))
        elif name.startswith("loyalink_khalti_campaign_") and not name.endswith(("_add", "_example")):
            ids.setdefault(name, (campaign.pk,))
    return ids


def refund_request(payment: Payment) -> int:
    """Return the pk of a refund that awaits a colleague's approval."""
    return flow.request_payment_refund(payment, key="r", actor="1").pk


def statement() -> Statement:
    """Return a matched statement; without rows."""
    day = "2026-12-01"
    fields = {"name": "bank.csv", "actor": "1", "first_day": day, "last_day": day, "matched_at": f"{day}T00:00Z"}
    return Statement.objects.get_or_create(site_key="default", digest="0" * 64, defaults=fields)[0]


def difference() -> StatementDifference:
    """Return an open difference of it."""
    row = StatementRow.objects.create(
        statement=statement(), site_key="default", identity="1", number=2, kind="payment", amount=1, day="2026-12-01"
    )
    return StatementDifference.objects.create(
        statement=row.statement, site_key="default", key="k", kind="missing_here", day=row.day, row=row
    )


def counter_sale() -> int:
    """Return the pk of a sale at the counter."""
    return int(
        CounterSale.objects.create(
            site_key="default", key="c", bill_number="1", bill_day="2026-12-01", amount=100_000, rules_version=1,
            actor="1", phone="9841234567",
        ).pk
    )  # fmt: skip


@pytest.fixture
def browsers(urls: None) -> dict[str, Client]:
    """A browser for each role."""
    customer = staff.staff_user("ram")
    customer.is_staff = False
    customer.save()
    customer.user_permissions.clear()
    users = {
        "customer": customer,
        "other": staff.staff_user("other"),
        "editor": staff.editor(),
        "accountant": staff.accountant(),
        "admin": staff.staff_user("hari", is_superuser=True),
    }
    return {"anonymous": Client(), **{name: Desk(user).client for name, user in users.items()}}


def test_every_url_is_in_the_table(urls: None) -> None:
    assert set(url_names(get_resolver())) == set(ALLOWED)


def access(client: Client, url: str, *, post: bool) -> str:
    """Return "allowed", "forbidden" (403) or "login"; anything else fails."""
    answer = client.post(url) if post else client.get(url)
    if answer.status_code == 302 and answer["Location"].startswith("/admin/login/"):
        return "login"
    assert answer.status_code in {200, 302, 403, 404, 405}, (url, answer.status_code)  # 404: deleted by another role
    assert answer.status_code != 302 or answer["Location"] != "/admin/", (url, answer["Location"])
    return "forbidden" if answer.status_code == 403 else "allowed"


@pytest.mark.parametrize("post", [False, True], ids=["open", "post"])
def test_only_the_allowed_roles_open_a_url(
    url_args: dict[str, tuple[Any, ...]], browsers: dict[str, Client], post: bool
) -> None:
    """K05"""
    wrong = []
    for name, roles in ALLOWED.items():
        roles = POSTED.get(name, roles) if post else roles
        url = reverse(name, args=url_args.get(name, ()))
        for role, client in browsers.items():
            outside = role in {"anonymous", "customer"}
            expected = "login" if outside else "allowed" if role in roles else "forbidden"
            actual = access(client, url, post=post)
            if actual != expected:
                wrong.append((role, name, actual, expected))

    assert not wrong


@pytest.mark.parametrize("name", [name for name in LISTS if name not in WITHOUT_EXPORT])
def test_lists_are_exported_with_the_permission_only(
    url_args: dict[str, tuple[Any, ...]], browsers: dict[str, Client], name: str
) -> None:
    """P4"""
    permitted = ("view_payment", "view_account", "view_entry", "use_counter", "view_invoice")
    viewer = Desk(staff.staff_user("viewer", *permitted)).client
    url = reverse(name)

    assert viewer.get(url).status_code == 200
    for kind in ("csv", "xlsx"):
        assert viewer.get(url, {"export": kind}).status_code == 403
        for role in ALLOWED[name]:
            assert browsers[role].get(url, {"export": kind}).status_code == 200
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.export").count() == 2 * len(
        ALLOWED[name]
    )  # P4: who exported what


def contents(answer: Any) -> str:
    """Return the text of a response, a spreadsheet unpacked."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            body = b"".join(archive.read(name) for name in archive.namelist())
    return str(body.decode("utf-8", "replace"))


def test_no_page_export_or_dump_has_the_key_in_clear(
    url_args: dict[str, tuple[Any, ...]], browsers: dict[str, Client]
) -> None:
    admin, site = browsers["admin"], Site.objects.get(is_default_site=True).pk
    pages = [reverse(name, args=url_args.get(name, ())) for name in ALLOWED]
    pages += [f"{reverse(name)}?export={kind}" for name in LISTS for kind in ("csv", "xlsx")]
    pages += [reverse("wagtailsettings:edit", args=("loyalink_khalti", name, site)) for name in ("khaltisettings",)]
    pages += ["/admin/", reverse("wagtailadmin_reports:site_history")]
    dump = io.StringIO()

    texts = {page: contents(admin.get(page)) for page in pages}
    call_command("dumpdata", natural_foreign=True, exclude=["catalogue"], stdout=dump)

    assert [page for page, text in texts.items() if CANARY in text or CANARY[:24] in text] == []
    assert "live_…41e5" in texts[pages[-3]]
    assert CANARY not in dump.getvalue()


def test_no_table_has_the_key_in_clear(
    url_args: dict[str, tuple[Any, ...]], waiting: Payment, begin: Callable[..., Payment], shop: FakeShop
) -> None:
    """The database and its copies do not hold the key: not in rows, sessions, logs or messages."""
    flow.verify_payment(begin("N-2001"), ignore_back_off=True)  # initiated with this key

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = [table for table in tables if CANARY.encode() in rows_of(cursor, table)]

    assert Account.objects.exists()
    assert found == []


def rows_of(cursor: Any, table: str) -> bytes:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    cells = (cell for row in cursor.fetchall() for cell in row)
    return b" ".join(bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in cells)
