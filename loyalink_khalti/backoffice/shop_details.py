"""The form and the panels of *Settings → Shop details and e-mails*."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList, Panel

from loyalink_khalti import flow
from loyalink_khalti.colours import READABLE, WHITE, contrast, is_colour
from loyalink_khalti.staff.fields import WholeNumberField

LARGEST_LOGO = 1024 * 1024
"""Bytes: the logo is loaded by every e-mail that is opened."""
LONGEST_TRANSFER = 365
"""Days."""
LOGO_FORMATS = ("PNG", "JPEG")


def check_colour(value: str) -> None:
    """Raise ``ValidationError`` for what is no colour, and for one that cannot be read on white."""
    if len(value) != 7 or not is_colour(value):
        raise ValidationError(_("Write a colour as # and six digits or letters, for example #5c2d91."))
    if contrast(value, WHITE) < READABLE:
        raise ValidationError(_("This colour is too light to be read on white. Choose a darker one."))


def check_logo(logo: Any) -> None:
    """Raise ``ValidationError`` for a new file that not every mail program shows."""
    if logo.size > LARGEST_LOGO:
        raise ValidationError(_("The file is larger than 1 MB."))
    if getattr(getattr(logo, "image", None), "format", None) not in LOGO_FORMATS:
        raise ValidationError(_("The logo must be a PNG or JPEG file."))


class ShopDetailsForm(WagtailAdminModelForm):
    """What editors set about their shop."""

    mails_on = forms.MultipleChoiceField(
        label=_("E-mails that are sent"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["mails_on"]
        field.choices = [(kind.value, label) for kind, label in flow.MAIL_LABELS.items()]
        off = set(self.instance.mails_off or ())
        field.initial = [kind.value for kind in flow.MailKind if kind.value not in off]

    def save(self, commit: bool = True) -> Any:
        on = set(self.cleaned_data["mails_on"])
        self.instance.mails_off = [kind.value for kind in flow.MailKind if kind.value not in on]
        return super().save(commit)

    transfer_days = WholeNumberField(label=_("Days for a transfer"), maximum=LONGEST_TRANSFER)

    def clean_colour(self) -> str:
        colour = str(self.cleaned_data["colour"]).strip().lower()
        if colour:
            check_colour(colour)
        return colour

    def clean_logo(self) -> Any:
        logo = self.cleaned_data.get("logo")
        if logo and "logo" in self.changed_data:
            check_logo(logo)
        return logo

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind, number = cleaned.get("registration_kind"), cleaned.get("registration_number")
        if bool(kind) != bool(number):
            name = "registration_number" if kind else "registration_kind"
            self.add_error(name, _("Give both, the kind of number and the number, or neither."))
        return cleaned


class MailsPanel(Panel):
    """Each kind of mail: whether it is sent, when, and how it looks."""

    def clean_name(self) -> str:
        return "mails"

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/settings/mails.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            chosen = set(self.form["mails_on"].value() or ())
            rows = [
                {
                    "kind": kind.value,
                    "label": label,
                    "occasion": flow.MAIL_OCCASIONS[kind],
                    "is_on": kind.value in chosen,
                    "is_loyalty": kind in flow.LOYALTY_MAILS,
                    "url": reverse("loyalink_khalti_mail_preview", args=[self.instance.site_id, kind.value]),
                }
                for kind, label in flow.MAIL_LABELS.items()
            ]
            return {**context, "rows": rows, "languages": settings.LANGUAGES}


_LINES = forms.Textarea(attrs={"rows": 3})

SHOP_PANELS = ObjectList(
    [
        MultiFieldPanel(
            [
                FieldPanel("shop_name", help_text=_("On receipts and in e-mails. Empty: the name of the site.")),
                FieldPanel("logo", help_text=_("PNG or JPEG, at most 1 MB. It is shown 48 pixels high.")),
                FieldPanel(
                    "colour",
                    widget=forms.TextInput(attrs={"placeholder": "#5c2d91", "maxlength": 7}),
                    help_text=_("Of buttons and links, for example #5c2d91. White text must be readable on it."),
                ),
            ],
            heading=_("Name and look"),
            icon="desktop",
        ),
        MultiFieldPanel(
            [
                FieldPanel("address", widget=_LINES),
                FieldRowPanel([FieldPanel("phone"), FieldPanel("email")]),
                FieldRowPanel([FieldPanel("registration_kind"), FieldPanel("registration_number")]),
            ],
            heading=_("On receipts"),
            icon="doc-full",
        ),
        MultiFieldPanel(
            [
                FieldPanel(
                    "bank_details",
                    widget=forms.Textarea(attrs={"rows": 4}),
                    help_text=_(
                        "Bank, account name and account number. Customers see it wherever a transfer is awaited."
                    ),
                ),
                FieldPanel(
                    "transfer_days", help_text=_("Within how many days a transfer is to arrive. 0: no deadline.")
                ),
            ],
            heading=_("Bank transfer"),
            icon="download",
        ),
        MultiFieldPanel(
            [FieldPanel("pickup_place", widget=_LINES), FieldPanel("pickup_hours", widget=_LINES)],
            heading=_("Pickup"),
            icon="home",
        ),
        MultiFieldPanel(
            [
                FieldPanel("mail_footer", widget=_LINES, help_text=_("The last lines of every e-mail to a customer.")),
                MailsPanel(heading=_("E-mails that are sent")),
            ],
            heading=_("E-mails"),
            icon="mail",
        ),
    ],
    base_form_class=ShopDetailsForm,
)
