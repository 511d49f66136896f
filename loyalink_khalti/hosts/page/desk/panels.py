"""Panels of Wagtail's editors: what a site sets for the pages that it sells, and the stock of a page."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, Panel

from loyalink_khalti.hosts.common.payment_methods import BUILT_IN
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff.permissions import has_permission

from .order_permissions import CHANGE_STOCK, VIEW_STOCK


class ShopSettingsForm(WagtailAdminModelForm):
    """Checks what would fail at a checkout: no payment method, a bank transfer without an account."""

    methods = forms.MultipleChoiceField(
        label=gettext_lazy("Payment methods"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Khalti itself is set up in Settings › Khalti."),
        error_messages={"required": gettext_lazy("Choose at least one payment method.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from loyalink_khalti.hosts.page.site_settings import options, payment_methods  # its models have these panels

        super().__init__(*args, **kwargs)
        self._deployed = options()
        """What the deployment sets, for a site that has chosen nothing."""
        offered = [code for code in payment_methods(self.instance).methods if code in BUILT_IN]
        self.initial["methods"] = offered
        field: Any = self.fields["methods"]
        field.choices = [(code, BUILT_IN[code].title) for code in dict.fromkeys([*offered, *BUILT_IN])]

    def clean_methods(self) -> list[str]:
        """Return the chosen methods, with the site's own, which only a developer adds; [] for the deployment's."""
        chosen = list(self.cleaned_data["methods"])
        chosen += [code for code in payment_codes(self.instance) if code not in BUILT_IN]
        return [] if chosen == list(self._deployed.methods) else chosen

    def clean_order_prefix(self) -> str:
        prefix = str(self.cleaned_data["order_prefix"]).strip()
        if not all(character.isascii() and (character.isalnum() or character in "-_") for character in prefix):
            raise ValidationError(
                _("Use English letters, digits, - and _ only: the number is in addresses and at banks.")
            )
        return prefix

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        code = PaymentMethod.BANK_TRANSFER.value
        offers_transfer = code in (data.get("methods") or self._deployed.methods)
        has_account = str(data.get("bank_transfer_text") or "").strip() or self._deployed.texts.get(code)
        if offers_transfer and not has_account and "methods" not in self.errors:
            self.add_error(
                "bank_transfer_text", _("Enter the bank account: customers who pay by bank transfer need it.")
            )
        return data


def payment_codes(settings: Any) -> list[str]:
    """Return the codes of the payment methods that the settings have stored."""
    return [code for code in settings.methods if isinstance(code, str)] if isinstance(settings.methods, list) else []


SHOP_PANELS = ObjectList(
    [
        MultiFieldPanel([FieldPanel("shop_name"), FieldPanel("order_prefix")], heading=gettext_lazy("Shop")),
        MultiFieldPanel(
            [FieldPanel("methods"), FieldPanel("bank_transfer_text"), FieldPanel("cod_text")],
            heading=gettext_lazy("Payment"),
        ),
        FieldPanel("delivery_options", heading=gettext_lazy("Delivery")),
        MultiFieldPanel([FieldPanel("mail_footer")], heading=gettext_lazy("Mails")),
    ],
    base_form_class=ShopSettingsForm,
)


class StockPanel(Panel):
    """Shows how many are left of a page's product and of its choices. It has no field: see ``stock_change``."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/page/desk/stock_panel.html"

        def is_shown(self) -> bool:
            return bool(super().is_shown() and has_permission(self.request.user, VIEW_STOCK))

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            from .products_in_stock import levels_of, stock_rows  # the site's page models import this panel
            from .stock_list import stock_url

            page, context = self.instance, super().get_context_data(parent_context)
            if not page.pk or not page.track_stock:
                return {**context, "rows": [], "url": ""}
            may_change = has_permission(self.request.user, CHANGE_STOCK)
            return {
                **context,
                "rows": stock_rows(page, levels_of([page.product])),
                "url": stock_url(page.product) if may_change else "",
            }
