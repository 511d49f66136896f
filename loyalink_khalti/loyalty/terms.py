"""Who accepted which terms of a programme, and who left it. These rows are written once."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.errors import LedgerError

from .models import Account
from .program import Program


class TermsText(AppendOnlyModel):
    """The terms of a programme as customers have read them: one version in one language."""

    REFUSAL = LedgerError
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    version = models.CharField(max_length=64)
    language = models.CharField(max_length=16)
    sentences = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "version", "language"], name="loyalink_terms_text_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.language})"


class MembershipEventKind(models.TextChoices):
    """What a member has done about the membership itself."""

    ACCEPTED = "accepted", _("Accepted the terms")
    LEFT = "left", _("Left the programme")


class MembershipEvent(AppendOnlyModel):
    """A member has accepted the terms, with which they join again, or has left the programme."""

    REFUSAL = LedgerError
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="membership_events")
    kind = models.CharField(max_length=8, choices=MembershipEventKind)
    terms = models.ForeignKey(TermsText, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="left", terms=None) | models.Q(kind="accepted", terms__isnull=False),
                name="loyalink_accepted_some_terms",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.kind} {self.at:%Y-%m-%d}"
