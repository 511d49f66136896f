"""What editors set per site in Wagtail, and campaigns.

The secret key is not here: ``conf`` stores it encrypted. The rules of the points are not here either: their form reads
and writes versions of the loyalty programme.
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from wagtail.contrib.settings.models import BaseSiteSetting

from loyalink_khalti import conf

from .invoice_settings import INVOICE_PANELS
from .rules.panels import LOYALTY_PANELS
from .settings.panels import KHALTI_PANELS
from .shop_details import SHOP_PANELS


class Environment(models.TextChoices):
    """One of Khalti's two servers. A deployment's ``KHALTI_BASE_URL`` replaces the address of both."""

    TEST = "test", _("Test: no money moves")
    LIVE = "live", _("Live")


class Audience(models.TextChoices):
    """The customers to whom Khalti is offered."""

    EVERYBODY = conf.EVERYBODY, _("All customers")
    MEMBERS = conf.MEMBERS, _("Logged-in customers")
    STAFF = conf.STAFF, _("Staff only, for testing")


class KhaltiSettings(BaseSiteSetting):
    """Whether and how a site offers Khalti. Amounts are in paisa."""

    enabled = models.BooleanField(
        _("offer Khalti at the checkout"),
        default=True,
        help_text=_(
            "When turned off, no new payments start. Open payments are still completed, and refunds still work."
        ),
    )
    environment = models.CharField(_("environment"), max_length=10, choices=Environment, default=Environment.TEST)
    title = models.CharField(_("title at the checkout"), max_length=60, default=gettext_noop("Khalti"))
    text = models.CharField(
        _("text at the checkout"),
        max_length=200,
        blank=True,
        default=gettext_noop("Pay with your Khalti wallet, mobile banking or card."),
    )
    audience = models.CharField(_("who may pay with Khalti"), max_length=10, choices=Audience, default=conf.EVERYBODY)
    minimum_order = models.BigIntegerField(_("minimum order"), default=1000, validators=[MinValueValidator(1000)])
    """Before points; Khalti accepts no payment below Rs 10."""
    maximum_order = models.BigIntegerField(_("maximum order"), null=True, blank=True)
    """Before points; null for no limit."""
    refund_limit = models.BigIntegerField(_("refund limit"), null=True, blank=True, validators=[MinValueValidator(0)])
    """What staff may refund of one order without a further permission; null for no limit."""
    refund_limit_per_actor = models.BigIntegerField(
        _("refund limit per colleague and day"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """What one colleague may refund in a day without a further permission; null for no limit."""
    approval_above = models.BigIntegerField(
        _("refunds need a colleague above"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Above this, all refunds of an order together, a second person approves a refund; null: no one has to."""
    refund_reasons = models.TextField(_("more reasons for refunds"), blank=True, default="", db_default="")
    """One a line, after those of ``payments.refund_reasons``."""

    edit_handler = KHALTI_PANELS

    class Meta:
        verbose_name = _("Khalti")


