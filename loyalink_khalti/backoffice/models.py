"""What editors set, per site, in Wagtail's settings. The secret key is not here: ``conf`` keeps it, encrypted."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from wagtail.contrib.settings.models import BaseSiteSetting

from .panels import KHALTI


class Environment(models.TextChoices):
    """Which of Khalti's two servers; a deployment's ``KHALTI_BASE_URL`` decides the address."""

    TEST = "test", _("Test: no money moves")
    LIVE = "live", _("Live")


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

    edit_handler = KHALTI

    class Meta:
        verbose_name = _("Khalti")
