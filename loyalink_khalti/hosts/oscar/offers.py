"""What an order uses up of coupons and offers, written down when it is held and taken back when it is let go.

Rows are locked by pk, coupons before offers; counters move by the database's own arithmetic, since Oscar's
``record_usage`` writes back what it read before the lock.
"""

from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from loyalink_khalti.errors import CannotPay


def check(basket: Any, user: Any) -> list[Any]:
    """Lock a basket's coupons and offers and see that each may still be used; return the coupons."""
    vouchers = list(basket.vouchers.select_for_update(of=("self",)).order_by("pk"))
    for voucher in vouchers:
        available, message = voucher.is_available_to_user(user=user)
        if not voucher.is_active():
            raise CannotPay(
                _("The coupon %(code)s is no longer valid: take it out of your basket to go on.")
                % {"code": voucher.code}
            )
        if not available:
            raise CannotPay(f"{voucher.code}: {message}")
    _check_offers(basket)
    return vouchers


def _check_offers(basket: Any) -> None:
    applied = {application["offer"].pk: application for application in basket.offer_applications}
    offers = get_model("offer", "ConditionalOffer").objects.select_for_update(of=("self",))
    locked = {offer.pk: offer for offer in offers.filter(pk__in=applied).order_by("pk")}
    for pk, application in applied.items():
        # A limit may have been reached between the look at the basket and the lock.
        if pk not in locked or locked[pk].get_max_applications(basket.owner) < application["freq"]:
            name = application["offer"].name
            raise CannotPay(_("The offer “%(name)s” is no longer available.") % {"name": name})


def record(order: Any, basket: Any, vouchers: list[Any], shipping_method: Any) -> None:
    """Write an order's discounts and count them."""
    creator = get_class("order.utils", "OrderCreator")()
    for application in basket.offer_applications:
        # Benefits that act only once the order is placed are not applied to an order that may never be.
        application["message"] = ""
        if application["result"].affects_shipping:
            application["discount"] = shipping_method.discount(basket)
            if application["discount"] <= Decimal(0):
                continue
        creator.create_discount_model(order, application)
    for discount in order.discounts.all():
        _count(discount, discount.offer_id, discount.voucher_id, by=1)
    for voucher in vouchers:
        _use(voucher, order)


def _use(voucher: Any, order: Any) -> None:
    user = order.user or AnonymousUser()
    voucher.applications.create(order=order, **({"user": user} if user.is_authenticated else {}))
    type(voucher).objects.filter(pk=voucher.pk).update(num_orders=F("num_orders") + 1)


def _count(discount: Any, offer_id: int | None, voucher_id: int | None, *, by: int) -> None:
    amount, times = by * discount.amount, by * (discount.frequency or 0)
    zero = Decimal(0)
    get_model("offer", "ConditionalOffer").objects.filter(pk=offer_id).update(
        num_applications=Greatest(F("num_applications") + times, 0),
        num_orders=Greatest(F("num_orders") + by, 0),
        total_discount=Greatest(F("total_discount") + amount, zero),
    )
    if voucher_id:
        get_model("voucher", "Voucher").objects.filter(pk=voucher_id).update(
            total_discount=Greatest(F("total_discount") + amount, zero)
        )


def take_back(order: Any) -> None:
    """Count an order that is let go no longer: its coupons can be used again.

    The discounts stay on it to be read; only their ties to offer and coupon are cut, since "once per customer" counts
    them. Both have unique names, by which ``record_again`` finds them.
    """
    applications = get_model("voucher", "VoucherApplication").objects.filter(order=order)
    vouchers = get_model("voucher", "Voucher").objects
    discounts = list(order.discounts.all())
    used = list(applications.values_list("voucher_id", flat=True))
    _lock(vouchers=used, offers=[discount.offer_id for discount in discounts])
    for voucher_id in used:
        vouchers.filter(pk=voucher_id).update(num_orders=Greatest(F("num_orders") - 1, 0))
    applications.delete()
    for discount in discounts:
        _count(discount, discount.offer_id, discount.voucher_id, by=-1)
    order.discounts.update(offer_id=None, voucher_id=None)


def record_again(order: Any) -> None:
    """Count once more what a released order gave, now that its payment has come after all."""
    discounts = list(order.discounts.all())
    offers = dict(
        get_model("offer", "ConditionalOffer")
        .objects.filter(name__in=[discount.offer_name for discount in discounts])
        .values_list("name", "pk")
    )
    codes = [discount.voucher_code for discount in discounts if discount.voucher_code]
    vouchers = {voucher.code: voucher for voucher in get_model("voucher", "Voucher").objects.filter(code__in=codes)}
    _lock(vouchers=[voucher.pk for voucher in vouchers.values()], offers=list(offers.values()))
    for discount in discounts:
        voucher = vouchers.get(discount.voucher_code)
        offer_id, voucher_id = offers.get(discount.offer_name), voucher.pk if voucher else None
        order.discounts.filter(pk=discount.pk).update(offer_id=offer_id, voucher_id=voucher_id)
        _count(discount, offer_id, voucher_id, by=1)
    for voucher in vouchers.values():
        _use(voucher, order)


def _lock(*, vouchers: list[int], offers: list[int | None]) -> None:
    """Lock coupons, then offers, by pk."""
    for model, pks in (("voucher.Voucher", vouchers), ("offer.ConditionalOffer", offers)):
        rows = get_model(*model.split(".")).objects.select_for_update(of=("self",))
        list(rows.filter(pk__in=[pk for pk in pks if pk]).order_by("pk").values_list("pk", flat=True))
