"""What a held order reserves: stock, and the use of coupons and offers; and what offers do once it is placed.

Rows are locked by pk, stock before coupons before offers, and changed by the database's own arithmetic. Oscar's own
methods (4.2) are not used for that:

- ``StockRecord.allocate`` does not check the stock level, and both it and ``cancel_allocation`` send ``post_save`` at
  once, which mails stock alerts. Here the rows change in the flow's transaction and the signal follows after commit.
- ``record_usage`` of coupons and offers writes back what it read before the lock.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils.translation import gettext as _
from oscar.apps.offer.results import SHIPPING_DISCOUNT, BasketDiscount, PostOrderAction
from oscar.core.loading import get_class, get_model

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import CannotPay, ShopCannot, safe_trace
from loyalink_khalti.ports import Line

log = logging.getLogger(__name__)

LATE_BENEFIT = "loyalink_khalti.hosts.oscar.reservations.apply_deferred_benefit"


def reserve_again(order: Any) -> None:
    """Reserve everything of a released order once more: its payment has arrived late.

    Raises ``ShopCannot("sold_out")`` if there is not enough stock.
    """
    reserve_stock_again(order)
    _record_again(order)


def release(order: Any) -> None:
    """Release everything that a held order reserves."""
    release_stock(order)
    _release_promotions(order)


def lock_stock(pks: "Iterable[int] | QuerySet[Any]") -> dict[int, Any]:
    """Lock stock rows, by their pks or a query for these, in the order of the pks, which all code keeps."""
    rows = get_model("partner", "StockRecord").objects.select_for_update(of=("self",))
    rows = rows.select_related("product__product_class", "product__parent__product_class")  # these track stock or not
    wanted = pks if isinstance(pks, QuerySet) else set(pks)
    return {row.pk: row for row in rows.filter(pk__in=wanted).order_by("pk")}


def with_stock(lines: Iterable[Line], rows: dict[int, Any]) -> tuple[Line, ...]:
    """Return a Cart's lines with the stock level of their locked rows, from before this order reserves any."""
    levels: dict[str, int] = {}
    for row in rows.values():
        if row.can_track_allocations:
            levels[row.partner_sku] = min(row.net_stock_level, levels.get(row.partner_sku, row.net_stock_level))
    return tuple(replace(line, stock=levels.get(line.sku)) for line in lines)


def allocate_stock(quantities: "Counter[int]", rows: dict[int, Any]) -> None:
    """Reserve quantities of locked rows; the caller has checked the stock level."""
    _change_allocations({pk: quantity for pk, quantity in quantities.items() if rows[pk].can_track_allocations})


def reserve_stock_again(order: Any) -> None:
    """Reserve the stock of a released or cancelled order once more, as far as it is not reserved any more.

    Raises ``ShopCannot("sold_out")`` if there is not enough.
    """
    lines = list(order.lines.all())
    if any(line.stockrecord_id is None for line in lines):  # the product, or its partner, has been deleted since
        raise ShopCannot("sold_out", ", ".join(line.title for line in lines if line.stockrecord_id is None))
    rows = lock_stock(line.stockrecord_id for line in lines)
    quantities: Counter[int] = Counter()
    for line in lines:
        if rows[line.stockrecord_id].can_track_allocations:
            kept = 0 if line.allocation_cancelled else line.num_allocated or 0
            quantities[line.stockrecord_id] += line.quantity - kept
    for pk, quantity in quantities.items():
        if rows[pk].net_stock_level < quantity:
            raise ShopCannot("sold_out", rows[pk].partner_sku)
    _change_allocations(dict(quantities))
    order.lines.update(num_allocated=F("quantity"), allocation_cancelled=False)


def release_stock(order: Any) -> None:
    """Cancel the reservation of an order's stock."""
    reserved = order.lines.filter(num_allocated__gt=0, allocation_cancelled=False)
    lines = list(reserved.select_for_update(of=("self",)).order_by("pk"))  # Oscar's EventHandler may release them too
    rows = lock_stock(line.stockrecord_id for line in lines if line.stockrecord_id)
    changes: Counter[int] = Counter()
    for line in lines:
        if line.stockrecord_id in rows and rows[line.stockrecord_id].can_track_allocations:
            changes[line.stockrecord_id] -= line.num_allocated
    _change_allocations(dict(changes))
    order.lines.update(num_allocated=0, allocation_cancelled=True)


