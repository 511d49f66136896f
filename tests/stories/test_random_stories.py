"""Whatever customers, staff, Khalti and the machines do, in any order: Khalti and the store agree."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from oscar.core.loading import get_model

from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.simulator import State
from sandbox.shop.accounts import CUSTOMERS
from tests.stories.browser_session import BrowserSession, Page
from tests.stories.comparison import PAID_AT_KHALTI, disagreements
from tests.stories.running_store import Store
from tests.stories.story_events import CHOICES, FAULTS, FORGED, OPEN, STATES, WRONG_ANSWERS

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

SERVER = {"workers": 1, "threads": 4}
MEMBERS = tuple(customer.email for customer in CUSTOMERS)
PRODUCTS = ("Lokta paper journal", "Dashain cards", "Red gift envelopes", "Natural lokta sheets")
"""Of the last there is one in stock."""
PLENTY = 10_000
COMPARED_EVERY = 5  # steps


@dataclass
class Attempt:
    """A payment page at Khalti, and the browser that was sent there."""

    pidx: str
    url: str
    return_url: str
    browser: BrowserSession


class Story(RuleBasedStateMachine):
    """Everything at once; what is not possible is refused in words, never with an error page."""

    store: ClassVar[Store]
    members: ClassVar[dict[str, BrowserSession]]
    staff: ClassVar[BrowserSession]

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []
        self.log: list[str] = []
        self.failed = False

    def teardown(self) -> None:
        """Expire every open link; then no customer is at Khalti any more, and Khalti and the store agree."""
        if not self.failed:
            self.compare()
        for payment in self.store.khalti.payments():
            if payment.state in OPEN:
                self.store.khalti.expire(payment.pidx)
        self.compare() if not self.failed else self.reconcile_later()

    @rule(
        choice=st.integers(0, len(CHOICES) - 1),
        number=st.integers(0, 60),
        share=st.just(100) | st.integers(1, 100),
    )
    def step(self, choice: int, number: int, share: int) -> None:
        """One event, for an attempt for which it is possible. (Mixed, so that small numbers make a story, too.)"""
        event, attempt = CHOICES[(choice + 7 * len(self.log)) % len(CHOICES)], None
        if event in STATES:
            fit = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state in STATES[event]]
            event, fit = (event, fit) if fit else self._alternative()
            attempt = fit[-1 - number % len(fit)] if fit else None
        self.log.append(f"{event}({number=}, {share=}, pidx={attempt.pidx if attempt else None})")
        try:
            result = getattr(self, event)(number=number, share=share, attempt=attempt)
            self.log[-1] += f" → {result}" if result else ""
            if len(self.log) % COMPARED_EVERY == 0:
                self.compare()
        except BaseException as exc:
            self.failed = True
            exc.add_note("\n".join(["The story:", *self.log]))
            raise

    def _alternative(self) -> tuple[str, list[Attempt]]:
        fit = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state is State.INITIATED]
        return ("pay", fit) if fit else ("buy", [])

    def reconcile_later(self) -> None:
        """Khalti works again, ten minutes pass, the reconciler runs once."""
        self.store.khalti.clear_faults()
        self.store.let_time_pass()
        self.store.reconcile_here()

    def compare(self) -> None:
        self.reconcile_later()
        assert disagreements(self.store) == []

    # Customers

    def buy(self, number: int, share: int, **_: Any) -> str:
        """A member, or sometimes a guest, buys one product, if the shop allows it."""
        member = ([*MEMBERS, ""])[number % 4]
        browser = self.members.get(member) or self.store.browser()
        method = ("khalti", "khalti", "khalti", "cod", "bank_transfer")[number % 5]
        title = PRODUCTS[number // 4 % 4]
        if not self._pick(browser, title, 1 if title == PRODUCTS[-1] else 1 + number % 2):
            return "sold out"
        email = "" if member else f"guest{len(self.log)}@example.com"
        page = browser.check_out(email=email, delivery=("", "express")[number % 3 == 0])
        points = None
        if page.soup.find(attrs={"name": "points"}):  # not shown without points
            points = str(self.store.points(member) * share // 200) if number % 2 else ""
        chosen = browser.choose(page, method, points=points)
        if "/preview" not in chosen.url:  # that number of points does not fit
            chosen = browser.choose(page, method, points="")
        return self._place(browser, chosen)

    def _pick(self, browser: BrowserSession, title: str, quantity: int) -> bool:
        try:
            self._seen(browser.add(title, quantity))
        except LookupError:  # no form: it is sold out
            return False
        return True

    def _place(self, browser: BrowserSession, preview: Page) -> str:
        placed = self._seen(browser.place_order(preview))
        pidx = next((one.pidx for one in self.store.khalti.payments() if one.pidx in placed.url), None)
        if pidx is None:
            return placed.url
        if all(one.pidx != pidx for one in self.attempts):
            return_url = self.store.khalti.payment(pidx).return_url
            self.attempts.append(Attempt(pidx=pidx, url=placed.url, return_url=return_url, browser=browser))
        return pidx

    def pay(self, attempt: Attempt, **_: Any) -> str:
        return self._seen(attempt.browser.pay(attempt.url)).url

    def pay_and_close_the_tab(self, attempt: Attempt, **_: Any) -> None:
        attempt.browser.pay(attempt.url, follow=False)

    def cancel(self, attempt: Attempt, number: int, **_: Any) -> None:
        attempt.browser.pay(attempt.url, action="cancel", follow=bool(number % 3))

    def return_to_shop(self, attempt: Attempt, number: int, **_: Any) -> str:
        """The customer, or another browser, with any query."""
        browser = attempt.browser if number % 3 else self.store.browser()
        return self._seen(browser.open(attempt.return_url + FORGED[number % len(FORGED)])).url

    def cancel_in_shop(self, attempt: Attempt, **_: Any) -> str:
        page = self._seen(attempt.browser.open("/shop/basket/"))
        link = page.soup.find("a", href=lambda href: href and "/khalti/cancel/" in href)
        if link is not None:
            page = self._seen(attempt.browser.open(link["href"]))
        button = page.soup.find("form", action=lambda action: action and "/khalti/cancel/" in action)
        if button is None:
            return "nothing pending"
        token = button.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
        answer = attempt.browser.session.post(
            self.store.url + button["action"],
            {"csrfmiddlewaretoken": token},
            headers={"Referer": page.url},
            timeout=60,
        )
        assert answer.status_code < 500, answer.text[:500]
        return answer.url

    # Khalti

    def khalti_expires_it(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.expire(attempt.pidx)

    def khalti_fails_it(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.fail(attempt.pidx)

    def khalti_leaves_it_pending(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.pend(attempt.pidx)

    def khalti_completes_it_late(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.complete(attempt.pidx)

    def khalti_refunds(self, attempt: Attempt, **_: Any) -> None:
        """In Khalti's own dashboard."""
        self.store.khalti.refund(attempt.pidx)

    def add_fault(self, number: int, **_: Any) -> str:
        """For the next call of any kind."""
        if number % 4 == 3:
            fault: dict[str, Any] = {"kind": WRONG_ANSWERS[number // 4 % len(WRONG_ANSWERS)], "where": "lookup"}
        else:
            where = ("initiate", "lookup", "refund", "all")[number // 4 % 4]
            fault = {**FAULTS[number % len(FAULTS)], "where": where}
        self.store.khalti.fault(**fault)
        return str(fault)

    # Staff and machines

    def staff_refund(self, number: int, share: int, **_: Any) -> str:
        """Refund all that is left of an order, or a share; an unpaid order is cancelled completely."""
        placed = Purchase.objects.filter(state=PurchaseState.PLACED).order_by("-pk")
        if not placed:
            return "no order"
        purchase = placed[number % len(placed)]
        page = self._seen(self.staff.open(f"/shop/dashboard/orders/{purchase.number}/"))
        if page.soup.find("button", value="cancel"):
            return self._post(page, refund="cancel")
        if not page.soup.find("input", attrs={"name": "seen_refund"}):
            return "nothing can be refunded now"
        left = refunds.refundable(purchase)
        typed = {"amount": str(rupees(left.subtotal * share // 100))}
        if left.shipping and number % 2:
            typed["delivery"] = str(rupees(left.shipping))
        preview = self._seen(self.staff.submit(page, "seen_refund", refund="preview", **typed))
        if "Refund?" not in preview.visible_text:
            return "refused"
        result = self._seen(self.staff.submit(preview, "key", refund="confirm"))
        return " ".join(" ".join(tag.get_text(" ").split()) for tag in result.soup.find_all(class_="alert"))

    def staff_receive(self, number: int, **_: Any) -> str:
        """Cash has arrived for an order that was placed unpaid."""
        unpaid = Purchase.objects.filter(
            state=PurchaseState.PLACED, method__in=["cod", "bank_transfer"], received_at=None
        ).order_by("-pk")
        if not unpaid:
            return "no order"
        purchase = unpaid[number % len(unpaid)]
        page = self._seen(self.staff.open(f"/shop/dashboard/orders/{purchase.number}/"))
        if purchase.received_part or purchase.surplus or number % 3:  # all that is left, or a part
            result = self.staff.submit(page, "received-amount", received="record")
        else:
            part = {"received-amount": str(rupees(Paisa(purchase.amount_due // 2 or 1)))}
            result = self.staff.submit(page, "received-amount", received="record", **part)
        return " ".join(
            " ".join(tag.get_text(" ").split()) for tag in self._seen(result).soup.find_all(class_="alert")
        )

    def _post(self, page: Page, **fields: str) -> str:
        token = page.soup.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
        form = {"csrfmiddlewaretoken": token, **fields}
        answer = self.staff.session.post(page.url, form, headers={"Referer": page.url}, timeout=60)
        assert answer.status_code < 500, answer.text[:500]
        return answer.url

    def run_reconciler(self, **_: Any) -> None:
        """With whatever fault is set."""
        self.store.let_time_pass()
        self.store.reconcile_here()

    def kill_server(self, number: int, **_: Any) -> str:
        """Now, or while it looks up a payment whose customer has just returned."""
        waiting = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state in PAID_AT_KHALTI | OPEN]
        if waiting and number % 2:
            self._kill_during_a_return(waiting[-1])
        else:
            self.store.kill()
        self.store.start(workers=1, threads=4)
        return "during a return" if waiting and number % 2 else ""

    def _kill_during_a_return(self, attempt: Attempt) -> None:
        """A settled payment is not looked up: then the page has simply been served."""
        self.store.let_time_pass()
        lookups = self.store.khalti.count("lookup", attempt.pidx)
        self.store.khalti.fault("hang", where="lookup", pidx=attempt.pidx, seconds=3600)
        with ThreadPoolExecutor(1) as browser:
            visit = browser.submit(self._open_ignoring_errors, attempt.return_url)
            while not visit.done() and not self.store.khalti.wait_for(
                "lookup", attempt.pidx, times=lookups + 1, timeout=0.1
            ):
                pass
            self.store.kill()
        self.store.khalti.clear_faults()

    def _open_ignoring_errors(self, url: str) -> None:
        try:
            self.store.browser().open(url)
        except requests.RequestException:
            return

    @staticmethod
    def _seen(page: Page) -> Page:
        assert page.status < 500, page.text[:2000]
        return page


@pytest.fixture
def play(store: Store) -> Callable[[int, int], None]:
    """Play so many stories of so many steps, always the same ones, in one store that gets older and older."""
    common = get_model("partner", "StockRecord").objects.exclude(product__title__startswith=PRODUCTS[-1])
    common.update(num_in_stock=PLENTY)
    Story.store, Story.staff = store, store.browser("admin@example.com")
    Story.members = {email: store.browser(email) for email in MEMBERS}

    def play(examples: int, steps: int) -> None:
        chosen = settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking a failing story would take an hour
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Story, settings=chosen)

    return play


@pytest.mark.timeout(400)
def test_whatever_happens_in_any_order_khalti_and_the_store_agree(
    play: Callable[[int, int], None],
) -> None:
    play(4, 20)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_after_forty_long_stories_khalti_and_the_store_agree(
    play: Callable[[int, int], None],
) -> None:
    play(40, 40)
