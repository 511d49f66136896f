"""Putting a page into the basket, and the basket's page."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import PaymentChoice, quote_costs
from loyalink_khalti.staff.fields import WholeNumberField

from . import open_basket
from .basket import MOST_OF_ONE, SessionBasket
from .open_basket import PageBasket
from .product_form import ProductForm, product_context
from .products import find_products
from .typed import login_url
from .unit_lines import basket_costs

LARGEST_PK = 2**63


@method_decorator(never_cache, name="dispatch")
class AddView(View):
    """Put a page into the basket, with its choice, amount and quantity."""

    http_method_names = ("get", "head", "post", "options")

    def get(self, request: HttpRequest, page_id: int) -> HttpResponse:
        """Show the page's form: a customer has reloaded this address, or logged in on the way."""
        product = _product(request, page_id)
        return _product_page(request, product, ProductForm(product=product))

    def post(self, request: HttpRequest, page_id: int) -> HttpResponse:
        product = _product(request, page_id)
        form = ProductForm(request.POST, product=product)
        if form.is_valid():
            try:
                SessionBasket(request).add(form.item)
            except CannotPay as exc:
                form.add_error(None, str(exc))
        if not form.is_valid():
            return _product_page(request, product, form, status=422)
        if request.POST.get("then") != "basket":
            return redirect("loyalink_khalti_page:checkout")
        messages.success(request, _("“%(title)s” is in your basket.") % {"title": product.title})
        return redirect("loyalink_khalti_page:basket")


def _product(request: HttpRequest, page_id: int) -> Any:
    """Return the page, if this customer may buy it. Raises ``Http404``, as its own address would."""
    product = find_products(request, [page_id]).get(page_id) if page_id < LARGEST_PK else None
    if product is None:
        raise Http404
    return product


def _product_page(request: HttpRequest, product: Any, form: ProductForm, *, status: int = 200) -> HttpResponse:
    context = product_context(product, form)
    return render(request, "loyalink_khalti/page/product.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class BasketView(View):
    """The basket: quantities, and what is wrong with its items."""

    http_method_names = ("get", "head", "post", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        return _basket_page(request, open_basket.of_session(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Change quantities, or remove an item. What cannot be read changes nothing, and is said."""
        basket = SessionBasket(request)
        basket.forget_placed()
        if key := request.POST.get("remove"):
            basket.remove(key)
            return redirect("loyalink_khalti_page:basket")
        wrong = [problem for item in basket.items if (problem := _set_quantity(request, basket, item.key))]
        for problem in dict.fromkeys(wrong):
            messages.error(request, problem)
        return redirect("loyalink_khalti_page:basket")


def _set_quantity(request: HttpRequest, basket: SessionBasket, key: str) -> str:
    """Set the quantity that was typed for an item; 0 removes it. Return what is wrong with it, "" if nothing is."""
    typed = request.POST.get(f"quantity-{key}")
    if typed is None:  # an item without a quantity, or one that another tab has added since
        return ""
    try:
        basket.set_quantity(key, WholeNumberField(minimum=0, maximum=MOST_OF_ONE).clean(typed))
    except ValidationError as exc:
        return " ".join(exc.messages)
    except CannotPay as exc:
        return str(exc)
    return ""


def _basket_page(request: HttpRequest, basket: PageBasket) -> HttpResponse:
    lines = [line for line in basket.lines if not line.problem]
    can_checkout = bool(basket.lines) and not basket.problems
    context = {
        "basket": basket,
        "rows": [_row(request, line) for line in basket.lines],
        "subtotal": basket.subtotal,
        "quote": _quote(basket) if lines else None,
        "can_checkout": can_checkout,
        "is_member": basket.member_id is not None,
        "login_url": login_url(request),
        "home": _home(request),
    }
    return render(request, "loyalink_khalti/page/basket.html", context)


def _row(request: HttpRequest, line: Any) -> dict[str, Any]:
    return {
        "key": line.key,
        "title": line.title,
        "options": line.options,
        "url": line.page.get_url(request) if line.page is not None else "",
        "quantity": line.item.quantity,
        "has_quantity": line.page is not None and line.item.amount is None,
        "unit": line.unit or None,
        "total": line.total if line.unit else None,
        "problem": line.problem,
    }


def _quote(basket: PageBasket) -> flow.Quote | None:
    """Return what the items that can be bought earn, without delivery: it is chosen at the checkout."""
    try:
        return quote_costs(basket_costs(basket), PaymentChoice(), site_key=basket.site_key, member_id=basket.member_id)
    except CannotPay:
        return None


def _home(request: HttpRequest) -> str:
    """Return the path of the site's first page."""
    site = Site.find_for_request(request)
    page = site.root_page if site is not None else None
    return (page.get_url(request) if page is not None else None) or get_script_prefix()
