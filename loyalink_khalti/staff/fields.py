"""Fields that staff type into: rupees, whole numbers, multipliers. What is wrong stays as it was typed."""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti.money import Paisa, grouped, npr, paisa

MOST_RUPEES = Paisa(100_000_000_000)
"""Rs 100 crore: what is more was mistyped."""
MOST_WHOLE = 1_000_000_000
POINT = gettext_lazy("Write 1.5 with a point.")
_RUPEES = re.compile(r"^(?:Rs|NPR|रु)\.?\s*", re.IGNORECASE)
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?")
"""As Nepal groups (1,00,000) or in thousands: 1,50 is neither, and no hundred and fifty."""
_FACTOR = re.compile(r"\d{1,4}(?:\.\d{1,4}|/[1-9]\d{0,3})?", re.ASCII)


def box(mode: str, width: int, placeholder: Any = None) -> forms.TextInput:
    """A text box, as wide as what is typed into it; not a number's, which loses what is no number."""
    attrs = {"inputmode": mode, "autocomplete": "off", "size": str(width)}
    return forms.TextInput(attrs=attrs | ({} if placeholder is None else {"placeholder": placeholder}))


def _bare(value: Any, fault: Any = POINT) -> Any:
    """Without ``Rs``, spaces around and grouping commas; a comma that groups nothing is refused."""
    if not isinstance(value, str):
        return value
    typed = _RUPEES.sub("", value.strip())
    if "," in typed and not _GROUPED.fullmatch(typed):
        raise ValidationError(fault)
    return typed.replace(",", "")


class _Typed(forms.Field):
    """A field whose value is not what was typed."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial) if data not in self.empty_values else initial is not None
        except ValidationError:
            return True


class RupeesField(_Typed, forms.DecimalField):
    """Rupees as typed, paisa as given: exact."""

    def __init__(
        self, *, least: Paisa = Paisa(0), too_little: Any = "", placeholder: Any = None, **kwargs: Any
    ) -> None:
        self.least, self.too_little = least, too_little
        kwargs.setdefault("widget", box("decimal", 9, placeholder))
        super().__init__(
            error_messages={
                "invalid": gettext_lazy("Enter an amount in rupees, 250 or 250.50 say."),
                "max_decimal_places": gettext_lazy("Rupees have two decimals, for paisa, and no more."),
                "max_digits": gettext_lazy("This is more than any shop takes."),
                "max_whole_digits": gettext_lazy("This is more than any shop takes."),
                "required": gettext_lazy("Enter an amount in rupees."),
            },
            decimal_places=2,
            max_digits=17,
            **kwargs,
        )

    def to_python(self, value: Any) -> Any:
        return super().to_python(_bare(value))

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if typed is None:
            return None
        amount = paisa(typed)
        if amount < self.least:
            raise ValidationError(self.too_little or _("At least %(least)s.") % {"least": npr(self.least)})
        if amount > MOST_RUPEES:
            raise ValidationError(_("This is more than any shop takes."))
        return amount

    def prepare_value(self, value: Any) -> Any:
        return npr(Paisa(value)).removeprefix("Rs ").removesuffix(".00") if isinstance(value, int) else value


class WholeField(_Typed, forms.IntegerField):
    """A whole number: points, days, months, per cent."""

    def __init__(
        self,
        *,
        least: int = 0,
        most: int = MOST_WHOLE,
        too_little: Any = "",
        too_much: Any = "",
        placeholder: Any = None,
        **kwargs: Any,
    ) -> None:
        self.least, self.most, self.too_little, self.too_much = least, most, too_little, too_much
        width = 12 if placeholder is not None else max(len(str(most)), 3) if most < MOST_WHOLE else 6
        kwargs.setdefault("widget", box("numeric", width, placeholder))
        invalid = gettext_lazy("Enter a whole number, without a fraction.")
        required = gettext_lazy("Enter a whole number.")
        super().__init__(error_messages={"invalid": invalid, "required": required}, **kwargs)

    def to_python(self, value: Any) -> int | None:
        return super().to_python(_bare(value, self.error_messages["invalid"]))

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if number is not None and number < self.least:
            raise ValidationError(self.too_little or _("At least %(least)s.") % {"least": self.least})
        if number is not None and number > self.most:
            raise ValidationError(self.too_much or _("At most %(most)s.") % {"most": grouped(self.most)})
        return number

    def prepare_value(self, value: Any) -> Any:
        return grouped(value) if isinstance(value, int) and value >= 0 else value


class FactorField(_Typed):
    """A multiplier, typed as a decimal (1.5), kept as a fraction."""

    def __init__(self, *, least: Fraction = Fraction(0), too_little: Any = "", **kwargs: Any) -> None:
        self.least, self.too_little = least, too_little
        kwargs.setdefault("widget", box("decimal", 4))
        super().__init__(error_messages={"required": gettext_lazy("Enter a number, 1.5 say.")}, **kwargs)

    def to_python(self, value: Any) -> Fraction | None:
        typed = value.strip() if isinstance(value, str) else value
        if typed in self.empty_values:
            return None
        if "," in str(typed):
            raise ValidationError(POINT)
        if not _FACTOR.fullmatch(str(typed)):
            raise ValidationError(_("Enter a number, 2 or 1.5 say."))
        return Fraction(str(typed))

    def clean(self, value: Any) -> Any:
        factor = super().clean(value)
        if factor is not None and factor < self.least:
            raise ValidationError(self.too_little or _("At least %(least)s.") % {"least": written(self.least)})
        return factor

    def prepare_value(self, value: Any) -> Any:
        return written(Fraction(value)) if isinstance(value, Fraction | Decimal | int) else value


class EitherField(_Typed, forms.TypedChoiceField):
    """One of two ways, chosen by its words; kept as true or false."""

    def __init__(self, *, no: Any, yes: Any, **kwargs: Any) -> None:
        choices: Sequence[tuple[str, Any]] = [("no", no), ("yes", yes)]
        super().__init__(choices=choices, coerce=lambda value: value == "yes", **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ("yes" if value else "no") if isinstance(value, bool) else value


def written(factor: Fraction) -> str:
    """A multiplier as people write it: ``1.5``; as a fraction where no decimal is exact."""
    whole, rest = divmod(factor * 10_000, 1)
    if rest:
        return str(factor)
    digits = f"{whole:05d}"
    return f"{digits[:-4]}.{digits[-4:]}".rstrip("0").rstrip(".")