class LoyaltySettings(BaseSiteSetting):
    """The texts of a site's points, and how many points staff may adjust."""

    name = models.CharField(_("name of the programme"), max_length=40, blank=True, default="")
    text = models.CharField(_("text on the points card"), max_length=300, blank=True, default="")
    adjust_limit = models.BigIntegerField(
        _("adjustment limit"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Points that staff may adjust per member in a day without a further permission; null for no limit."""
    adjust_limit_per_action = models.BigIntegerField(
        _("adjustment limit at once"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Points that one adjustment or merge may move without a further permission; null for no limit."""
    adjust_limit_per_actor = models.BigIntegerField(
        _("adjustment limit per colleague and day"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Points that one colleague may move in a day without a further permission; null for no limit."""
    counter_limit_per_sale = models.BigIntegerField(
        _("limit of a counter sale"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Points that one counter sale may give and redeem without a further permission; null for no limit."""
    counter_limit = models.BigIntegerField(
        _("counter limit per member and day"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """The same of all sales to one member in a day."""
    counter_limit_per_actor = models.BigIntegerField(
        _("counter limit per colleague and day"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """The same of all sales by one colleague in a day."""

    edit_handler = LOYALTY_PANELS

    class Meta:
        verbose_name = _("Loyalty points")


class RegistrationKind(models.TextChoices):
    """The tax number of a shop in Nepal: a permanent account number, or one for value added tax."""

    PAN = "pan", _("PAN")
    VAT = "vat", _("VAT")


class ShopDetails(BaseSiteSetting):
    """The shop as its customers see it, on receipts and in e-mails; ``conf.shop_details`` reads it."""

    shop_name = models.CharField(_("name of the shop"), max_length=80, blank=True, default="")
    logo = models.ImageField(
        _("logo"),
        upload_to="loyalink_khalti/logo/",
        blank=True,
        width_field="logo_width",
        height_field="logo_height",
        max_length=200,
    )
    """An earlier file stays: e-mails that were sent show it."""
    logo_width = models.PositiveIntegerField(null=True, editable=False)
    logo_height = models.PositiveIntegerField(null=True, editable=False)
    colour = models.CharField(_("colour"), max_length=7, blank=True, default="")
    address = models.TextField(_("address"), max_length=300, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=40, blank=True, default="")
    email = models.EmailField(_("e-mail address"), blank=True, default="")
    registration_kind = models.CharField(
        _("tax number"), max_length=3, choices=RegistrationKind, blank=True, default=""
    )
    registration_number = models.CharField(_("number"), max_length=30, blank=True, default="")
    bank_details = models.TextField(_("bank account"), max_length=500, blank=True, default="")
    transfer_days = models.PositiveSmallIntegerField(_("days for a transfer"), default=conf.TRANSFER_DAYS)
    pickup_place = models.TextField(_("pickup place"), max_length=300, blank=True, default="")
    pickup_hours = models.TextField(_("pickup hours"), max_length=200, blank=True, default="")
    mail_footer = models.TextField(_("footer of e-mails"), max_length=500, blank=True, default="")
    mails_off = models.JSONField(_("e-mails that are not sent"), default=list, blank=True)

    edit_handler = SHOP_PANELS

    class Meta:
        verbose_name = _("Shop details and e-mails")


class PointsAs(models.TextChoices):
    """What points that pay for an order are on its invoice."""

    DISCOUNT = conf.PointsAs.DISCOUNT.value, _("A discount")
    TENDER = conf.PointsAs.TENDER.value, _("A payment")


class IssueWhen(models.TextChoices):
    """When an invoice is issued."""

    PAID = conf.IssueWhen.PAID.value, _("By itself, when the order is paid")
    PLACED = conf.IssueWhen.PLACED.value, _("By itself, when the order is placed")
    STAFF = conf.IssueWhen.STAFF.value, _("By staff, on the page of the order")


class DocumentLanguage(models.TextChoices):
    """The language of invoices."""

    CUSTOMER = "", _("The customer's")
    ENGLISH = "en", _("English")
    NEPALI = "ne", _("Nepali")


class InvoiceSettings(BaseSiteSetting):
    """Whether and how a site issues invoices; ``conf.invoice_settings`` reads it."""

    pan = models.CharField(_("PAN"), max_length=20, blank=True, default="")
    is_vat_registered = models.BooleanField(_("registered for VAT"), default=False)
    prefix = models.CharField(_("prefix of the numbers"), max_length=12, blank=True, default="")
    first_number = models.PositiveIntegerField(_("starting number"), default=1)
    prices_include_vat = models.BooleanField(_("show prices with VAT"), default=True)
    points_as = models.CharField(
        _("points used are"), max_length=10, choices=PointsAs, default=PointsAs.DISCOUNT
    )  # fmt: skip
    issue_when = models.CharField(_("invoices are issued"), max_length=10, choices=IssueWhen, default=IssueWhen.PAID)
    language = models.CharField(
        _("language of invoices"), max_length=5, choices=DocumentLanguage, blank=True, default=""
    )
    is_approved = models.BooleanField(
        _("the tax office has approved this software for our tax invoices"), default=False
    )
    approved_by = models.CharField(max_length=64, null=True, blank=True, editable=False, help_text="the user's pk")
    approved_by_name = models.CharField(max_length=150, blank=True, default="", editable=False)
    approved_at = models.DateTimeField(null=True, blank=True, editable=False)

    edit_handler = INVOICE_PANELS

    class Meta:
        verbose_name = _("Invoices")

    def shop_details(self) -> "ShopDetails | None":
        """Return the site's details, None where nothing is set."""
        found: ShopDetails | None = ShopDetails.objects.filter(site_id=self.site_id).first()
        return found


class Campaign(models.Model):
    """More points for a limited time. Until it ends, the current version of its site's rules contains it."""

    site_key = models.CharField(max_length=255, default=conf.DEFAULT_SITE)
    name = models.CharField(_("name"), max_length=80)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    multiplier = models.DecimalField(_("points multiplier"), max_digits=5, decimal_places=2, default=1)
    addition = models.BigIntegerField(_("bonus points per order"), default=0)
    tags = models.JSONField(_("categories"), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="loyalink_campaign_ends_later"),
            models.CheckConstraint(
                condition=Q(multiplier__gte=1, addition__gte=0), name="loyalink_campaign_adds_points"
            ),
            models.UniqueConstraint(fields=["site_key", "name"], name="loyalink_campaign_name"),
        ]
        indexes = [models.Index(fields=["site_key", "-starts_at"], name="loyalink_campaign_newest")]

    def __str__(self) -> str:
        return self.name


class SavedFilter(models.Model):
    """The filters of a list under a name, of one member of staff. Searched texts may be names: they are left out."""

    user_id = models.CharField(max_length=64, help_text="the user's pk")
    page = models.CharField(max_length=40, help_text="the name of the list")
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=1000, help_text="of the URL")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("saved filter")
        verbose_name_plural = _("saved filters")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user_id", "page", "name"], name="loyalink_saved_filter_name")]

    def __str__(self) -> str:
        return self.name
