from uuid import uuid4

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render

from loyalink_khalti import flow
from loyalink_khalti.errors import BasketTaken, CannotPay
from loyalink_khalti.ports import Customer
from loyalink_khalti.session_payments import browser_session_id, network_id, remember_payment

from .models import Order, Tea
from .shop import Freeze


@transaction.non_atomic_requests  # the flow commits by itself
def buy(request: HttpRequest, sku: str) -> HttpResponse:
    tea = get_object_or_404(Tea, sku=sku)
    if request.method != "POST":
        return render(request, "tea/buy.html", {"tea": tea, "basket": uuid4()})
    basket = request.POST["basket"]
    freeze = Freeze(
        basket=basket,
        teas={tea.pk: 1},
        customer=Customer(name=request.POST["name"], email=request.POST["email"]),
        member_id=str(request.user.pk) if request.user.is_authenticated else None,
    )
    try:
        payment = flow.begin_payment(freeze, browser_session=browser_session_id(request), network=network_id(request))
    except BasketTaken as exc:  # a double click leads to where the first click led
        pending = flow.live_payment_of(Order.shop, basket)
        if pending is None:
            return render(request, "tea/buy.html", {"tea": tea, "basket": uuid4(), "message": str(exc)})
        payment = pending
    except CannotPay as exc:  # a sentence for the customer; nothing is held
        return render(request, "tea/buy.html", {"tea": tea, "basket": basket, "message": str(exc)})
    remember_payment(request, payment)
    return HttpResponseRedirect(payment.payment_url)
