"""What editors type about Khalti. The key goes from the form to ``conf`` and nowhere else."""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

from loyalink_khalti import conf
from loyalink_khalti.khalti import Secret
from loyalink_khalti.money import KHALTI_MINIMUM
from loyalink_khalti.staff import may
from loyalink_khalti.staff.fields import RupeesField

from . import limits

SHORTEST_KEY, LONGEST_KEY = 16, 200
"""Characters. Khalti's own have 32 or 48; the margin is for what it may come to."""

SAVED, REMOVED = "loyalink_khalti.save_key", "loyalink_khalti.remove_key"
"""Log actions."""


class SecretKeyField(forms.CharField):
    """Take a key as typed and give a Secret; None for an empty field, which keeps the key that is there."""

    widget = forms.PasswordInput(
        render_value=False,
        attrs={"autocomplete": "new-password", "autocapitalize": "off", "spellcheck": "false"},
    )

    def clean(self, value: Any) -> Secret | None:
        if not value:
            return None
        if fault := _fault(str(value).strip()):
            raise ValidationError(fault)
        return Secret(str(value).strip())


def _fault(key: str) -> Any:
    """Say in words what is wrong with a key, without repeating it; "" when nothing is."""
    if not key:
        return _("There are only spaces here. Paste the key, or leave the field empty to keep the one in use.")
    if "…" in key:
        return _("This is how a key is shown, not the key itself.")
    if any(character.isspace() for character in key):
        return _("A key has no spaces inside. Paste the key alone, without “Key” in front of it.")
    if not all("!" <= character <= "~" for character in key):
        return _("A key has only plain English letters, digits and underscores.")
    if key.startswith("test_"):
        return _(
            "This is a key of Khalti's first API (KPG-1), which cannot be used here. For tests, too, take the one that"
            " test-admin.khalti.com calls “live secret key”."
        )
    if "public_key" in key:
        return _("This is the public key. Khalti shows the secret key beside it.")
    if len(key) < SHORTEST_KEY:
        return _("This is too short to be a key of Khalti's; was all of it copied?")
    if len(key) > LONGEST_KEY:
        return _("This is too long to be a key of Khalti's.")
    return ""


class KhaltiSettingsForm(limits.WithLimit):
    """The settings of a site and, beside them, its key."""

    limit, beyond, limit_changed = "refund_limit", may.REFUND_BEYOND_LIMIT, limits.REFUNDS

    secret_key = SecretKeyField(
        label=_("A new secret key"),
        required=False,
        help_text=_(
            "For the server chosen above. It is kept encrypted and never shown again. Left empty, nothing changes."
        ),
    )
    remove_key = forms.BooleanField(
        label=_("Remove the key"),
        required=False,
        help_text=_(
            "On saving, the key entered here for the chosen server is no longer used. Payments begun with it are still"
            " finished with it."
        ),
    )

    minimum_order = RupeesField(
        label=_("Smallest order"),
        least=KHALTI_MINIMUM,
        too_little=_("Khalti itself takes nothing below Rs 10."),
    )
    maximum_order = RupeesField(label=_("Largest order"), required=False, placeholder=_("no limit"))
    refund_limit = RupeesField(label=_("Refunds up to"), required=False, placeholder=_("no limit"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not any(found.source == conf.EDITORS for found in self.keys().values()):
            del self.fields["remove_key"]

    @property
    def site_key(self) -> str:
        return conf.key_of_site(self.instance.site)

    def keys(self) -> dict[str, conf.KeyInUse]:
        """What may be told of the keys of this site, by environment."""
        return {environment: conf.key_in_use(self.site_key, environment) for environment in (conf.TEST, conf.LIVE)}

    def typed_key(self) -> Secret | None:
        """The key in the form, not saved; raises ``ValidationError``."""
        field = self.fields["secret_key"]
        assert isinstance(field, SecretKeyField)
        return field.clean(self["secret_key"].data)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        least, most = cleaned.get("minimum_order"), cleaned.get("maximum_order")
        if least is not None and most is not None and most < least:
            self.add_error("maximum_order", _("This is below the smallest order, so that Khalti would take none."))
        if not cleaned.get("secret_key"):
            return cleaned
        if cleaned.get("remove_key"):
            self.add_error("remove_key", _("Either enter a new key or remove the one in use, not both."))
        try:
            conf.fernet()
        except ImproperlyConfigured as exc:
            self.add_error(
                "secret_key",
                _("The key was not saved, and the one in use is as it was: %(reason)s. Tell whoever runs the server.")
                % {"reason": exc},
            )
        return cleaned

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            instance = super().save(commit)
            if commit:
                self._keep()
        return instance

    def _keep(self) -> None:
        """Save or remove the key, and write down who did, with the fingerprint alone."""
        environment = self.cleaned_data["environment"]
        secret: Secret | None = self.cleaned_data.get("secret_key")
        before = conf.key_in_use(self.site_key, environment).fingerprint
        if secret is not None:
            conf.save_key(self.site_key, environment, secret)
            told = {"environment": environment, "fingerprint": secret.fingerprint}
            log(instance=self.instance, action=SAVED, data=told)
            self.instance.new_key = True  # for the page, to say so
        elif self.cleaned_data.get("remove_key") and conf.remove_key(self.site_key, environment):
            log(instance=self.instance, action=REMOVED, data={"environment": environment, "fingerprint": before})
