"""Pages that customers of the demo store see, each in a state that a purchase may be in, made by purchases."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs, urlsplit

from django.contrib.auth import get_user_model

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.staff.choices import BlockReason
from tests.stories.browser_session import BrowserSession
from tests.stories.running_store import Store

JOURNAL = "Lokta paper journal"
SITA, RAM, GITA = "sita@example.com", "ram@example.com", "gita@example.com"


@dataclass(frozen=True, slots=True)
class Scene:
    """A page, and the browser session that sees it."""

    name: str
    path: str
    cookies: dict[str, str] = field(default_factory=dict)


class Scenes:
    """Buys in the store, in one language, in every way that leads to a page of its own."""

    def __init__(self, store: Store, language: str) -> None:
        self.store = store
        self.language = language
        self._numbers = count(1)

    def all(self) -> Iterator[Scene]:
        """Yield every scene; what a later one does may change what an earlier page shows."""
        yield from self._before_an_order()
        yield from self._at_khalti()
        yield from self._after_khalti()
        yield from self._without_khalti()
        yield from self._guests()
        yield from self._account()
        yield from self._addresses_without_a_page()

    def _before_an_order(self) -> Iterator[Scene]:
        member = self._customer(SITA)
        yield self._scene("search", "/shop/search/?q=paper", member)
        yield self._scene("empty-basket", "/shop/basket/", self._customer())
        without_points = self._customer(GITA, basket=JOURNAL)
        without_points.check_out()
        yield self._scene("payment-without-points", "/shop/checkout/payment-method/", without_points)

    def _at_khalti(self) -> Iterator[Scene]:
        """Yield what a payment shows that is not known to be paid."""
        member, payment = self._begin(SITA, points="200")
        yield self._scene("bar", "/", member)
        yield self._status("status-open", member, payment)
        yield self._scene("start-again", f"/khalti/cancel/{payment.token}/", member)
        self.store.khalti.pend(payment.pidx)
        self._look_up(payment)
        yield self._status("status-confirming", member, payment)
        self.store.khalti.expire(payment.pidx)
        self._look_up(payment)
        yield self._status("status-expired", member, payment)
        for name, end in (("cancelled", self.store.khalti.cancel), ("failed", self.store.khalti.fail)):
            member, payment = self._begin(RAM)
            end(payment.pidx)
            self._look_up(payment)
            yield self._status(f"status-{name}", member, payment)

    def _after_khalti(self) -> Iterator[Scene]:
        member, payment = self._begin(GITA)
        self.store.khalti.fault("wrong_amount", where="lookup", pidx=payment.pidx, times=None)
        self._pay(member, payment)
        yield self._status("status-review", member, payment)
        yield self._scene("bar-review", "/", member)
        member, payment = self._begin(SITA, points="100")
        self._pay(member, payment)
        yield self._status("status-paid", member, payment)
        yield self._order("order-paid", member, payment.purchase)
        self._refund(payment.purchase, Paisa(50_000))
        yield self._status("status-partly-refunded", member, payment)
        yield self._order("order-partly-refunded", member, payment.purchase)
        self._refund(payment.purchase, None)
        yield self._status("status-refunded", member, payment)
        yield self._order("order-refunded", member, payment.purchase)

    def _without_khalti(self) -> Iterator[Scene]:
        for name, method in (("transfer", "bank_transfer"), ("cash", "cod")):
            member = self._customer(SITA, basket=JOURNAL)
            page = member.place_order(member.choose(member.check_out(), method), follow=True)
            assert "thank-you" in page.url, page.visible_text[:300]
            yield self._scene(f"thank-you-{name}", "/shop/checkout/thank-you/", member)
            yield self._order(f"order-{name}", member, Purchase.objects.latest("pk"))

    def _guests(self) -> Iterator[Scene]:
        guest = self._customer(basket=JOURNAL)
        page = guest.choose(guest.check_out(email=f"guest{next(self._numbers)}-{self.language}@example.com"), "khalti")
        payment = self._payment(guest.place_order(page).url)
        self._pay(guest, payment)
        yield self._scene("thank-you-guest", "/shop/checkout/thank-you/", guest)
        yield self._scene("find-order", "/shop/accounts/find-order/", self._customer())
        yield self._status("status-of-a-stranger", self._customer(), payment)
        if path := flow.claim_path(Purchase.objects.get(pk=payment.purchase_id)):
            yield self._scene("claim", path, self._customer(RAM))

    def _account(self) -> Iterator[Scene]:
        for name, email in (("member", SITA), ("without-points", GITA)):
            yield self._scene(f"points-{name}", "/shop/accounts/points/", self._customer(email))
        yield self._scene("points-bare", "/khalti/points/", self._customer(SITA))
        yield self._scene("leave", "/khalti/points/leave/", self._customer(SITA))
        yield self._scene("orders", "/shop/accounts/orders/", self._customer(SITA))
        yield self._scene("log-in", "/shop/accounts/login/", self._customer())
        self._block(RAM)
        yield self._scene("points-blocked", "/shop/accounts/points/", self._customer(RAM))

    def _addresses_without_a_page(self) -> Iterator[Scene]:
        yield self._scene("page-not-found", "/nowhere/", self._customer())
        yield self._scene("payment-not-found", "/khalti/status/nothing/", self._customer())
        yield self._scene("unmatched", f"/khalti/return/unknown/?pidx={'b' * 22}", self._customer())

    def _customer(self, email: str = "", *, basket: str = "") -> BrowserSession:
        customer = self.store.browser(email)
        if basket:
            customer.add(basket)
        customer.session.cookies.set("django_language", self.language)
        return customer

    def _begin(self, email: str, *, points: str | None = None) -> tuple[BrowserSession, Payment]:
        customer = self._customer(email, basket=JOURNAL)
        page = customer.choose(customer.check_out(), "khalti", points=points)
        return customer, self._payment(customer.place_order(page).url)

    @staticmethod
    def _payment(at_khalti: str) -> Payment:
        return Payment.objects.get(pidx=parse_qs(urlsplit(at_khalti).query)["pidx"][0])

    def _pay(self, customer: BrowserSession, payment: Payment) -> None:
        customer.pay(str(payment.payment_url))

    def _look_up(self, payment: Payment) -> None:
        self.store.let_time_pass()
        self.store.reconcile_here()

    def _refund(self, purchase: Purchase, amount: Paisa | None) -> None:
        with self.store.in_this_process():
            left = refunds.refundable(purchase)
            flow.refund_order(
                purchase,
                subtotal=left.subtotal if amount is None else amount,
                shipping=left.shipping if amount is None else Paisa(0),
                key=f"scene-{next(self._numbers)}-{purchase.pk}",
                actor=str(get_user_model().objects.get(username="editor").pk),
            )

    @staticmethod
    def _block(email: str) -> None:
        member = get_user_model().objects.get(email=email)
        account = Account.objects.get(member_id=str(member.pk))
        flow.set_blocked(account, blocked=True, actor=None, reason=BlockReason.choices[0][0])

    def _status(self, name: str, customer: BrowserSession, payment: Payment) -> Scene:
        return self._scene(name, f"/khalti/status/{payment.token}/", customer)

    def _order(self, name: str, customer: BrowserSession, purchase: Purchase) -> Scene:
        purchase.refresh_from_db()
        return self._scene(name, f"/shop/accounts/orders/{purchase.number}/", customer)

    @staticmethod
    def _scene(name: str, path: str, customer: BrowserSession) -> Scene:
        return Scene(name, path, customer.session.cookies.get_dict())
