"""What tests of purchases share: a fake shop, Khalti as a test scripts it, a member with points."""

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import requests
import responses
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import connection, connections
from requests import PreparedRequest
from wagtail.models import Site

from loyalink_khalti.backoffice.models import ShopDetails
from loyalink_khalti.flow import MailKind
from loyalink_khalti.khalti import close_connections
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop, fake_shop, khalti_simulator

__all__ = [
    "Khalti",
    "account",
    "at_once",
    "fake_shop",
    "flags",
    "khalti",
    "khalti_simulator",
    "member",
    "no_call_in_a_transaction",
    "no_mails_to_customers",
    "points",
    "shop",
    "simulator",
    "states_of",
]

SERVER = "https://dev.khalti.com/api/v2/"
KEY = "test_secret_key_00000000000040008000000000c0ffee"
REFUND = re.compile(re.escape(SERVER.removesuffix("v2/")) + r"merchant-transaction/[^/]+/refund/")
STAFF = (1, 2, 3, 4, 1000)
T = TypeVar("T")
Reply = tuple[int, dict[str, str], str]


def create_staff() -> None:
    """Create four members of staff, whom tests name as actors ``"1"`` to ``"4"``; other users get far greater pks."""
    users = get_user_model().objects
    if users.exists():
        return
    rows = [User(pk=pk, username=f"staff{pk}", email=f"staff{pk}@shop.example", is_staff=True) for pk in STAFF]
    users.bulk_create(rows)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [User]):
            cursor.execute(statement)
    users.filter(pk=STAFF[-1])._raw_delete("default")  # new: no row names it


@pytest.fixture
def no_mails_to_customers(shop: FakeShop) -> None:
    """Switch off every mail to customers, so that what is left is for staff."""
    site = Site.objects.get(is_default_site=True)
    ShopDetails.objects.create(site=site, mails_off=[kind.value for kind in MailKind])


@pytest.fixture
def shop(fake_shop: FakeShop, settings: Any) -> FakeShop:
    """The fake shop, on the web, with staff and with a key for Khalti's test server."""
    create_staff()
    settings.ROOT_URLCONF = "tests.flow.urls"
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "SITE_URL": "https://shop.example",
        "KHALTI_SECRET_KEY": KEY,
        "KHALTI_BASE_URL": SERVER,
        "DEADLINE": 10,
        "MAX_CONCURRENT_CALLS": 50,
        "LOOKUPS_PER_SECOND": 1000,
        "LIVE_PAYMENTS_PER_EMAIL": 1000,
        "ALERTS_TO": (),
    }
    return fake_shop


@pytest.fixture
def member(shop: FakeShop) -> str:
    """A member of the shop, by the user's pk, with 1,000 points."""
    ledger.adjust(site_key="default", member_id="7", points=1000, key="opening balance", reason="opening")
    return "7"


@pytest.fixture
def account(member: str) -> Account:
    return Account.objects.get(member_id=member)


