"""The form of Khalti's settings. The secret key goes from the form to ``conf`` and nowhere else."""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.limits import REFUND_LIMIT_CHANGED, GuardedForm
from loyalink_khalti.khalti import Secret
from loyalink_khalti.money import KHALTI_MINIMUM
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.fields import RupeesField

MIN_KEY_LENGTH, MAX_KEY_LENGTH = 16, 200
"""Khalti's keys have 32 or 48 characters; the bounds leave room for other lengths."""

REFUND_LIMITS = ("refund_limit", "refund_limit_per_actor", "approval_above")
MOST_REASONS, LONGEST_REASON = 20, 60
KEY_SAVED, KEY_REMOVED = "loyalink_khalti.save_key", "loyalink_khalti.remove_key"
ENVIRONMENT_CHANGED, SWITCHED = "loyalink_khalti.change_environment", "loyalink_khalti.switch_khalti"
"""Log actions."""


class SecretKeyField(forms.CharField):
    """A password field that returns a ``Secret``; None if it is empty, which keeps the current key."""

    widget = forms.PasswordInput(
        render_value=False,
        attrs={"autocomplete": "new-password", "autocapitalize": "off", "spellcheck": "false"},
    )

    def clean(self, value: Any) -> Secret | None:
        if not value:
            return None
        if error := _key_error(str(value).strip()):
            raise ValidationError(error)
        return Secret(str(value).strip())


def _key_error(key: str) -> Any:
    """Return why a text cannot be a key, without repeating it; "" if it can."""
    if not key:
        return _("This contains only spaces. Paste the key, or leave the field empty to keep the current key.")
    if "…" in key:
        return _("This is the masked form of a key, not the key itself.")
    if any(character.isspace() for character in key):
        return _("A key contains no spaces. Paste only the key, without “Key” in front of it.")
    if not all("!" <= character <= "~" for character in key):
        return _("A key contains only plain English letters, digits and underscores.")
    if key.startswith("test_"):
        return _(
            "This is a key of Khalti's first API (KPG-1), which does not work here. For tests, too, use the key that"
            " test-admin.khalti.com calls “live secret key”."
        )
    if "public_key" in key:
        return _("This is the public key. Khalti shows the secret key beside it.")
    if len(key) < MIN_KEY_LENGTH:
        return _("This is too short for a Khalti key. Was the whole key copied?")
    if len(key) > MAX_KEY_LENGTH:
        return _("This is too long for a Khalti key.")
    return ""


