"""Orders of pages that sell, their stock, categories, and what a site sets. Amounts are in paisa.

An order keeps its own copy of all that it sold: a page may be changed, moved or deleted at any time. The stock is a
table of its own and no field of a page, because publishing an older draft would bring back what was sold since.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.contrib.settings.models import BaseSiteSetting

from .desk.panels import SHOP_PANELS
from .fields import DeliveryOptionsField

if not apps.is_installed("loyalink_khalti.hosts.page"):
    raise ImproperlyConfigured('add "loyalink_khalti.hosts.page" to INSTALLED_APPS')

PAGE_MODEL = getattr(settings, "WAGTAIL_PAGE_MODEL", "wagtailcore.Page")
"""Wagtail's base page model, which a project can swap from Wagtail 8 on."""


class OrderStatus(models.TextChoices):
    """What an order is. An order that was never placed has no ``placed_at``."""

    HELD = "held", _("Awaiting payment")
    PENDING = "pending", _("Placed, not paid yet")
    PAID = "paid", _("Paid")
    SENT = "sent", _("Sent")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")
    REFUNDED = "refunded", _("Refunded")


class Category(models.Model):
    """What products are sorted by. The tag of its lines is ``page:<pk>``."""

    name = models.CharField(_("name"), max_length=100, unique=True)

    class Meta:
        verbose_name = _("product category")
        verbose_name_plural = _("product categories")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OrderQuerySet(models.QuerySet["Order"]):
    def placed(self) -> "OrderQuerySet":
        """Leave out held orders, and those that were released unpaid."""
        return self.filter(placed_at__isnull=False)


class Order(models.Model):
    """An order: held while its payment is open, then placed or released."""

    number = models.CharField(_("number"), max_length=100, unique=True)
    origin = models.CharField(max_length=64, db_index=True)
    """The basket that it came from: ``Cart.origin``."""
    basket = models.CharField(max_length=64, null=True, blank=True, unique=True)
    """The origin from the freeze on, so that no second order has that basket; null once the order is released."""
    site_key = models.CharField(max_length=255)
    language = models.CharField(max_length=16)
    status = models.CharField(_("status"), max_length=20, choices=OrderStatus, default=OrderStatus.HELD)
    member_id = models.CharField(max_length=64, null=True, blank=True, db_index=True)
    """The user's pk; null for a guest."""

    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    delivery_code = models.CharField(max_length=64, blank=True)
    delivery_title = models.CharField(_("delivery"), max_length=200, blank=True)
    is_pickup = models.BooleanField(default=False, db_default=False)
    """Whether the customer collects it: the delivery option needed no address."""
    address = models.TextField(_("address"), blank=True)
    note = models.TextField(_("the customer's note"), blank=True)

    subtotal = models.BigIntegerField(_("subtotal"))
    shipping = models.BigIntegerField(_("delivery charge"), default=0)
    points_value = models.BigIntegerField(_("points used"), default=0)
    total = models.BigIntegerField(_("total"))
    """Subtotal and delivery less the value of points."""
    paid = models.BigIntegerField(_("paid"), default=0)
    refunded = models.BigIntegerField(_("refunded"), default=0)
    method = models.CharField(_("payment method"), max_length=40)
    """A ``PaymentMethod``."""
    is_test = models.BooleanField(default=False)
    """Whether it was paid in Khalti's test environment: no money has arrived."""

    created_at = models.DateTimeField(_("created"), default=timezone.now)
    placed_at = models.DateTimeField(_("placed"), null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    status_before = models.CharField(max_length=20, blank=True, default="")
    """The status before a refund in full, for one that was not made."""

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [("export_order", _("Can export orders"))]
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="loyalink_page_newest"),
            models.Index(fields=["status", "-created_at"], name="loyalink_page_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(subtotal__gte=0, shipping__gte=0, points_value__gte=0, total__gte=0, paid__gte=0)
                & Q(refunded__gte=0),
                name="loyalink_page_order_amounts",
            ),
            models.CheckConstraint(
                condition=Q(total=models.F("subtotal") + models.F("shipping") - models.F("points_value")),
                name="loyalink_page_order_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_placed(self) -> bool:
        return self.placed_at is not None


class OrderLine(models.Model):
    """What was sold, as it was then. Refunds name it by its pk."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    page = models.ForeignKey(PAGE_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    """The page that sold it, in its customer's language; null once that is deleted."""
    product = models.UUIDField()
    """The page's ``translation_key``, which its translations share."""
    choice = models.CharField(max_length=64, blank=True, default="")
    """The id of the choice, "" for a product without choices."""
    sku = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=255)
    options = models.CharField(max_length=255, blank=True)
    """The title of the choice."""
    quantity = models.PositiveIntegerField()
    unit = models.BigIntegerField()
    total = models.BigIntegerField()
    tags = models.JSONField(default=list)
    earns = models.BooleanField(default=True)
    needs_delivery = models.BooleanField(default=False)
    is_free_amount = models.BooleanField(default=False)
    """Whether the customer chose how much to pay."""
    tracks_stock = models.BooleanField(default=False)
    """Whether the page tracked stock, so that the line takes some: its quantity, less what was restocked."""
    restocked = models.PositiveIntegerField(default=0)
    """How many refunds have put back in stock."""

    wagtail_reference_index_ignore = True
    """An order does not use a page: an editor who deletes one need not see its orders."""

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0, total=models.F("unit") * models.F("quantity"), unit__gte=0),
                name="loyalink_page_line_adds_up",
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"