def restock(order: Any, lines: tuple[tuple[str, int], ...], *, by_sku: bool = False) -> None:
    """Put returned products, as (pk of the line, quantity), back in stock: reserved ones first, then shipped ones.

    ``by_sku``: the Cart is older than lines with an id, and ``lines`` name SKUs. A name that is no pk of a line is a
    SKU, too: the version before may have requested the refund.
    """
    returned = Counter[str]()
    for key, quantity in lines:
        returned[key] += quantity
    order_lines = list(order.lines.select_for_update(of=("self",)).order_by("pk"))
    rows = lock_stock(line.stockrecord_id for line in order_lines if line.stockrecord_id)
    pks = set() if by_sku else {str(line.pk) for line in order_lines}
    for line in order_lines:
        quantity = 0
        for name in {str(line.pk)} & pks | ({line.partner_sku} - pks):
            part = min(returned[name], line.quantity - quantity)
            returned[name] -= part
            quantity += part
        if quantity:
            _restock_line(line, quantity, rows)


def _restock_line(line: Any, quantity: int, rows: dict[int, Any]) -> None:
    allocated = 0 if line.allocation_cancelled else min(quantity, line.num_allocated or 0)
    row = rows.get(line.stockrecord_id)
    if allocated:
        line.num_allocated -= allocated
        line.allocation_cancelled = line.num_allocated == 0
        line.save(update_fields=["num_allocated", "allocation_cancelled"])
    if row is None or not row.can_track_allocations:
        return
    _change_allocations({row.pk: -allocated})
    shipped = quantity - allocated
    if shipped:
        type(row).objects.filter(pk=row.pk).update(num_in_stock=Coalesce(F("num_in_stock"), 0) + shipped)


def _change_allocations(allocations: dict[int, int]) -> None:
    """Add to the allocations of stock rows, by pk, and send Oscar's signal after commit."""
    rows = get_model("partner", "StockRecord").objects
    allocated = Coalesce(F("num_allocated"), 0)
    for pk, quantity in sorted(allocations.items()):
        after = allocated + quantity if quantity >= 0 else allocated - Least(allocated, -quantity)
        rows.filter(pk=pk).update(num_allocated=after)
    if allocations:
        outbox.post("loyalink_khalti.hosts.oscar.events.stock_changed", pks=sorted(allocations))


