"""What editors set, per site, in Wagtail's settings. The secret key is not here: ``conf`` keeps it, encrypted.

Nor are the rules of the points: their form reads and writes versions of them (``loyalty.programmes``).
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from wagtail.contrib.settings.models import BaseSiteSetting

from loyalink_khalti import conf

from .panels import KHALTI
from .rules_panels import LOYALTY


class Environment(models.TextChoices):
    """Which of Khalti's two servers; a deployment's ``KHALTI_BASE_URL`` decides the address."""

    TEST = "test", _("Test: no money moves")
    LIVE = "live", _("Live")


class Audience(models.TextChoices):
    """Who may pay with Khalti."""

    EVERYBODY = conf.EVERYBODY, _("Everybody")
    MEMBERS = conf.MEMBERS, _("Customers who have logged in")
    STAFF = conf.STAFF, _("Staff alone, to try it out")


class KhaltiSettings(BaseSiteSetting):
    """Whether and how a site offers Khalti."""

    enabled = models.BooleanField(
        _("offer Khalti at the checkout"),
        default=True,
        help_text=_("Switched off, no new payment begins; open ones are still finished and refunds still work."),
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
    minimum_order = models.BigIntegerField(_("smallest order"), default=1000, validators=[MinValueValidator(1000)])
    """Paisa, before points; Khalti itself takes nothing below Rs 10."""
    maximum_order = models.BigIntegerField(_("largest order"), null=True, blank=True)
    """Paisa, before points; null: no limit."""
    refund_limit = models.BigIntegerField(_("refunds up to"), null=True, blank=True, validators=[MinValueValidator(0)])
    """Paisa of cash of one order that who may refund gives back without another permission; null: no limit."""

    edit_handler = KHALTI

    class Meta:
        verbose_name = _("Khalti")


class LoyaltySettings(BaseSiteSetting):
    """What a site says of its points, and how far staff may move them; the rules are ``ProgramVersion``s."""

    name = models.CharField(_("name of the programme"), max_length=40, blank=True, default="")
    text = models.CharField(_("text on the points card"), max_length=300, blank=True, default="")
    adjust_limit = models.BigIntegerField(
        _("adjustments up to"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    """Points of one member that who may adjust moves in a day without another permission; null: no limit."""

    edit_handler = LOYALTY

    class Meta:
        verbose_name = _("Loyalty points")


class Campaign(models.Model):
    """More points for a time; what runs or will run is written into the rules of its site, as a new version."""

    site_key = models.CharField(max_length=255, default=conf.DEFAULT_SITE)
    name = models.CharField(_("name"), max_length=80)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    multiplier = models.DecimalField(_("multiply points by"), max_digits=5, decimal_places=2, default=1)
    addition = models.BigIntegerField(_("add points to an order"), default=0)
    tags = models.JSONField(_("categories"), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="loyalink_campaign_ends_later"),
            models.CheckConstraint(
                condition=Q(multiplier__gte=1, addition__gte=0), name="loyalink_campaign_gives_more"
            ),
            models.UniqueConstraint(fields=["site_key", "name"], name="loyalink_campaign_name"),
        ]
        indexes = [models.Index(fields=["site_key", "-starts_at"], name="loyalink_campaign_newest")]

    def __str__(self) -> str:
        return self.name
