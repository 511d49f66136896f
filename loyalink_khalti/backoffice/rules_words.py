"""What is different between two versions of the rules, in words for people: old → new."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Paisa, grouped, npr
from loyalink_khalti.staff.fields import EitherField, RupeesField, written


def changes(before: Rules, after: Rules, form: Any) -> list[str]:
    """One text for each rule that is another; ``form`` knows their fields and the names of categories."""
    found = [
        f"{field.label}: {value(getattr(before, name), field)} → {value(getattr(after, name), field)}"
        for name, field in form.fields.items()
        if hasattr(before, name) and getattr(before, name) != getattr(after, name)
    ]
    if before.tiers != after.tiers:
        found.append(_("Levels: %(old)s → %(new)s") % {"old": levels(before.tiers), "new": levels(after.tiers)})
    if before.boosts != after.boosts:
        words = {"old": boosts(before.boosts, form.tags), "new": boosts(after.boosts, form.tags)}
        found.append(_("Categories that earn more: %(old)s → %(new)s") % words)
    return found


def value(chosen: Any, field: forms.Field) -> str:
    """One rule as it reads."""
    if chosen is None:
        return _("no limit")
    if isinstance(field, EitherField):
        return str(dict(_choices(field))["yes" if chosen else "no"])
    if isinstance(chosen, bool):
        return _("yes") if chosen else _("no")
    if isinstance(field, RupeesField):
        return npr(Paisa(chosen))
    if isinstance(field, forms.MultipleChoiceField):
        return ", ".join(str(dict(_choices(field)).get(tag, tag)) for tag in chosen) or _("none")
    if isinstance(field, forms.ChoiceField):
        return str(dict(_choices(field))[str(chosen)])
    return grouped(chosen)


def _choices(field: Any) -> Any:
    return field.choices


def levels(tiers: Sequence[Tier]) -> str:
    return ", ".join(f"{tier.name} {grouped(tier.threshold)} ×{written(tier.multiplier)}" for tier in tiers)


def boosts(rows: Sequence[tuple[str, Any]], names: Mapping[str, str]) -> str:
    return ", ".join(f"{names.get(tag, tag)} ×{written(factor)}" for tag, factor in rows) or _("none")
