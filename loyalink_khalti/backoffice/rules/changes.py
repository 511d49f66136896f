"""The differences between two versions of the rules, as texts: old → new."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import BooleanChoiceField, RupeesField, format_multiplier


def describe_changes(before: Rules, after: Rules, form: Any) -> list[str]:
    """Return one text for each changed rule; ``form`` has the fields and the names of the categories."""
    found = [
        f"{field.label}: {format_rule(getattr(before, name), field)} → {format_rule(getattr(after, name), field)}"
        for name, field in form.fields.items()
        if hasattr(before, name) and getattr(before, name) != getattr(after, name)
    ]
    if before.tiers != after.tiers:
        values = {"old": format_tiers(before.tiers), "new": format_tiers(after.tiers)}
        found.append(_("Tiers: %(old)s → %(new)s") % values)
    if before.multipliers != after.multipliers:
        old, new = (format_multipliers(rules.multipliers, form.category_names) for rules in (before, after))
        found.append(_("Categories that earn more: %(old)s → %(new)s") % {"old": old, "new": new})
    return found


def format_rule(value: Any, field: forms.Field) -> str:
    """Return the value of one rule as the page shows it."""
    if value is None:
        return _("no limit")
    if isinstance(field, BooleanChoiceField):
        return str(_labels(field)["yes" if value else "no"])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, RupeesField):
        return npr(Paisa(value))
    if isinstance(field, forms.MultipleChoiceField):
        return ", ".join(str(_labels(field).get(tag, tag)) for tag in value) or _("none")
    if isinstance(field, forms.ChoiceField):
        return str(_labels(field)[str(value)])
    return formats.number(value)


def _labels(field: Any) -> dict[str, Any]:
    return dict(field.choices)


def format_tiers(tiers: Sequence[Tier]) -> str:
    """Return tiers like "Silver 0 ×1, Gold 500 ×1.5"."""
    return ", ".join(
        f"{tier.name} {formats.number(tier.threshold)} ×{format_multiplier(tier.multiplier)}" for tier in tiers
    )


def format_multipliers(rows: Sequence[tuple[str, Any]], names: Mapping[str, str]) -> str:
    """Return the multipliers of categories like "Pens ×2"."""
    return ", ".join(f"{names.get(tag, tag)} ×{format_multiplier(factor)}" for tag, factor in rows) or _("none")
