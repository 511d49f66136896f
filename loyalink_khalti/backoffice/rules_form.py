"""Loyalty settings: the texts of a site and, beside them, its rules, which are read from and written as versions."""

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

from loyalink_khalti import conf
from loyalink_khalti.loyalty import programmes, sense
from loyalink_khalti.loyalty.example import work
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Points
from loyalink_khalti.staff import may
from loyalink_khalti.staff.fields import WholeField

from .categories import known
from .example import Example, typed
from .limits import ADJUSTMENTS, WithLimit
from .rules_fields import BoostRows, RuleFields, TierRows, keep_as_shown
from .rules_words import changes

CHANGED = "loyalink_khalti.change_rules"
"""Log action."""
RULES = tuple(RuleFields.base_fields)
TOGETHER = {"excluded_tags": ("boosts",)}
"""Rules whose fault may be another's, too."""
CANNOT_BE = gettext_lazy("These rules cannot be: %(reason)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Let:
    """What saving came to: the version that holds now, and what is new in it."""

    number: int
    changed: list[str]
    warnings: list[str]


class Outrun(Exception):
    """Somebody else has changed the rules since these were looked at; nothing was saved."""


class LoyaltySettingsForm(WithLimit, RuleFields):
    """Everything that an editor says of the points of a site."""

    limit, beyond, limit_changed = "adjust_limit", may.ADJUST_BEYOND_LIMIT, ADJUSTMENTS
    adjust_limit = WholeField(
        label=gettext_lazy("Adjustments up to"), required=False, placeholder=gettext_lazy("any number of")
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    """The version that was shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = programmes.current(self.site_key)
        before = self.version.rules
        self.rules: Rules | None = None if self.is_bound else before
        self.tags = known([*before.excluded_tags, *(tag for tag, _factor in before.boosts)])
        rules = {name: getattr(before, name) for name in RULES}
        self.initial = {**rules, **self.initial, "seen": self.version.number}
        self.fields["excluded_tags"].choices = list(self.tags.items())  # type: ignore[attr-defined]  # it has them
        self.rows = {"tiers": self._tiers(before), "boosts": self._boosts(before)}

    def _tiers(self, before: Rules) -> Any:
        rows = [{"name": one.name, "threshold": one.threshold, "multiplier": one.multiplier} for one in before.tiers]
        return TierRows(self.data if self.is_bound else None, prefix="tiers", initial=rows)

    def _boosts(self, before: Rules) -> Any:
        rows = [{"tag": tag, "factor": factor} for tag, factor in before.boosts]
        formset = BoostRows(self.data if self.is_bound else None, prefix="boosts", initial=rows)
        for form in (*formset.forms, formset.empty_form):
            form.fields["tag"].choices = [("", "…"), *self.tags.items()]
        return formset

    @property
    def site_key(self) -> str:
        return conf.key_of_site(self.instance.site)

    # What is typed

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        keep_as_shown(self, RULES)
        chosen = {name: cleaned[name] for name in RULES if name in cleaned}
        if "excluded_tags" in chosen:
            chosen["excluded_tags"] = self._in_order(chosen["excluded_tags"])
        chosen |= self._typed_rows()
        for name, words in self._new_faults(chosen):
            self.add_error(name, words)
        if not any(True for _complaint in self.complaints()):
            self._make(chosen)
        self._insist_on_what_was_seen(cleaned.get("seen"))
        return cleaned

    def _new_faults(self, chosen: dict[str, Any]) -> Iterator[sense.Fault]:
        """What cannot be, and is not so already: a fault that code has made is no reason not to pause."""
        stored = {name: getattr(self.version.rules, name) for name in chosen}
        kept = {name for name in chosen if chosen[name] == stored[name]}
        old = set(sense.faults(stored))
        for name, words in sense.faults(chosen):
            if (name, words) not in old or not {name, *TOGETHER.get(name, ())} <= kept:
                yield name, words

    def _in_order(self, tags: list[str]) -> tuple[str, ...]:
        before = self.version.rules.excluded_tags
        return before if set(before) == set(tags) else tuple(tags)

    def _typed_rows(self) -> dict[str, Any]:
        """Levels and boosts, where each row is right by itself and beside the others."""
        tiers, boosts = self.rows["tiers"], self.rows["boosts"]
        found: dict[str, Any] = {}
        if tiers.is_valid():
            levels = tuple(
                Tier(name=row["name"], threshold=Points(row["threshold"]), multiplier=_times(row["multiplier"]))
                for row in tiers.kept()
            )
            if levels != self.version.rules.tiers:
                for row, name, words in sense.levels(levels):
                    tiers.staying()[row].add_error(name, words)
            if not levels:
                self.add_error(None, _("Keep at least one level, from 0 points on: every member has it."))
            found["tiers"] = levels
        if boosts.is_valid():
            found["boosts"] = tuple((row["tag"], row["factor"]) for row in boosts.kept())
            if found["boosts"] != self.version.rules.boosts:
                self._each_once(boosts)
        if not (tiers.is_valid() and boosts.is_valid()):
            self.add_error(None, _("Something is not right in the rows of levels or categories: see there."))
        return found

    def _each_once(self, boosts: Any) -> None:
        seen: set[str] = set()
        for form in boosts.staying():
            tag = form.cleaned_data["tag"]
            if tag in seen:
                form.add_error("tag", _("This category is here already."))
            seen.add(tag)

    def _make(self, chosen: dict[str, Any]) -> None:
        try:
            self.rules = replace(self.version.rules, **chosen)
        except ValueError as exc:  # what nobody has thought of here
            self.add_error(None, CANNOT_BE % {"reason": exc})

    def _insist_on_what_was_seen(self, seen: int | None) -> None:
        """Where somebody else has changed the rules meanwhile, say so once; the second time this is meant."""
        if seen is None or seen == self.version.number or self.rules is None:
            return
        shown = self.version.program.versions.filter(number=seen).first()
        if shown:
            self._tell_of_others(shown.rules)

    def look_again(self) -> None:
        """After ``Outrun``: read what holds now, and say what is new in it."""
        shown = self.version.rules
        self.version = programmes.current(self.site_key)
        self._tell_of_others(shown)

    def _tell_of_others(self, shown: Rules) -> None:
        others = changes(shown, self.version.rules, self)
        if others:
            self.data: Any = self.data.copy()
            self.data["seen"] = str(self.version.number)
            words = {"number": self.version.number, "changes": "; ".join(others)}
            text = _("Somebody else has changed the rules meanwhile (version %(number)s: %(changes)s).") % words
            again = _("What you typed is still here: look at it again, and save again if it is to hold instead.")
            self.add_error(None, f"{text} {again}")

    def complaints(self) -> Iterator[str]:
        """What is wrong with the rules as they are typed, each with its field's name."""
        yield from (str(text) for text in self.errors.get("__all__", []))
        forms_of_rows = [form for rows in self.rows.values() for form in rows.forms]
        for form, names in ((self, RULES), *((row, tuple(row.fields)) for row in forms_of_rows)):
            for name in names:
                yield from (f"{form[name].label}: {error}" for error in form.errors.get(name, []))

    # What follows from it

    def example(self) -> Example:
        """An order under the rules that are typed."""
        if self.is_bound:
            self.is_valid()
        form = typed(self.data if self.is_bound else None)
        order, rules = form.order(), self.rules
        context: dict[str, Any] = {"complaints": [] if rules else list(self.complaints()), "rules": rules}
        if rules and order:
            worked = work(rules, order=order, at=timezone.now())
            context |= {"worked": worked, "back": sense.percent(worked.back), "warnings": list(sense.warnings(rules))}
        url = reverse("loyalink_khalti_rules_example", args=(self.instance.site_id,))
        return Example(url=url, form=form, context=context)

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            instance = super().save(commit)
            if commit:
                instance.let = self._let_hold()
        return instance

    def _let_hold(self) -> Let:
        """Write the next version, if anything in it is new, and who did it; raises ``Outrun``."""
        rules, replaced = self.rules, []
        assert rules is not None

        def revised(before: Rules) -> Rules:
            replaced.append(before)
            if replace(before, campaigns=()) != replace(self.version.rules, campaigns=()):  # only now it is locked
                raise Outrun
            return replace(rules, campaigns=before.campaigns)

        version = programmes.revise(self.site_key, revised, actor=str(self.for_user.pk) if self.for_user else None)
        changed = changes(replaced[-1], version.rules, self)
        if changed:
            told = {"version": version.number, "changes": changed}
            log(instance=self.instance, action=CHANGED, user=self.for_user, data=told)
        return Let(number=version.number, changed=changed, warnings=list(sense.warnings(version.rules)))


def _times(typed: Fraction | None) -> Fraction:
    """An empty field is once; 0, which only code can choose, is not empty."""
    return Fraction(1) if typed is None else typed
