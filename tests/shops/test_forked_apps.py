"""H3: a shop that has really forked Oscar's apps. The checks name what to add, and what the docs say mends it."""

import re
from pathlib import Path

import pytest

from .builder import ROOT, Plan, Shop

RECIPE = (ROOT / "docs" / "hosts" / "oscar.md").read_text().partition("## A shop that has forked Oscar's apps")[2]
APPS_PY, VIEWS_PY = re.findall(r"^```python\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)[:2]
OURS = "import loyalink_khalti.hosts.oscar.apps as apps"
HOST = "loyalink_khalti.hosts.oscar"
LINES = {
    "checkout": (f"{HOST}.apps.CheckoutConfig", "forks.checkout.apps.CheckoutConfig"),
    "order": ("oscar.apps.order.apps.OrderConfig", "forks.order.apps.OrderConfig"),
    "customer": (f"{HOST}.apps.CustomerConfig", "forks.customer.apps.CustomerConfig"),
    "orders_dashboard": (
        f"{HOST}.apps.OrdersDashboardConfig",
        "forks.dashboard.orders.apps.OrdersDashboardConfig",
    ),
    "dashboard": ("oscar.apps.dashboard.apps.DashboardConfig", "forks.dashboard.apps.DashboardConfig"),
}
"""The label of each app: its line in the settings of README, and the line of its fork."""
OWN_VIEWS = """
from oscar.apps.checkout.views import PaymentDetailsView as CorePaymentDetailsView
from oscar.apps.checkout.views import PaymentMethodView as CorePaymentMethodView
from oscar.apps.checkout.views import ThankYouView as CoreThankYouView


class PaymentMethodView(CorePaymentMethodView):
    pass


class PaymentDetailsView(CorePaymentDetailsView):
    pass


class ThankYouView(CoreThankYouView):
    pass
"""
"""Views that a shop wrote before it knew this package."""
OWN_INDEX = """
from oscar.apps.dashboard.views import IndexView as CoreIndexView, LoginView


class IndexView(CoreIndexView):
    pass
"""


def forked(folder: Path, *labels: str) -> tuple[Shop, Plan]:
    """Return a shop whose apps were forked before it installed this package, and what its settings say then."""
    shop = Shop(folder)
    shop.write_stock_oscar()
    shop.fork(*labels)
    return shop, Plan(apps=dict(LINES[label] for label in labels))


def inherit_from_ours(shop: Shop, *apps: str) -> None:
    """Do what the docs say in ``apps.py`` of these forks."""
    for app in apps:
        page = shop.folder / "forks" / app / "apps.py"
        assert page.read_text().startswith(f"import oscar.apps.{app.replace('/', '.')}.apps as apps\n")
        page.write_text("\n".join([OURS, *page.read_text().splitlines()[1:], ""]))


def reported(shop: Shop) -> dict[str, str]:
    """Return what ``check`` says, by the number of the message; messages of one number are joined."""
    found: dict[str, str] = {}
    output = shop.attempt("check").stderr
    for number, text in re.findall(r"\(loyalink_khalti\.(\w+)\) (.*?)(?=\n\S|\n\n)", output, re.DOTALL):
        found[number] = found.get(number, "") + text
    return found


def test_the_example_in_the_docs_is_what_oscars_command_writes() -> None:
    """H3"""
    first, *rest = APPS_PY.splitlines()

    assert first.split("#")[0].strip() == OURS
    assert [line for line in rest if line] == [
        "class CheckoutConfig(apps.CheckoutConfig):",
        '    name = "shop.checkout"',
    ]


@pytest.mark.timeout(240)
def test_the_checks_name_what_a_fork_lacks_and_the_docs_say_how_to_add_it(tmp_path: Path) -> None:
    """H3"""
    shop, plan = forked(tmp_path, "checkout", "order", "customer", "dashboard", "orders_dashboard")
    shop.write(plan)
    forks = shop.folder / "forks"
    (forks / "checkout" / "views.py").write_text(OWN_VIEWS)
    (forks / "dashboard" / "views.py").write_text(OWN_INDEX)
    inherit_from_ours(shop, "checkout", "dashboard/orders")

    before = reported(shop)

    assert set(before) == {"E025", "W026"}
    for page, view, base in (
        ("payment-method/ does not offer Khalti", "PaymentMethodView", "KhaltiPaymentMethodMixin"),
        ("preview/ places orders without Khalti", "PaymentDetailsView", "KhaltiCheckoutMixin"),
    ):
        assert f"/shop/checkout/{page} (its view is forks.checkout.views.{view})" in before["E025"]
        assert f"In {forks}/checkout/views.py: class {view}({base}, …)" in before["E025"]
    assert "class ThankYouView(KhaltiThankYouMixin, …)" in before["W026"]
    assert f"In {forks}/customer/apps.py: `{OURS}`" in before["W026"]
    assert f"In {forks}/dashboard/views.py: class IndexView(KhaltiIndexView, …)" in before["W026"]
    assert "/shop/dashboard/orders/" not in before["W026"]

    (forks / "checkout" / "views.py").write_text(VIEWS_PY)
    (forks / "dashboard" / "views.py").write_text(
        OWN_INDEX.replace(
            "from oscar.apps.dashboard.views import IndexView", f"from {HOST}.dashboard_index import IndexView"
        ).replace(", LoginView", "\nfrom oscar.apps.dashboard.views import LoginView")
    )
    inherit_from_ours(shop, "customer")
    assert reported(shop) == {}
