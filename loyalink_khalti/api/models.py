"""The idempotency keys of "begin", and the purchase that each has led to. No personal data: hashes and a reference."""

from django.db import models
from django.utils import timezone


class ApiRequest(models.Model):
    """One request to begin a purchase. ``ref`` is written in the transaction that creates the purchase."""

    key_hash = models.CharField(max_length=64, unique=True, help_text="of the caller and the key, with SECRET_KEY")
    body_hash = models.CharField(max_length=64, help_text="with SECRET_KEY")
    lease = models.CharField(max_length=32, help_text="of the process that works on it")
    started_at = models.DateTimeField(default=timezone.now)
    shop = models.CharField(max_length=50, blank=True, default="", db_default="")
    ref = models.CharField(max_length=128, blank=True, default="", db_default="", help_text="of the purchase")

    class Meta:
        indexes = [models.Index("started_at", name="loyalink_api_request_started")]

    def __str__(self) -> str:
        return f"{self.shop}:{self.ref}" if self.ref else "in progress"