def check_promotions(basket: Any, user: Any) -> list[Any]:
    """Lock a basket's coupons and offers. Return the coupons. Raises ``CannotPay`` if one cannot be used any more."""
    vouchers = list(basket.vouchers.select_for_update(of=("self",)).order_by("pk"))
    for voucher in vouchers:
        available, message = voucher.is_available_to_user(user=user)
        if not voucher.is_active():
            raise CannotPay(
                _("The coupon %(code)s is no longer valid. Remove it from your basket to continue.")
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
        # The limit may have been reached between reading the basket and the lock.
        if pk not in locked or locked[pk].get_max_applications(basket.owner) < application["freq"]:
            name = application["offer"].name
            raise CannotPay(_("The offer “%(name)s” is no longer available.") % {"name": name})


def record_promotions(order: Any, basket: Any, vouchers: list[Any], shipping_method: Any) -> None:
    """Record an order's discounts and count them as used."""
    creator = get_class("order.utils", "OrderCreator")()
    for application in basket.offer_applications:
        # Deferred benefits act once the order is placed; until then the message says what is deferred.
        is_deferred = application["result"].affects_post_order
        application["message"] = (application["result"].description or "") if is_deferred else ""
        if application["result"].affects_shipping:
            application["discount"] = shipping_method.discount(basket)
            if application["discount"] <= Decimal(0):
                continue
        creator.create_discount_model(order, application)
    for discount in order.discounts.all() if basket.offer_applications else ():
        _count(discount, discount.offer_id, discount.voucher_id, times=1)
    for voucher in vouchers:
        _use(voucher, order)


def release_unrecorded(quantities: "Counter[int]", vouchers: Iterable[Any] = ()) -> None:
    """Cancel reservations of stock rows, by pk, and the use of coupons, of which the order's own record is deleted."""
    rows = lock_stock(quantities)
    _change_allocations({pk: -quantities[pk] for pk, row in rows.items() if row.can_track_allocations})
    pks = [voucher.pk for voucher in vouchers]
    _lock_promotions(vouchers=pks, offers=[])
    get_model("voucher", "Voucher").objects.filter(pk__in=pks).update(num_orders=Greatest(F("num_orders") - 1, 0))


def _release_promotions(order: Any) -> None:
    """Stop counting the discounts of a released order: its coupons can be used again.

    The discounts stay on the order to be read. Only their links to offer and coupon are removed, because "once per
    customer" counts those. Both have unique names, by which ``_record_again`` finds them.
    """
    applications = get_model("voucher", "VoucherApplication").objects.filter(order=order)
    vouchers = get_model("voucher", "Voucher").objects
    discounts = list(order.discounts.all())
    used = list(applications.values_list("voucher_id", flat=True))
    _lock_promotions(vouchers=used, offers=[discount.offer_id for discount in discounts])
    for voucher_id in used:
        vouchers.filter(pk=voucher_id).update(num_orders=Greatest(F("num_orders") - 1, 0))
    applications.delete()
    for discount in discounts:
        _count(discount, discount.offer_id, discount.voucher_id, times=-1)
    order.discounts.update(offer_id=None, voucher_id=None)


def _record_again(order: Any) -> None:
    """Count the discounts of a released order once more: its payment has arrived late."""
    discounts = list(order.discounts.all())
    offers = dict(
        get_model("offer", "ConditionalOffer")
        .objects.filter(name__in=[discount.offer_name for discount in discounts])
        .values_list("name", "pk")
    )
    codes = [discount.voucher_code for discount in discounts if discount.voucher_code]
    vouchers = {voucher.code: voucher for voucher in get_model("voucher", "Voucher").objects.filter(code__in=codes)}
    _lock_promotions(vouchers=[voucher.pk for voucher in vouchers.values()], offers=list(offers.values()))
    for discount in discounts:
        voucher = vouchers.get(discount.voucher_code)
        offer_id, voucher_id = offers.get(discount.offer_name), voucher.pk if voucher else None
        order.discounts.filter(pk=discount.pk).update(offer_id=offer_id, voucher_id=voucher_id)
        _count(discount, offer_id, voucher_id, times=1)
    for voucher in vouchers.values():
        _use(voucher, order)


def _use(voucher: Any, order: Any) -> None:
    user = order.user or AnonymousUser()
    voucher.applications.create(order=order, **({"user": user} if user.is_authenticated else {}))
    type(voucher).objects.filter(pk=voucher.pk).update(num_orders=F("num_orders") + 1)


def _count(discount: Any, offer_id: int | None, voucher_id: int | None, *, times: int) -> None:
    amount, applications, zero = times * discount.amount, times * (discount.frequency or 0), Decimal(0)
    get_model("offer", "ConditionalOffer").objects.filter(pk=offer_id).update(
        num_applications=Greatest(F("num_applications") + applications, 0),
        num_orders=Greatest(F("num_orders") + times, 0),
        total_discount=Greatest(F("total_discount") + amount, zero),
    )
    if voucher_id:
        get_model("voucher", "Voucher").objects.filter(pk=voucher_id).update(
            total_discount=Greatest(F("total_discount") + amount, zero)
        )


def _lock_promotions(*, vouchers: list[int], offers: list[int | None]) -> None:
    """Lock coupons, then offers, by pk."""
    for model, pks in (("voucher.Voucher", vouchers), ("offer.ConditionalOffer", offers)):
        rows = get_model(*model.split(".")).objects.select_for_update(of=("self",))
        list(rows.filter(pk__in=[pk for pk in pks if pk]).order_by("pk").values_list("pk", flat=True))


def apply_deferred_benefits(order: Any, basket: Any) -> None:
    """Let the benefits act that offers defer until an order is placed, in the transaction that places it.

    One that fails does not keep a paid order from being placed: the outbox tries it again.
    """
    for discount in order.discounts.exclude(offer_id=None).order_by("pk"):
        try:
            with transaction.atomic():
                _apply_deferred(discount, order, basket)
        except Exception as exc:
            if flow.is_database_failure(exc):
                raise
            log.error("order %s, offer %s: %s", order.number, discount.offer_id, safe_trace(exc))
            outbox.post(LATE_BENEFIT, discount=discount.pk)


def apply_deferred_benefit(discount: int) -> None:
    """Let one benefit act that failed when its order was placed. Called by the outbox."""
    with transaction.atomic():
        row = get_model("order", "OrderDiscount").objects.select_related("order__basket").get(pk=discount)
        _apply_deferred(row, row.order, row.order.basket)


def _apply_deferred(discount: Any, order: Any, basket: Any) -> None:
    offer, voucher = discount.offer, discount.voucher
    if offer is None:  # it has been deleted since
        return
    if basket is not None and not basket.has_strategy:
        basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=order.user or AnonymousUser())
    results = {
        discount.BASKET: lambda: BasketDiscount(discount.amount),
        discount.SHIPPING: lambda: SHIPPING_DISCOUNT,
        discount.DEFERRED: lambda: PostOrderAction(discount.message),
    }
    result = results[discount.category]()
    offer.set_voucher(voucher)
    application = {
        "offer": offer,
        "result": result,
        "name": offer.name,
        "description": result.description,
        "voucher": voucher,
        "freq": discount.frequency,
        "discount": discount.amount,
    }
    message = offer.apply_deferred_benefit(basket, order, application) or ""
    if message != discount.message:
        type(discount).objects.filter(pk=discount.pk).update(message=message)
