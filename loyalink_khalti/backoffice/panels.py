"""The page of Khalti's settings, panel by panel."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, ObjectList, Panel

from loyalink_khalti import conf

from .forms import KhaltiSettingsForm
from .limits import Limit, whole_rupees
from .sentence import Sentence


class SimulatedPanel(Panel):
    """Say so where the deployment sends payments to a server that is not Khalti's."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/simulated.html"

        def is_shown(self) -> bool:
            return conf.is_simulated()

        def show_panel_furniture(self) -> bool:
            return False

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "server": server(conf.TEST)}


class KeysPanel(Panel):
    """Which keys are in use, masked, and where they come from."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/keys.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            labels = dict(self.instance._meta.get_field("environment").choices)
            # What is stored, not what a form with errors has put on the instance.
            chosen = self.form.initial.get("environment", self.instance.environment)
            keys = [
                {"label": labels[environment], "server": server(environment), "on": environment == chosen, "key": key}
                for environment, key in self.form.keys().items()
            ]
            return {**context, "keys": keys, "EDITORS": conf.EDITORS}


class TestPanel(Panel):
    """The button that asks Khalti whether it knows the key."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/test_key.html"

        class Media:
            js = ("loyalink_khalti/test_key.js",)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            url = reverse("loyalink_khalti_test_key", args=(self.instance.site_id,))
            return {**super().get_context_data(parent_context), "url": url}


def server(environment: str) -> str:
    """Where an environment's calls go, as a person would say it: ``dev.khalti.com``, ``127.0.0.1:9000``."""
    return urlsplit(conf.base_url(environment)).netloc


KHALTI = ObjectList(
    [
        SimulatedPanel(),
        MultiFieldPanel(
            [
                FieldPanel("enabled"),
                FieldPanel("title", help_text=_("The name beside the button, among the other ways to pay.")),
                FieldPanel("text", help_text=_("One line under it; may be empty.")),
                Sentence(
                    _("Khalti is offered to {audience} for orders from Rs {minimum_order} to Rs {maximum_order}."),
                    help_text=_(
                        "What goods and delivery cost before points. Where it is not offered, the checkout says why."
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
                        "Begin with the test server and its own key. Payments that have begun stay where they began."
                    ),
                ),
                KeysPanel(heading=_("Keys in use")),
                FieldPanel("secret_key"),
                TestPanel(),
                FieldPanel("remove_key"),
            ],
            heading=_("The shop's account at Khalti"),
            icon="key",
        ),
        MultiFieldPanel(
            [
                Limit(
                    _("Staff give back up to Rs {refund_limit} of one order; more needs a permission."),
                    said=_("Staff give back up to %(limit)s of one order. Only who may go beyond it may change it."),
                    without=_("Staff give back any amount of one order. Only who may go beyond a limit may set one."),
                    write=whole_rupees,
                    help_text=_("Empty: no limit. The permission is “Can give back more than the limit …”."),
                )
            ],
            heading=_("Refunds"),
            icon="rotate",
        ),
    ],
    base_form_class=KhaltiSettingsForm,
)
