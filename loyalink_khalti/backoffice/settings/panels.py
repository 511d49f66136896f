"""The panels of the page with Khalti's settings."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, Panel

from loyalink_khalti import conf
from loyalink_khalti.backoffice.limits import LimitSentence, rupees_label
from loyalink_khalti.backoffice.sentence import Sentence

from .form import KhaltiSettingsForm


class SimulatedPanel(Panel):
    """A warning where the deployment sends payments to a server that is not Khalti's."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/settings/simulated.html"

        def is_shown(self) -> bool:
            return conf.is_simulated()

        def show_panel_furniture(self) -> bool:
            return False

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "server": server_name(conf.TEST)}


class KeysPanel(Panel):
    """The current keys, masked, with their sources."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/settings/keys.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            labels = dict(self.instance._meta.get_field("environment").choices)
            # The stored environment, not the one that an invalid form has set on the instance.
            selected = self.form.initial.get("environment", self.instance.environment)
            keys = [
                {
                    "label": labels[environment],
                    "server": server_name(environment),
                    "is_selected": environment == selected,
                    "key": key,
                }
                for environment, key in self.form.current_keys().items()
            ]
            return {**context, "keys": keys, "EDITORS": conf.EDITORS, "may_change": self.form.may_change_key}


class TestKeyPanel(Panel):
    """The button that checks a key with Khalti."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/settings/test_key.html"

        class Media:
            js = ("loyalink_khalti/test_key.js",)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            url = reverse("loyalink_khalti_test_key", args=(self.instance.site_id,))
            may_change = self.form.may_change_key
            return {**super().get_context_data(parent_context), "url": url, "may_change": may_change}


def server_name(environment: str) -> str:
    """Return the host (and port) of an environment's server: ``dev.khalti.com``, ``127.0.0.1:9000``."""
    return urlsplit(conf.base_url(environment)).netloc


KHALTI_PANELS = ObjectList(
    [
        SimulatedPanel(),
        MultiFieldPanel(
            [
                FieldPanel("enabled"),
                FieldPanel("title", help_text=_("The name of this payment method at the checkout.")),
                FieldPanel("text", help_text=_("A line below the title. It may be empty.")),
                Sentence(
                    _("Khalti is offered to {audience} for orders from Rs {minimum_order} to Rs {maximum_order}."),
                    help_text=_(
                        "The price of products and delivery before points. The checkout says why Khalti is not"
                        " offered."
                    ),
                ),
            ],
            heading=_("At the checkout"),
            icon="desktop",
        ),
        MultiFieldPanel(
            [
                FieldPanel(
                    "environment",
                    heading=_("Payments go to"),
                    widget=forms.RadioSelect,
                    help_text=_(
                        "Start with the test server and its own key. Existing payments stay on the server where they"
                        " were created."
                    ),
                ),
                KeysPanel(heading=_("Keys in use")),
                FieldPanel("secret_key"),
                TestKeyPanel(),
                FieldPanel("remove_key"),
            ],
            heading=_("The shop's account at Khalti"),
            icon="key",
        ),
        MultiFieldPanel(
            [
                LimitSentence(
                    _("Staff may refund up to Rs {refund_limit} per order. More needs a permission."),
                    read_only=_(
                        "Staff may refund up to %(limit)s per order. Only staff who may exceed the limit can change"
                        " it."
                    ),
                    unlimited=_("Staff may refund any amount. Only staff who may exceed a limit can set one."),
                    format_limit=rupees_label,
                ),
                LimitSentence(
                    _(
                        "One colleague may refund up to Rs {refund_limit_per_actor} of all orders together in a day."
                        " More needs a permission."
                    ),
                    read_only=_(
                        "One colleague may refund up to %(limit)s of all orders together in a day. Only staff who may"
                        " exceed the limit can change it."
                    ),
                    format_limit=rupees_label,
                    help_text=_(
                        "Empty: no limit. A day is the last 24 hours. The permission is “Can refund more than the"
                        " limit …”."
                    ),
                ),
                LimitSentence(
                    _("A refund above Rs {approval_above} needs a second person, who approves or rejects it."),
                    read_only=_(
                        "A refund above %(limit)s needs a second person, who approves or rejects it. Only staff who"
                        " may exceed the limit can change it."
                    ),
                    format_limit=rupees_label,
                    help_text=_(
                        "Empty: no one has to approve. All refunds of an order count together, except those that were"
                        " approved. It holds for everybody; the permission to decide is “Can approve or reject a"
                        " colleague's refund”."
                    ),
                ),
                FieldPanel("refund_reasons"),
            ],
            heading=_("Refunds"),
            icon="rotate",
        ),
    ],
    base_form_class=KhaltiSettingsForm,
)
