"""Every address of the desk, and who may open it or send something to it; and the shop's key is in none of them."""

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
from wagtail.models import Site

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.khalti import Secret
from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.backoffice.payments.conftest import (
    Desk,
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

__all__ = [
    "account", "begin", "fake_shop", "flagged", "khalti", "member", "no_call_in_a_transaction", "shop", "urls",
    "waiting",
]  # fmt: skip

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "live_secret_key_0000000000004000800000000ca4a41e5"

STAFF = {"editor", "accountant", "admin"}
EDITORS = {"editor", "admin"}
ADMIN = {"admin"}
NOBODY: set[str] = set()

MAY_OPEN: dict[str, set[str]] = {
    "loyalink_khalti_test_key": EDITORS,
    "loyalink_khalti_rules_example": EDITORS,
    "loyalink_khalti_payments": STAFF,
    "loyalink_khalti_payments_results": STAFF,
    "loyalink_khalti_payment": STAFF,
    "loyalink_khalti_payment_ask": STAFF,
    "loyalink_khalti_payment_refund": STAFF,
    "loyalink_khalti_flag": STAFF,
    "loyalink_khalti_members": STAFF,
    "loyalink_khalti_members_results": STAFF,
    "loyalink_khalti_member": STAFF,
    "loyalink_khalti_member_adjust": STAFF,
    "loyalink_khalti_member_freeze": EDITORS,
    "loyalink_khalti_member_merge": EDITORS,
    "loyalink_khalti_member_export": STAFF,
    "loyalink_khalti_member_erase": ADMIN,
    "loyalink_khalti_member_ask": STAFF,
    "loyalink_khalti_campaigns": EDITORS,
    "loyalink_khalti_campaigns_results": EDITORS,
    "loyalink_khalti_campaign_add": EDITORS,
    "loyalink_khalti_campaign_example": EDITORS,
    "loyalink_khalti_campaign_edit": EDITORS,
    "loyalink_khalti_campaign_end": EDITORS,
    "loyalink_khalti_campaign_delete": EDITORS,
    "loyalink_khalti_report_attention": STAFF,
    "loyalink_khalti_report_attention_results": STAFF,
    "loyalink_khalti_report_settlement": STAFF,
    "loyalink_khalti_report_settlement_results": STAFF,
    "loyalink_khalti_report_movement": STAFF,
    "loyalink_khalti_report_movement_results": STAFF,
    "loyalink_khalti_report_ageing": STAFF,
    "loyalink_khalti_report_ageing_results": STAFF,
    "loyalink_khalti_report_adjustments": STAFF,
    "loyalink_khalti_report_adjustments_results": STAFF,
}
"""Who may send something there may open it, too; of the groups that a migration makes, and a superuser."""
LISTS = [name for name in MAY_OPEN if f"{name}_results" in MAY_OPEN]
WITHOUT_EXPORT = {"loyalink_khalti_campaigns"}


def ours(resolver: URLResolver) -> Iterator[str]:
    """The names of all addresses below Wagtail's admin that are ours."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            if (pattern.name or "").startswith("loyalink_khalti"):
                yield str(pattern.name)
        else:
            yield from ours(pattern)


@pytest.fixture
def things(flagged: Payment, waiting: Payment, urls: None, settings: Any) -> dict[str, tuple[Any, ...]]:
    """What the addresses are about: a payment with a flag, a member with points on hold, a campaign to come."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "FERNET_KEYS": [Fernet.generate_key().decode()]}
    conf.save_key("default", conf.TEST, Secret(CANARY))
    held = Hold.objects.get()
    campaign = Campaign.objects.create(
        name="Dashain", starts_at="2090-10-01T00:00Z", ends_at="2090-10-16T00:00Z", multiplier=2
    )
    site = Site.objects.get(is_default_site=True).pk
    ids: dict[str, tuple[Any, ...]] = {
        "loyalink_khalti_test_key": (site,),
        "loyalink_khalti_rules_example": (site,),
        "loyalink_khalti_flag": (Flag.objects.get().pk,),
        "loyalink_khalti_member_ask": (held.account_id, held.pk),
    }
    for name in MAY_OPEN:
        if name.startswith("loyalink_khalti_payment") and "payments" not in name:
            ids.setdefault(name, (flagged.pk,))
        elif name.startswith("loyalink_khalti_member") and "members" not in name:
            ids.setdefault(name, (held.account_id,))
        elif name.startswith("loyalink_khalti_campaign_") and not name.endswith(("_add", "_example")):
            ids.setdefault(name, (campaign.pk,))
    return ids


@pytest.fixture
def desks(urls: None) -> dict[str, Client]:
    """A browser for each of those who may come along."""
    customer = staff.worker("ram")
    customer.is_staff = False
    customer.save()
    customer.user_permissions.clear()
    people = {
        "customer": customer,
        "painter": staff.worker("painter"),
        "editor": staff.editor(),
        "accountant": staff.accountant(),
        "admin": staff.worker("hari", is_superuser=True),
    }
    return {"anonymous": Client(), **{name: Desk(user).client for name, user in people.items()}}


def test_every_address_of_the_desk_is_in_the_table(urls: None) -> None:
    assert set(ours(get_resolver())) == set(MAY_OPEN)


def let_in(client: Client, url: str, *, post: bool) -> str:
    """ "in", "refused" (a 403), or "log in"; anything else fails."""
    answer = client.post(url) if post else client.get(url)
    if answer.status_code == 302 and answer["Location"].startswith("/admin/login/"):
        return "log in"
    assert answer.status_code in {200, 302, 403, 404, 405}, (url, answer.status_code)  # 404: another has deleted it
    assert answer.status_code != 302 or answer["Location"] != "/admin/", (url, answer["Location"])
    return "refused" if answer.status_code == 403 else "in"


@pytest.mark.parametrize("post", [False, True], ids=["open", "send"])
def test_who_may_is_let_in_and_who_may_not_is_refused(
    things: dict[str, tuple[Any, ...]], desks: dict[str, Client], post: bool
) -> None:
    """K05"""
    wrong = []
    for name, may in MAY_OPEN.items():
        url = reverse(name, args=things.get(name, ()))
        for who, client in desks.items():
            outside = who in {"anonymous", "customer"}
            expected = "log in" if outside else "in" if who in may else "refused"
            told = let_in(client, url, post=post)
            if told != expected:
                wrong.append((who, name, told, expected))

    assert not wrong


@pytest.mark.parametrize("name", [name for name in LISTS if name not in WITHOUT_EXPORT])
def test_a_list_leaves_as_a_file_for_whoever_may_export(
    things: dict[str, tuple[Any, ...]], desks: dict[str, Client], name: str
) -> None:
    looker = Desk(staff.worker("looker", "view_payment", "view_account", "view_entry")).client
    url = reverse(name)

    assert looker.get(url).status_code == 200
    for kind in ("csv", "xlsx"):
        assert looker.get(url, {"export": kind}).status_code == 403
        for who in ("editor", "accountant", "admin"):
            assert desks[who].get(url, {"export": kind}).status_code == 200


def contents(answer: Any) -> str:
    """All that an answer says, a spreadsheet unpacked."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            body = b"".join(archive.read(name) for name in archive.namelist())
    return str(body.decode("utf-8", "replace"))


def test_no_page_no_file_and_no_dump_has_the_key_in_clear(
    things: dict[str, tuple[Any, ...]], desks: dict[str, Client]
) -> None:
    admin, site = desks["admin"], Site.objects.get(is_default_site=True).pk
    pages = [reverse(name, args=things.get(name, ())) for name in MAY_OPEN]
    pages += [f"{reverse(name)}?export={kind}" for name in LISTS for kind in ("csv", "xlsx")]
    pages += [reverse("wagtailsettings:edit", args=("loyalink_khalti", name, site)) for name in ("khaltisettings",)]
    pages += ["/admin/", reverse("wagtailadmin_reports:site_history")]
    dump = io.StringIO()

    said = {page: contents(admin.get(page)) for page in pages}
    call_command("dumpdata", natural_foreign=True, exclude=["catalogue"], stdout=dump)

    assert [page for page, text in said.items() if CANARY in text or CANARY[:24] in text] == []
    assert "live_…41e5" in said[pages[-3]]
    assert CANARY not in dump.getvalue()


def test_no_table_has_the_key_in_clear(
    things: dict[str, tuple[Any, ...]], waiting: Payment, begin: Callable[..., Payment], shop: FakeShop
) -> None:
    """Whoever reads the database, or a copy of it, does not read the key: not in rows, sessions, logs or messages."""
    flow.finish(begin("N-2001"), insist=True)  # opened with this very key

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = [table for table in tables if CANARY.encode() in rows_of(cursor, table)]

    assert Account.objects.exists()
    assert found == []


def rows_of(cursor: Any, table: str) -> bytes:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    cells = (cell for row in cursor.fetchall() for cell in row)
    return b" ".join(bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in cells)