class KhaltiSettingsForm(GuardedForm):
    """The settings of a site, with a field for a new secret key."""

    guarded = dict.fromkeys(REFUND_LIMITS, permissions.REFUND_BEYOND_LIMIT) | {"environment": permissions.KHALTI_KEY}
    log_actions = dict.fromkeys(REFUND_LIMITS, REFUND_LIMIT_CHANGED) | {"environment": ENVIRONMENT_CHANGED}

    secret_key = SecretKeyField(
        label=_("New secret key"),
        required=False,
        help_text=_(
            "For the server selected above. The key is stored encrypted and never shown again. Leave the field empty"
            " to keep the current key."
        ),
    )
    remove_key = forms.BooleanField(
        label=_("Remove the key"),
        required=False,
        help_text=_(
            "After saving, the key that was entered here for the selected server is no longer used. Payments that were"
            " created with it are still completed with it."
        ),
    )

    minimum_order = RupeesField(
        label=_("Minimum order"),
        minimum=KHALTI_MINIMUM,
        minimum_error=_("Khalti accepts no payment below Rs 10."),
    )
    maximum_order = RupeesField(label=_("Maximum order"), required=False, placeholder=_("no limit"))
    refund_limit = RupeesField(label=_("Refund limit"), required=False, placeholder=_("no limit"))
    refund_limit_per_actor = RupeesField(
        label=_("Refund limit per colleague and day"), required=False, placeholder=_("no limit")
    )

    approval_above = RupeesField(label=_("Refunds need a colleague above"), required=False, placeholder=_("no limit"))
    refund_reasons = forms.CharField(
        label=_("More reasons for refunds"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "One a line. Staff choose from them, after the reasons that every shop has. What was chosen before stays."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_change_key = self.has_permission(permissions.KHALTI_KEY)
        if not self.may_change_key:
            del self.fields["secret_key"], self.fields["remove_key"]
        elif not any(key.source == conf.EDITORS for key in self.current_keys().values()):
            del self.fields["remove_key"]

    @property
    def site_key(self) -> str:
        return conf.site_key_of(self.instance.site)

    def current_keys(self) -> dict[str, conf.SecretKeyInfo]:
        """Return the masked keys of this site, by environment."""
        return {
            environment: conf.secret_key_info(self.site_key, environment) for environment in (conf.TEST, conf.LIVE)
        }

    @property
    def selected_environment(self) -> str:
        """The environment in the form, or the stored one for users who may not change it."""
        field = self.fields.get("environment")
        return str(field.clean(self["environment"].data) if field is not None else self.instance.environment)

    def entered_key(self) -> Secret | None:
        """Return the key in the form, not saved; None if there is none. Raises ``ValidationError``."""
        field = self.fields.get("secret_key")
        if field is None:
            return None
        assert isinstance(field, SecretKeyField)
        return field.clean(self["secret_key"].data)

    def clean_refund_reasons(self) -> str:
        lines = [" ".join(line.split()) for line in self.cleaned_data["refund_reasons"].splitlines()]
        reasons = list(dict.fromkeys(filter(None, lines)))
        if len(reasons) > MOST_REASONS:
            raise ValidationError(_("At most %(number)s reasons.") % {"number": MOST_REASONS})
        if too_long := next((reason for reason in reasons if len(reason) > LONGEST_REASON), ""):
            values = {"reason": too_long, "number": LONGEST_REASON}
            raise ValidationError(_("“%(reason)s” is longer than %(number)s characters.") % values)
        return "\n".join(reasons)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        minimum, maximum = cleaned.get("minimum_order"), cleaned.get("maximum_order")
        if minimum is not None and maximum is not None and maximum < minimum:
            self.add_error("maximum_order", _("This is below the minimum order, so Khalti would never be offered."))
        if not self.may_change_key and self._posts_key():
            raise ValidationError(
                _(
                    "You do not have permission to change the secret key or the server, so nothing was saved. Open the"
                    " page again."
                )
            )
        if not cleaned.get("secret_key"):
            return cleaned
        if cleaned.get("remove_key"):
            self.add_error("remove_key", _("Enter a new key or remove the current key, not both."))
        try:
            conf.fernet()
        except ImproperlyConfigured as exc:
            message = _(
                "The key was not saved, and the current key is unchanged: %(reason)s. Contact the person who runs the"
                " server."
            )
            self.add_error("secret_key", message % {"reason": exc})
        return cleaned

    def _posts_key(self) -> bool:
        """Whether the form contains what its user may not change: the permission may be gone since it was shown."""
        environment = self.data.get("environment")
        other = environment is not None and environment != self.instance.environment
        return other or bool(self.data.get("secret_key") or self.data.get("remove_key"))

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            was_enabled = type(self.instance).objects.filter(pk=self.instance.pk).values_list("enabled", flat=True)
            before = was_enabled.first()
            instance = super().save(commit)
            if commit and instance.enabled != (True if before is None else before):
                report_switch(instance, user=self.for_user)
            if commit and self.may_change_key:
                self._save_key()
        return instance

    def _save_key(self) -> None:
        """Save or remove the key, and log only its fingerprint."""
        environment = self.cleaned_data["environment"]
        secret: Secret | None = self.cleaned_data.get("secret_key")
        former = conf.secret_key_info(self.site_key, environment).fingerprint
        if secret is not None:
            conf.save_secret_key(self.site_key, environment, secret)
            self._log(KEY_SAVED, environment, secret.fingerprint)
            if secret.fingerprint != former:
                self._alert(flow.KeyChange.SAVED, environment, former, secret.fingerprint)
            self.instance.has_new_key = True  # for the message after saving
        elif self.cleaned_data.get("remove_key") and conf.remove_secret_key(self.site_key, environment):
            self._log(KEY_REMOVED, environment, former)
            now = conf.secret_key_info(self.site_key, environment).fingerprint
            self._alert(flow.KeyChange.REMOVED, environment, former, now)

    def log_change(self, name: str, old: Any, new: Any) -> None:
        super().log_change(name, old, new)
        if name == "environment":
            self._alert(flow.KeyChange.ENVIRONMENT, new, old or "", new)

    def _alert(self, change: flow.KeyChange, environment: str, former: str, fingerprint: str) -> None:
        flow.alert_key_change(
            site_key=self.site_key, change=change, environment=environment, former=former, fingerprint=fingerprint,
            actor=str(self.for_user.pk) if self.for_user else None,
        )  # fmt: skip

    def _log(self, action: str, environment: str, fingerprint: str) -> None:
        data = {"environment": environment, "fingerprint": fingerprint}
        log(instance=self.instance, action=action, data=data)


def report_switch(settings: Any, *, user: Any) -> None:
    """Log that Khalti was switched, and let the outbox mail it, in the caller's transaction."""
    log(instance=settings, action=SWITCHED, user=user, data={"enabled": settings.enabled})
    flow.alert_khalti_switched(
        site_key=conf.site_key_of(settings.site), enabled=settings.enabled, actor=str(user.pk) if user else None
    )
