"""What shoppers of the stories do as a rule: they buy a journal, and are sent to Khalti."""

from loyalink_khalti.payments.models import Payment
from tests.stories.running import Store
from tests.stories.shopper import Page, Shopper

JOURNAL = "Lokta paper journal"


def order(shopper: Shopper, method: str = "khalti", *, email: str = "", points: str | None = None) -> Page:
    """Buy one journal up to the click on "place order"."""
    shopper.add(JOURNAL)
    return shopper.place_order(shopper.choose(shopper.check_out(email=email), method, points=points))


def at_khalti(page: Page) -> Payment:
    """The store's row for the page at Khalti to which somebody was sent."""
    return Payment.objects.select_related("purchase").get(payment_url=page.url)


def paid(shopper: Shopper, *, email: str = "", points: str | None = None) -> str:
    """Buy and pay, and stop before coming back; the address to come back to."""
    return shopper.pay(order(shopper, email=email, points=points).url, follow=False).url


def guest_who_paid(store: Store, name: str) -> str:
    return paid(store.shopper(), email=f"{name}@example.com")