class OrderRefund(models.Model):
    """A refund of an order, recorded once for its key. One that was not made has ``reversed_at``."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="refunds")
    key = models.CharField(max_length=100)
    subtotal = models.BigIntegerField()
    shipping = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["order", "key"], name="loyalink_page_refund_once")]

    def __str__(self) -> str:
        return f"{self.order_id} · {self.key}"


class OrderNote(models.Model):
    """What staff, or the shop itself, noted on an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="notes")
    text = models.TextField(_("note"))
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    """Null for what the shop itself has noted."""
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return self.text[:80]


class Stock(models.Model):
    """How many of a product, or of one of its choices, can be sold now. What unpaid orders reserve is left out."""

    product = models.UUIDField()
    """A page's ``translation_key``: its translations sell from one stock."""
    choice = models.CharField(max_length=64, blank=True, default="")
    quantity = models.PositiveIntegerField(_("in stock"), default=0)

    class Meta:
        verbose_name = _("stock")
        verbose_name_plural = _("stock")
        constraints = [
            models.UniqueConstraint(fields=["product", "choice"], name="loyalink_page_one_stock"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="loyalink_page_stock_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.choice}: {self.quantity}"


class Reservation(models.Model):
    """What a held order has taken out of stock. Its rows are gone once the order is placed or released.

    It names the order by its number, without a foreign key: an order that raw SQL has deleted is released as well.
    """

    number = models.CharField(max_length=100, db_index=True)
    product = models.UUIDField()
    choice = models.CharField(max_length=64, blank=True, default="")
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["number", "product", "choice"], name="loyalink_page_reserved_once")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.quantity} of {self.product} {self.choice}"


class PageShopSettings(BaseSiteSetting):
    """What a site sets for the pages that it sells."""

    shop_name = models.CharField(
        _("name of the shop"), max_length=100, blank=True, help_text=_("In mails and on Khalti's page.")
    )
    order_prefix = models.CharField(
        _("prefix of order numbers"), max_length=10, blank=True, help_text=_("For example TREK-.")
    )
    delivery_options: Any = DeliveryOptionsField(
        blank=True, default=list, verbose_name=_("delivery options"), help_text=_("For products that are delivered.")
    )
    methods = models.JSONField(_("payment methods"), default=list, blank=True)
    """Codes of the payment methods offered, in their order; [] for those of ``LOYALINK_KHALTI["PAGE"]``."""
    bank_transfer_text = models.TextField(
        _("bank account"), blank=True, help_text=_("Shown to customers who pay by bank transfer.")
    )
    cod_text = models.CharField(_("text of cash on delivery"), max_length=200, blank=True)
    mail_footer = models.TextField(_("footer of mails"), blank=True)

    edit_handler = SHOP_PANELS

    class Meta:
        verbose_name = _("Pages that sell")
