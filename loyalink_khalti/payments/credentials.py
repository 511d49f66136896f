"""The keys with which payments are opened and looked up at Khalti."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Credentials(models.Model):
    """A secret key of one site for one server of Khalti's; only ``conf`` decrypts it.

    A payment keeps the credentials that opened it. ``ciphertext`` is empty for a key that comes from the environment.
    """

    site_key = models.CharField(max_length=255)
    environment = models.CharField(max_length=10)
    base_url = models.CharField(max_length=255)
    ciphertext = models.BinaryField(default=b"", editable=False)
    fingerprint = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "credentials"
        permissions = [("change_secret_key", _("Can change Khalti's secret key and server"))]
        constraints = [
            models.UniqueConstraint(
                fields=["site_key", "environment"],
                condition=Q(retired_at=None),
                name="loyalink_one_current_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_key} · {self.environment} · {self.fingerprint}"
