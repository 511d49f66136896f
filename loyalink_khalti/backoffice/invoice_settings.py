"""The form and the panels of *Settings → Invoices*."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.models import Site

from loyalink_khalti import bikram_sambat, nepal
from loyalink_khalti.conf import formats
from loyalink_khalti.payments import invoices
from loyalink_khalti.staff.fields import WholeNumberField

LARGEST_NUMBER = 99_999_999
PREFIX = "A–Z a–z 0–9 - . / _"


class InvoiceSettingsForm(WagtailAdminModelForm):
    """What the accountant sets about invoices."""

    first_number = WholeNumberField(
        label=_("Starting number"), minimum=1, maximum=LARGEST_NUMBER,
        help_text=_("Of the first invoice of all. Every later fiscal year begins with 1."),
    )  # fmt: skip

    def clean_pan(self) -> str:
        typed = str(self.cleaned_data["pan"]).strip()
        if not typed:
            return ""
        found = nepal.pan(typed)
        if not found:
            raise ValidationError(_("A PAN has nine digits, for example 301234567."))
        if not bikram_sambat.is_installed():
            message = _('The fiscal year needs a library: pip install "loyalink-khalti[bikram-sambat]".')
            raise ValidationError(message)
        return found

    def clean_prefix(self) -> str:
        prefix = str(self.cleaned_data["prefix"]).strip()
        if any(not (char.isascii() and (char.isalnum() or char in "-./_")) for char in prefix):
            raise ValidationError(_("Use these characters: %(characters)s.") % {"characters": PREFIX})
        return prefix

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        self._check_start(cleaned)
        self._check_receipts(cleaned)
        if cleaned.get("is_approved") and not cleaned.get("is_vat_registered"):
            self.add_error("is_approved", _("Only a shop that is registered for VAT issues tax invoices."))
        return cleaned

    def _check_start(self, cleaned: dict[str, Any]) -> None:
        number, pan = cleaned.get("first_number"), cleaned.get("pan")
        if number and pan and number != self.instance.first_number and invoices.has_issued(pan):
            self.add_error("first_number", _("Invoices have been issued with this PAN: the start cannot change."))

    def _check_receipts(self, cleaned: dict[str, Any]) -> None:
        """The number on receipts, where there is one, must be the same: a VAT number is the PAN."""
        pan, site = cleaned.get("pan"), Site.objects.filter(pk=self.instance.site_id).first()
        if not pan or site is None:
            return
        details = self.instance.shop_details()
        known = nepal.pan(details.registration_number) if details is not None else ""
        if known and known != pan:
            message = _("Receipts have another number, %(number)s: see Shop details and e-mails.")
            self.add_error("pan", message % {"number": known})

    def save(self, commit: bool = True) -> Any:
        if "is_approved" in self.changed_data:
            user = self.for_user if self.instance.is_approved else None
            self.instance.approved_by = str(user.pk) if user is not None else None
            self.instance.approved_by_name = str(user) if user is not None else ""
            self.instance.approved_at = timezone.now() if user is not None else None
        return super().save(commit)


class ApprovalPanel(HelpPanel):
    """Who has confirmed the approval, and when; and what the confirmation means."""

    class BoundPanel(HelpPanel.BoundPanel):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.content = approval_text(self.instance)


def approval_text(instance: Any) -> SafeString:
    """Return what the confirmation means, and who has given it, as HTML."""
    meaning = _t(
        'Documents have the title "Invoice" until you confirm here that the Inland Revenue Department has approved the'
        " software with which you issue them. This package brings no approval; ask your tax office or your accountant."
    )
    if not instance.approved_at:
        return format_html("<p>{}</p>", meaning)
    who = {"user": instance.approved_by_name, "moment": formats.moment(instance.approved_at)}
    return format_html("<p>{}</p><p><strong>{}</strong></p>", meaning, _t("Confirmed by %(user)s, %(moment)s.") % who)


INVOICE_PANELS = ObjectList(
    [
        MultiFieldPanel(
            [
                FieldPanel("pan", help_text=_("Nine digits. Empty: no invoices are issued.")),
                FieldPanel("is_vat_registered", help_text=_("Then invoices show 13 % VAT.")),
                FieldPanel(
                    "prices_include_vat",
                    help_text=_(
                        "How invoices show prices. The total is always what the customer was charged: without VAT in"
                        " the prices, the checkout must have added it."
                    ),
                ),
                FieldPanel("points_as", help_text=_("A discount lowers the VAT; a payment does not.")),
            ],
            heading=_("Tax"),
            icon="doc-full",
        ),
        MultiFieldPanel(
            [
                FieldPanel("issue_when"),
                FieldPanel("language"),
                FieldRowPanel([FieldPanel("prefix"), FieldPanel("first_number")]),
            ],
            heading=_("Issue"),
            icon="list-ol",
        ),
        MultiFieldPanel(
            [ApprovalPanel(), FieldPanel("is_approved")],
            heading=_("Approval of the tax office"),
            icon="check",
        ),
    ],
    base_form_class=InvoiceSettingsForm,
)