class Khalti:
    """Khalti's server as ``responses`` plays it: every payment is Initiated until a test says otherwise.

    A refund that it confirms is shown by lookup from then on.
    """

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.opened: list[dict[str, Any]] = []
        self.looked_up: list[str] = []
        self.next_initiate: list[Reply | Exception | dict[str, Any]] = []
        self.next_lookup: list[Reply | Exception | dict[str, Any]] = []
        self.refunded: list[tuple[str, dict[str, Any]]] = []
        self.next_refund: list[Reply | Exception | dict[str, Any]] = []
        self.while_refunding: Callable[[], object] = lambda: None
        self.while_initiating: Callable[[], object] = lambda: None
        self.while_looking_up: Callable[[], object] = lambda: None
        self._amounts: dict[str, int] = {}
        self._says: dict[str, dict[str, Any]] = {}
        self._refunds: dict[str, int] = {}
        self._serial = itertools.count(1)
        mock.add_callback(responses.POST, f"{SERVER}epayment/initiate/", self._initiate)
        mock.add_callback(responses.POST, f"{SERVER}epayment/lookup/", self._lookup)
        mock.add_callback(responses.POST, REFUND, self._refund)

    def says(self, pidx: str | None, status: str, /, **changes: Any) -> None:
        """Let lookup answer with this status from now on; ``changes`` are fields of the answer."""
        self._says[str(pidx)] = {"status": status, **changes}

    def pay(self, pidx: str | None, /, **changes: Any) -> None:
        """The customer has paid."""
        self.says(pidx, "Completed", **{"transaction_id": f"T-{pidx}", "fee": 30, **changes})

    def knows(self, pidx: str, amount: int) -> None:
        """A payment exists at Khalti that the shop's database does not have; ``amount`` in paisa."""
        self._amounts[pidx] = amount

    def answer(self, pidx: str, /, status: str = "Initiated", **changes: Any) -> dict[str, Any]:
        """Lookup's answer about a payment."""
        answer = {
            "pidx": pidx,
            "total_amount": self._amounts[pidx],
            "status": status,
            "transaction_id": None,
            "fee": 0,
        }
        return {**answer, "refunded": False, **changes}

    def refunded_of(self, pidx: str | None) -> int:
        """What went back of a payment, in paisa."""
        return self._refunds.get(str(pidx), 0)

    def _initiate(self, request: PreparedRequest) -> Reply:
        body = json.loads(request.body or "{}")
        self.opened.append(body)
        self.while_initiating()
        pidx = f"pidx{next(self._serial)}"
        self._amounts[pidx] = body["amount"]
        answer = {"pidx": pidx, "payment_url": f"https://test-pay.khalti.com/?pidx={pidx}", "expires_in": 1800}
        return self._reply(self.next_initiate, answer)

    def _lookup(self, request: PreparedRequest) -> Reply:
        pidx = json.loads(request.body or "{}")["pidx"]
        self.looked_up.append(pidx)
        if pidx not in self._amounts:
            return 404, {}, json.dumps({"detail": "Not found.", "error_key": "validation_error"})
        answer = self.answer(pidx, **self._says.get(pidx, {}))
        self.while_looking_up()
        return self._reply(self.next_lookup, answer, 400 if answer["status"] in {"Expired", "User canceled"} else 200)

    def _refund(self, request: PreparedRequest) -> Reply:
        transaction_id = str(request.url).split("/")[-3]
        self.refunded.append((transaction_id, json.loads(request.body or "{}")))
        self.while_refunding()
        reply = self._reply(self.next_refund, {"detail": "Transaction refund successful."})
        if reply[0] == 200 and "detail" in json.loads(reply[2] or "{}"):
            self.refund(transaction_id, self.refunded[-1][1].get("amount"))
        return reply

    def refund(self, transaction_id: str, amount: int | None = None) -> None:
        """The money goes back, ``amount`` of it in paisa or all: as our refund does, or Khalti's dashboard."""
        pidx = next(pidx for pidx, says in self._says.items() if says.get("transaction_id") == transaction_id)
        total = self.answer(pidx, **self._says[pidx])["total_amount"]
        refunded = total if amount is None else self._refunds.get(pidx, 0) + amount
        self._refunds[pidx] = refunded
        status = "Refunded" if refunded == total else "Partially Refunded"
        self._says[pidx] = {**self._says[pidx], "status": status, "refunded": True}

    def _reply(self, queue: list[Any], answer: dict[str, Any], status: int = 200) -> Reply:
        reply = queue.pop(0) if queue else {}
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, tuple):
            return reply
        return status, {}, json.dumps({**answer, **reply})


@pytest.fixture
def khalti(shop: FakeShop) -> Iterator[Khalti]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Khalti(mock)


@pytest.fixture
def simulator(shop: FakeShop, settings: Any, khalti_simulator: Simulator) -> Iterator[Simulator]:
    """Khalti in miniature for what needs real connections; the shop's calls go there."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": khalti_simulator.base_url}
    yield khalti_simulator
    close_connections()


@pytest.fixture(autouse=True)
def no_call_in_a_transaction(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is sent to Khalti while a transaction is open: its locks would be held for as long as Khalti takes."""
    send, sent = requests.Session.send, []

    def guarded(self: requests.Session, request: PreparedRequest, **kwargs: Any) -> requests.Response:
        if connection.in_atomic_block:
            sent.append(request.url)
        return send(self, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", guarded)
    yield
    assert not sent, f"sent with a transaction open: {sent}"


def at_once(number: int, work: Callable[[int], T]) -> list[T | Exception]:
    """Do ``work`` in so many threads that start together; what each gave or raised, in order."""
    together = threading.Barrier(number)

    def one(index: int) -> T | Exception:
        connection.ensure_connection()
        together.wait()
        try:
            return work(index)
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            return exc
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def flags() -> list[str]:
    """The reasons of all Flags, in order."""
    return list(Flag.objects.order_by("pk").values_list("reason", flat=True))


def states_of(payment: Payment) -> tuple[str, str]:
    """The states of a payment and of its purchase."""
    payment = Payment.objects.select_related("purchase").get(pk=payment.pk)
    return payment.state, payment.purchase.state


def points(account: Account) -> tuple[int, int, int]:
    """Available, held, redeemed in all."""
    account.refresh_from_db()
    return account.available, account.held, account.lifetime_redeemed
