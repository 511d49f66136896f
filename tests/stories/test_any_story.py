"""Whatever shoppers, staff, Khalti and the machines do, in whatever order: the store's books and Khalti's agree."""

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

from loyalink_khalti.money import rupees
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import State
from sandbox.shop.people import CUSTOMERS
from tests.stories.agreeing import PAID_THERE, disagreements
from tests.stories.happenings import CHOICES, FAULTS, FORGED, LIES, OPEN, STATES
from tests.stories.running import Store
from tests.stories.shopper import Page, Shopper

pytestmark = pytest.mark.money

MEMBERS = tuple(customer.email for customer in CUSTOMERS)
GOODS = ("Lokta paper journal", "Dashain cards", "Red gift envelopes", "Natural lokta sheets")
"""The last is one of a kind."""
PLENTY = 10_000
RECKONED_EVERY = 5  # steps


@dataclass
class Attempt:
    """A payment page at Khalti, and the browser that was sent there."""

    pidx: str
    url: str
    back: str
    browser: Shopper


class Story(RuleBasedStateMachine):
    """Everybody at once; what is not possible just now is told so in words, and never by an error page."""

    store: ClassVar[Store]
    members: ClassVar[dict[str, Shopper]]
    staff: ClassVar[Shopper]

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []
        self.diary: list[str] = []
        self.failed = False

    def teardown(self) -> None:
        """Every link that is still open runs out; then nobody is at Khalti any more, and all books agree."""
        if not self.failed:
            self.reckon()
        for payment in self.store.khalti.payments():
            if payment.state in OPEN:
                self.store.khalti.expire(payment.pidx)
        self.reckon() if not self.failed else self.reconcile_later()

    @rule(
        choice=st.integers(0, len(CHOICES) - 1),
        number=st.integers(0, 60),
        share=st.just(100) | st.integers(1, 100),
    )
    def step(self, choice: int, number: int, share: int) -> None:
        """One verb, of an attempt that it can happen to. (Stirred, so that the dullest numbers tell a story too.)"""
        verb, attempt = CHOICES[(choice + 7 * len(self.diary)) % len(CHOICES)], None
        if verb in STATES:
            fit = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state in STATES[verb]]
            verb, fit = (verb, fit) if fit else self._what_else()
            attempt = fit[-1 - number % len(fit)] if fit else None
        self.diary.append(f"{verb}({number=}, {share=}, pidx={attempt.pidx if attempt else None})")
        try:
            told = getattr(self, verb)(number=number, share=share, attempt=attempt)
            self.diary[-1] += f" → {told}" if told else ""
            if len(self.diary) % RECKONED_EVERY == 0:
                self.reckon()
        except BaseException as exc:
            self.failed = True
            exc.add_note("\n".join(["The story:", *self.diary]))
            raise

    def _what_else(self) -> tuple[str, list[Attempt]]:
        fit = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state is State.INITIATED]
        return ("pay", fit) if fit else ("buy", [])

    def reconcile_later(self) -> None:
        """Khalti works again, ten minutes go by, the reconciler runs once."""
        self.store.khalti.clear_faults()
        self.store.let_time_pass()
        self.store.reconcile_here()

    def reckon(self) -> None:
        self.reconcile_later()
        assert disagreements(self.store) == []

    # What shoppers do

    def buy(self, number: int, share: int, **_: Any) -> str:
        """A member, or now and then a guest, buys one thing, as far as they are let."""
        member = ([*MEMBERS, ""])[number % 4]
        browser = self.members.get(member) or self.store.shopper()
        method = ("khalti", "khalti", "khalti", "cod", "bank_transfer")[number % 5]
        title = GOODS[number // 4 % 4]
        if not self._pick(browser, title, 1 if title == GOODS[-1] else 1 + number % 2):
            return "sold out"
        email = "" if member else f"guest{len(self.diary)}@example.com"
        page = browser.check_out(email=email, delivery=("", "express")[number % 3 == 0])
        points = None
        if page.soup.find(attrs={"name": "points"}):  # who has none is not asked
            points = str(self.store.points(member) * share // 200) if number % 2 else ""
        chosen = browser.choose(page, method, points=points)
        if "/preview" not in chosen.url:  # that many points do not fit
            chosen = browser.choose(page, method, points="")
        return self._place(browser, chosen)

    def _pick(self, browser: Shopper, title: str, quantity: int) -> bool:
        try:
            self._saw(browser.add(title, quantity))
        except LookupError:  # no form: it is sold out
            return False
        return True

    def _place(self, browser: Shopper, preview: Page) -> str:
        placed = self._saw(browser.place_order(preview))
        pidx = next((one.pidx for one in self.store.khalti.payments() if one.pidx in placed.url), None)
        if pidx is None:
            return placed.url
        if all(one.pidx != pidx for one in self.attempts):
            back = self.store.khalti.payment(pidx).return_url
            self.attempts.append(Attempt(pidx=pidx, url=placed.url, back=back, browser=browser))
        return pidx

    def pay(self, attempt: Attempt, **_: Any) -> str:
        return self._saw(attempt.browser.pay(attempt.url)).url

    def pay_and_close_the_tab(self, attempt: Attempt, **_: Any) -> None:
        attempt.browser.pay(attempt.url, follow=False)

    def cancel(self, attempt: Attempt, number: int, **_: Any) -> None:
        attempt.browser.pay(attempt.url, action="cancel", follow=bool(number % 3))

    def come_back(self, attempt: Attempt, number: int, **_: Any) -> str:
        """The payer, or anybody, with whatever query."""
        browser = attempt.browser if number % 3 else self.store.shopper()
        return self._saw(browser.open(attempt.back + FORGED[number % len(FORGED)])).url

    def start_again(self, attempt: Attempt, **_: Any) -> str:
        page = self._saw(attempt.browser.open("/shop/basket/"))
        button = page.soup.find("form", action=lambda action: action and "/khalti/again/" in action)
        if button is None:
            return "nothing waits"
        token = button.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
        answer = attempt.browser.session.post(
            self.store.url + button["action"],
            {"csrfmiddlewaretoken": token},
            headers={"Referer": page.url},
            timeout=60,
        )
        assert answer.status_code < 500, answer.text[:500]
        return answer.url

    # What Khalti does

    def khalti_expires_it(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.expire(attempt.pidx)

    def khalti_fails_it(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.fail(attempt.pidx)

    def khalti_keeps_it_pending(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.pend(attempt.pidx)

    def khalti_completes_it_late(self, attempt: Attempt, **_: Any) -> None:
        self.store.khalti.complete(attempt.pidx)

    def khalti_refunds(self, attempt: Attempt, **_: Any) -> None:
        """In Khalti's own dashboard."""
        self.store.khalti.refund(attempt.pidx)

    def a_fault_waits(self, number: int, **_: Any) -> str:
        """For the next call, whichever it is."""
        if number % 4 == 3:
            fault: dict[str, Any] = {"kind": LIES[number // 4 % len(LIES)], "where": "lookup"}
        else:
            where = ("initiate", "lookup", "refund", "all")[number // 4 % 4]
            fault = {**FAULTS[number % len(FAULTS)], "where": where}
        self.store.khalti.fault(**fault)
        return str(fault)

    # What staff and machines do

    def staff_refund(self, number: int, share: int, **_: Any) -> str:
        """All that is left of an order, or a share of it; an unpaid one is cancelled as a whole."""
        placed = Purchase.objects.filter(state=Purchase.State.PLACED).order_by("-pk")
        if not placed:
            return "no order"
        purchase = placed[number % len(placed)]
        page = self._saw(self.staff.open(f"/shop/dashboard/orders/{purchase.number}/"))
        if page.soup.find("button", value="cancel"):
            return self._told(page, refund="cancel")
        if not page.soup.find("input", attrs={"name": "seen"}):
            return "nothing can be refunded now"
        left = refunds.left(purchase)
        typed = {"amount": str(rupees(left.goods * share // 100))}
        if left.shipping and number % 2:
            typed["delivery"] = str(rupees(left.shipping))
        preview = self._saw(self.staff.submit(page, "seen", refund="preview", **typed))
        if "Give this back?" not in preview.words:
            return "refused"
        told = self._saw(self.staff.submit(preview, "key", refund="confirm"))
        return " ".join(" ".join(tag.get_text(" ").split()) for tag in told.soup.find_all(class_="alert"))

    def staff_receive(self, number: int, **_: Any) -> str:
        """Cash has come for an order that was placed unpaid."""
        waits = Purchase.objects.filter(
            state=Purchase.State.PLACED, method__in=["cod", "bank_transfer"], received_at=None
        ).order_by("-pk")
        if not waits:
            return "no order"
        page = self._saw(self.staff.open(f"/shop/dashboard/orders/{waits[number % len(waits)].number}/"))
        return self._told(page, payment_received="1")

    def _told(self, page: Page, **pressed: str) -> str:
        token = page.soup.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
        form = {"csrfmiddlewaretoken": token, **pressed}
        answer = self.staff.session.post(page.url, form, headers={"Referer": page.url}, timeout=60)
        assert answer.status_code < 500, answer.text[:500]
        return answer.url

    def the_reconciler_runs(self, **_: Any) -> None:
        """With whatever fault waits for it."""
        self.store.let_time_pass()
        self.store.reconcile_here()

    def the_server_is_killed(self, number: int, **_: Any) -> str:
        """Now, or while it asks Khalti about somebody who has just come back."""
        waiting = [one for one in self.attempts if self.store.khalti.payment(one.pidx).state in PAID_THERE | OPEN]
        if waiting and number % 2:
            self._kill_during_a_return(waiting[-1])
        else:
            self.store.kill()
        self.store.start(workers=1, threads=4)
        return "during a return" if waiting and number % 2 else ""

    def _kill_during_a_return(self, attempt: Attempt) -> None:
        """A payment that is settled already is not asked about: then the answer has simply been given before."""
        self.store.let_time_pass()
        asked = self.store.khalti.count("lookup", attempt.pidx)
        self.store.khalti.fault("hang", where="lookup", pidx=attempt.pidx, seconds=3600)
        with ThreadPoolExecutor(1) as browser:
            visit = browser.submit(self._open_until_the_end, attempt.back)
            while not visit.done() and not self.store.khalti.wait_for(
                "lookup", attempt.pidx, times=asked + 1, timeout=0.1
            ):
                pass
            self.store.kill()
        self.store.khalti.clear_faults()

    def _open_until_the_end(self, url: str) -> None:
        try:
            self.store.shopper().open(url)
        except requests.RequestException:
            return

    @staticmethod
    def _saw(page: Page) -> Page:
        assert page.status < 500, page.text[:2000]
        return page


@pytest.fixture
def play(store: Store) -> Callable[[int, int], None]:
    """Play so many stories of so many steps, the same ones every time, in one store that gets older and older."""
    store.start_anew(workers=1, threads=4)
    common = get_model("partner", "StockRecord").objects.exclude(product__title__startswith=GOODS[-1])
    common.update(num_in_stock=PLENTY)
    Story.store, Story.staff = store, store.shopper("admin@example.com")
    Story.members = {email: store.shopper(email) for email in MEMBERS}

    def play(examples: int, steps: int) -> None:
        chosen = settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to find a shorter story, hypothesis would play for an hour
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Story, settings=chosen)

    return play


@pytest.mark.timeout(400)
def test_whatever_happens_in_whatever_order_the_books_of_khalti_and_of_the_store_agree(
    play: Callable[[int, int], None],
) -> None:
    play(4, 20)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_forty_long_stories_keep_the_books_of_khalti_and_of_the_store_in_agreement(
    play: Callable[[int, int], None],
) -> None:
    play(40, 40)
