"""The form of the loyalty settings: texts of the site, and rules that are read from and saved as versions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from django import forms
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import log

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.example import Example, example_form
from loyalink_khalti.backoffice.limits import ADJUST_LIMIT_CHANGED, GuardedForm
from loyalink_khalti.loyalty import ledger, validation
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Points
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.fields import WholeNumberField

from .changes import describe_changes
from .fields import CategoryMultiplierFormSet, RuleFields, TierFormSet, keep_unchanged

RULES_CHANGED = "loyalink_khalti.change_rules"
"""Log action."""
ADJUST_LIMITS = ("adjust_limit_per_action", "adjust_limit", "adjust_limit_per_actor")
COUNTER_LIMITS = ("counter_limit_per_sale", "counter_limit", "counter_limit_per_actor")
RULE_NAMES = tuple(RuleFields.base_fields)
RELATED = {"excluded_tags": ("multipliers",)}
"""An error of a rule may also come from these rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRules:
    """The version of the rules after saving, what has changed, and warnings about it."""

    number: int
    changes: list[str]
    warnings: list[str]


class RulesChanged(Exception):
    """Another user has changed the rules since the form was opened; nothing was saved."""


class LoyaltySettingsForm(GuardedForm, RuleFields):
    """Everything that editors choose about the points of a site."""

    guarded = dict.fromkeys(ADJUST_LIMITS, permissions.ADJUST_BEYOND_LIMIT) | dict.fromkeys(
        COUNTER_LIMITS, permissions.COUNTER_BEYOND_LIMIT
    )
    log_actions = dict.fromkeys((*ADJUST_LIMITS, *COUNTER_LIMITS), ADJUST_LIMIT_CHANGED)
    adjust_limit_per_action = WholeNumberField(
        label=gettext_lazy("Adjustment limit at once"), required=False, placeholder=gettext_lazy("any number of")
    )
    adjust_limit = WholeNumberField(
        label=gettext_lazy("Adjustment limit per member and day"),
        required=False,
        placeholder=gettext_lazy("any number of"),
    )
    adjust_limit_per_actor = WholeNumberField(
        label=gettext_lazy("Adjustment limit per colleague and day"),
        required=False,
        placeholder=gettext_lazy("any number of"),
    )
    counter_limit_per_sale = WholeNumberField(
        label=gettext_lazy("Limit of a counter sale"), required=False, placeholder=gettext_lazy("any number of")
    )
    counter_limit = WholeNumberField(
        label=gettext_lazy("Counter limit per customer and day"),
        required=False,
        placeholder=gettext_lazy("any number of"),
    )
    counter_limit_per_actor = WholeNumberField(
        label=gettext_lazy("Counter limit per colleague and day"),
        required=False,
        placeholder=gettext_lazy("any number of"),
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    """The number of the version when the form was opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = ledger.current_version(self.site_key)
        stored = self.version.rules
        self.rules: Rules | None = None if self.is_bound else stored
        """The rules in the form; None while they are invalid."""
        self.category_names = flow.category_names(
            [*stored.excluded_tags, *(tag for tag, _factor in stored.multipliers)]
        )
        self.initial = {**{name: getattr(stored, name) for name in RULE_NAMES}, **self.initial}
        self.initial["seen"] = self.version.number
        self.fields["excluded_tags"].choices = list(self.category_names.items())  # type: ignore[attr-defined]
        self.row_formsets = {"tiers": self._tiers(stored), "multipliers": self._multipliers(stored)}

    def _tiers(self, stored: Rules) -> Any:
        rows = [
            {"name": tier.name, "threshold": tier.threshold, "multiplier": tier.multiplier} for tier in stored.tiers
        ]
        return TierFormSet(self.data if self.is_bound else None, prefix="tiers", initial=rows)

    def _multipliers(self, stored: Rules) -> Any:
        rows = [{"tag": tag, "factor": factor} for tag, factor in stored.multipliers]
        data = self.data if self.is_bound else None
        formset = CategoryMultiplierFormSet(data, prefix="multipliers", initial=rows)
        for form in (*formset.forms, formset.empty_form):
            form.fields["tag"].choices = [("", "…"), *self.category_names.items()]
        return formset

    @property
    def site_key(self) -> str:
        return conf.site_key_of(self.instance.site)

    # Validation

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        keep_unchanged(self, RULE_NAMES)
        chosen = {name: cleaned[name] for name in RULE_NAMES if name in cleaned}
        if "excluded_tags" in chosen:
            chosen["excluded_tags"] = self._stored_order(chosen["excluded_tags"])
        chosen |= self._clean_formsets()
        for name, message in self._new_errors(chosen):
            self.add_error(name, message)
        if not any(True for _error in self.rule_errors()):
            self._set_rules(chosen)
        if "seen" in self.errors:
            self.add_error(None, _("This form is incomplete. Please open the page again."))
        self._require_current(cleaned.get("seen"))
        return cleaned

    def _new_errors(self, chosen: dict[str, Any]) -> Iterator[validation.RuleError]:
        """Yield the errors that the stored rules do not have: an error that code has made does not block a pause."""
        stored = {name: getattr(self.version.rules, name) for name in chosen}
        unchanged = {name for name in chosen if chosen[name] == stored[name]}
        old = set(validation.rule_errors(stored))
        for name, message in validation.rule_errors(chosen):
            if (name, message) not in old or not {name, *RELATED.get(name, ())} <= unchanged:
                yield name, message

    def _stored_order(self, tags: list[str]) -> tuple[str, ...]:
        """Return the tags in the stored order if they are the same ones, so that the rules stay equal."""
        stored = self.version.rules.excluded_tags
        return stored if set(stored) == set(tags) else tuple(tags)

    def _clean_formsets(self) -> dict[str, Any]:
        """Return the tiers and category multipliers that are valid, and add errors to their rows."""
        tiers, multipliers = self.row_formsets["tiers"], self.row_formsets["multipliers"]
        found: dict[str, Any] = {}
        if tiers.is_valid():
            found["tiers"] = self._clean_tiers(tiers)
        if multipliers.is_valid():
            found["multipliers"] = tuple((row["tag"], row["factor"]) for row in multipliers.kept_data())
            if found["multipliers"] != self.version.rules.multipliers:
                _require_unique_categories(multipliers)
        if not (tiers.is_valid() and multipliers.is_valid()):
            self.add_error(None, _("Correct the errors in the rows of tiers or categories."))
        return found

    def _clean_tiers(self, formset: Any) -> tuple[Tier, ...]:
        tiers = tuple(
            Tier(
                name=row["name"],
                threshold=Points(row["threshold"]),
                # An empty field means 1; 0, which only code can choose, is not empty.
                multiplier=Fraction(1) if row["multiplier"] is None else row["multiplier"],
            )
            for row in formset.kept_data()
        )
        if tiers != self.version.rules.tiers:
            for index, name, message in validation.tier_errors(tiers):
                formset.kept_forms()[index].add_error(name, message)
        if not tiers:
            self.add_error(None, _("Keep at least one tier that starts at 0 points: every member has it."))
        return tiers

    def _set_rules(self, chosen: dict[str, Any]) -> None:
        before = self.version.rules
        if chosen["rounding"] != before.rounding:  # of an old version, which rounded only what it had multiplied
            chosen["base_rounding"] = None
        try:
            self.rules = replace(before, **chosen)
        except ValueError as exc:  # an error that no check above has found
            self.add_error(None, _("These rules are not valid: %(reason)s.") % {"reason": exc})

    def rule_errors(self) -> Iterator[str]:
        """Yield every error of the rules, with the label of its field."""
        yield from (str(error) for error in self.errors.get("__all__", []))
        row_forms = [form for formset in self.row_formsets.values() for form in formset.forms]
        for form, names in ((self, RULE_NAMES), *((row, tuple(row.fields)) for row in row_forms)):
            for name in names:
                yield from (f"{form[name].label}: {error}" for error in form.errors.get(name, []))

    # Another user was faster

    def _require_current(self, seen: int | None) -> None:
        """Add an error if another user has changed the rules since the form was opened."""
        if seen is None or seen == self.version.number or self.rules is None:
            return
        opened = self.version.program.versions.filter(number=seen).first()
        if opened:
            self._show_changes(opened.rules)

    def show_stored(self) -> None:
        """After ``RulesChanged``: read the current rules and show what has changed."""
        opened = self.version.rules
        self.version = ledger.current_version(self.site_key)
        self._show_changes(opened)

    def _show_changes(self, opened: Rules) -> None:
        """Add an error that lists the other changes. Saving once more replaces them."""
        others = describe_changes(opened, self.version.rules, self)
        if others:
            self.data: Any = self.data.copy()
            self.data["seen"] = str(self.version.number)
            values = {"number": self.version.number, "changes": "; ".join(others)}
            changed = _(
                "Another user has changed the rules since you opened this page (version %(number)s: %(changes)s)."
            )
            again = _("Your changes are still in the form. Check them, and save again to replace the other changes.")
            self.add_error(None, f"{changed % values} {again}")

    # The example, and saving

    def example(self) -> Example:
        """Return what an order means under the rules in the form."""
        if self.is_bound:
            self.is_valid()
        form, rules = example_form(self.data if self.is_bound else None), self.rules
        amount = form.amount()
        context: dict[str, Any] = {"errors": [] if rules else list(self.rule_errors()), "rules": rules}
        if rules and amount:
            result = ledger.order_example(rules, subtotal=amount, at=timezone.now())
            share, warnings = validation.percent(result.reward_rate), list(validation.rule_warnings(rules))
            context |= {"result": result, "share": share, "warnings": warnings}
        url = reverse("loyalink_khalti_rules_example", args=(self.instance.site_id,))
        return Example(url=url, form=form, context=context)

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            instance = super().save(commit)
            if commit:
                instance.saved_rules = self._save_rules()
        return instance

    def _save_rules(self) -> SavedRules:
        """Save a new version if a rule has changed, and log it. Raises ``RulesChanged``."""
        rules, former = self.rules, []
        assert rules is not None

        def revised(stored: Rules) -> Rules:  # the programme is locked now
            former.append(stored)
            if replace(stored, campaigns=()) != replace(self.version.rules, campaigns=()):
                raise RulesChanged
            return replace(rules, campaigns=stored.campaigns)

        version = ledger.revise_rules(self.site_key, revised, actor=str(self.for_user.pk) if self.for_user else None)
        flow.remember_categories(version.rules.tags)
        changes = describe_changes(former[-1], version.rules, self)
        if changes:
            data = {"version": version.number, "changes": changes}
            log(instance=self.instance, action=RULES_CHANGED, user=self.for_user, data=data)
        return SavedRules(
            number=version.number, changes=changes, warnings=list(validation.rule_warnings(version.rules))
        )


def _require_unique_categories(formset: Any) -> None:
    seen: set[str] = set()
    for form in formset.kept_forms():
        tag = form.cleaned_data["tag"]
        if tag in seen:
            form.add_error("tag", _("This category is already listed."))
        seen.add(tag)
