"""Orders of a shop that has none yet: two abstract models, on which `RowsShop` does all that the flow asks for.

A host subclasses both in its own app, with its own migrations, and adds what else it keeps of an order. An order is
held while its customer pays. Amounts are in paisa.
"""

from typing import Any, ClassVar, Self

from django.db import IntegrityError, models, transaction
from django.db.models.signals import class_prepared, pre_delete
from django.utils.translation import gettext as _

from loyalink_khalti.errors import BasketTaken, ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import HostOrder
from loyalink_khalti.staff.deletion import DeletionRefused

from .checkout import new_order_number

HELD, PLACED, RELEASED, CANCELLED = "held", "placed", "released", "cancelled"
NO_ORDERS = (HELD, RELEASED)
"""The statuses of a row that is no placed order. A host may have more of its own for placed ones ("shipped")."""


class OrderRow(models.Model):
    """One order; ``number`` is the ``ref`` of its Cart, ``basket`` the ``origin``."""

    shop: ClassVar[str]
    """The shop's name in ``LOYALINK_KHALTI["SHOPS"]``."""
    number = models.CharField(max_length=40, unique=True)
    basket = models.CharField(max_length=100)
    member_id = models.CharField(max_length=64, null=True, blank=True)
    status = models.CharField(max_length=20, default=HELD)
    total = models.PositiveBigIntegerField(help_text="paisa, before points")
    points_value = models.PositiveBigIntegerField(default=0, help_text="paisa")
    paid = models.PositiveBigIntegerField(default=0, help_text="paisa")
    refunds = models.JSONField(default=dict, help_text="paisa, by the key of each refund")

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["basket"],
                condition=~models.Q(status=RELEASED),
                name="%(app_label)s_%(class)s_one_of_a_basket",
            )
        ]

    @classmethod
    def hold(cls, *, basket: str, total: Paisa, member_id: str | None, prefix: str, **fields: Any) -> Self:
        """Hold an order for a basket, in the transaction of a freeze. Raises ``BasketTaken`` if it has one already."""
        number = new_order_number(prefix, is_taken=lambda number: cls._default_manager.filter(number=number).exists())
        try:
            with transaction.atomic():
                return cls._default_manager.create(
                    number=number, basket=basket, total=total, member_id=member_id, **fields
                )
        except IntegrityError as exc:
            raise BasketTaken(_("This basket is being ordered already.")) from exc

    @property
    def due(self) -> Paisa:
        """Return what is to be paid in money: the total less the value of points."""
        return Paisa(self.total - self.points_value)

    def to_host_order(self) -> HostOrder:
        return HostOrder(
            ref=self.number,
            number=self.number,
            member_id=self.member_id,
            total=self.due,
            paid=Paisa(self.paid),
            refunded=Paisa(sum(self.refunds.values())),
            status=self.status,
            placed=self.status not in NO_ORDERS,
        )


class OrderLineRow(models.Model):
    """One line of an order. Its host adds ``product``, a protected foreign key to a model with a field ``stock``.

    It names the order without a foreign key: what an order has taken can be returned after somebody has deleted it.
    """

    product: Any
    number = models.CharField(max_length=40, db_index=True)
    quantity = models.PositiveIntegerField()
    held = models.PositiveIntegerField(default=0)
    """How many are taken out of the stock now."""

    class Meta:
        abstract = True

    def hold(self, quantity: int) -> None:
        """Let the line have taken so many out of the stock. Raises ``ShopCannot("sold_out")``.

        The caller has locked the product. Where its ``stock`` is None it is not counted.
        """
        product = self.product
        if product.stock is not None:
            if product.stock + self.held < quantity:
                raise ShopCannot("sold_out", _("“%(title)s” is sold out.") % {"title": product})
            product.stock += self.held - quantity
            product.save(update_fields=["stock"])
        self.held = quantity
        self.save(update_fields=["held"])


def refuse_deletion(sender: type[OrderRow], instance: OrderRow, **_signal: Any) -> None:
    """Raise ``DeletionRefused`` while the flow has money, points or stock on an order. A ``pre_delete`` receiver."""
    purchases = Purchase.objects.select_for_update(of=("self",))
    purchase = purchases.filter(shop=sender.shop, ref=instance.number).first()
    if purchase is not None and purchase.state != PurchaseState.RELEASED:
        text = _(
            "Order %(number)s cannot be deleted: a payment for it is on record here. Refund or cancel it instead."
        )
        raise DeletionRefused(text % {"number": instance.number}, {instance})


def _protect(sender: type[models.Model], **_signal: Any) -> None:
    if issubclass(sender, OrderRow):
        pre_delete.connect(refuse_deletion, sender=sender)


class_prepared.connect(_protect)
