"""What customers usually do in the stories: buy a journal and pay at Khalti."""

from loyalink_khalti.payments.models import Payment
from tests.stories.browser_session import BrowserSession, Page
from tests.stories.running_store import Store

JOURNAL = "Lokta paper journal"


def order(customer: BrowserSession, method: str = "khalti", *, email: str = "", points: str | None = None) -> Page:
    """Order one journal, up to and including "place order"."""
    customer.add(JOURNAL)
    return customer.place_order(customer.choose(customer.check_out(email=email), method, points=points))


def at_khalti(page: Page) -> Payment:
    """Return the payment whose payment page this is."""
    return Payment.objects.select_related("purchase").get(payment_url=page.url)


def paid(customer: BrowserSession, *, email: str = "", points: str | None = None) -> str:
    """Order and pay, without returning; return the return address."""
    return customer.pay(order(customer, email=email, points=points).url, follow=False).url


def guest_who_paid(store: Store, name: str) -> str:
    return paid(store.browser(), email=f"{name}@example.com")
