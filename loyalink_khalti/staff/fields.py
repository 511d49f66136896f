"""Form fields for customers and staff: rupees, numbers, multipliers, reasons.

Numbers are read as people write them (``nepal.plain_number``). An invalid value is shown again as it was entered.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti.conf import formats
from loyalink_khalti.money import Paisa, npr, paisa
from loyalink_khalti.nepal import ascii_digits, group_digits, nepali_mobile, plain_number

EXPIRED_FORM = gettext_lazy("This form has expired. Open it again.")
MAXIMUM_PAISA = Paisa(100_000_000_000)
"""Rs 100 crore, in paisa: more is a typing error."""
MAXIMUM_NUMBER = 1_000_000_000
DECIMAL_POINT = gettext_lazy("Use a decimal point, as in 1.5.")
_MULTIPLIER = re.compile(r"\d{1,4}(?:\.\d{1,4}|/[1-9]\d{0,3})?", re.ASCII)


def key_field() -> forms.UUIDField:
    """Return the hidden key that makes a form count once."""
    return forms.UUIDField(
        widget=forms.HiddenInput,
        initial=uuid4,
        error_messages=dict.fromkeys(("required", "invalid"), EXPIRED_FORM),
    )


def text_input(mode: str, width: int, placeholder: Any = None) -> forms.TextInput:
    """Return a text input ``width`` characters wide; ``type="number"`` would drop an invalid value."""
    attrs = {"inputmode": mode, "autocomplete": "off", "size": str(width)}
    return forms.TextInput(attrs=attrs | ({} if placeholder is None else {"placeholder": placeholder}))


class ReasonField(forms.CharField):
    """Why a colleague does this: a sentence that is kept with the action."""

    def __init__(self) -> None:
        super().__init__(
            label=gettext_lazy("Reason"),
            max_length=1000,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=gettext_lazy("A sentence for colleagues who read this later. It is kept with your name."),
            error_messages={"required": gettext_lazy("Enter a reason: colleagues will need it later.")},
        )


def _plain(value: Any, error: Any = DECIMAL_POINT) -> Any:
    """Return typed text as ``nepal.plain_number`` does. Raises ``ValidationError(error)`` for a comma too many."""
    try:
        return plain_number(value) if isinstance(value, str) else value
    except ValueError as exc:
        raise ValidationError(error) from exc


class ParsedField(forms.Field):
    """A field whose value differs from the text that was entered."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial) if data not in self.empty_values else initial is not None
        except ValidationError:
            return True


class RupeesField(ParsedField, forms.DecimalField):
    """Rupees in the form, paisa in Python; exact."""

    def __init__(
        self, *, minimum: Paisa = Paisa(0), minimum_error: Any = "", placeholder: Any = None, **kwargs: Any
    ) -> None:
        self.minimum, self.minimum_error = minimum, minimum_error
        kwargs.setdefault("widget", text_input("decimal", 9, placeholder))
        super().__init__(
            error_messages={
                "invalid": gettext_lazy("Enter an amount in rupees, for example 250 or 250.50."),
                "max_decimal_places": gettext_lazy("Enter at most two decimals: paisa."),
                "max_digits": gettext_lazy("This amount is too large."),
                "max_whole_digits": gettext_lazy("This amount is too large."),
                "required": gettext_lazy("Enter an amount in rupees."),
            },
            decimal_places=2,
            max_digits=17,
            **kwargs,
        )

    def to_python(self, value: Any) -> Any:
        return super().to_python(_plain(value))

    def clean(self, value: Any) -> Any:
        rupees = super().clean(value)
        if rupees is None:
            return None
        amount = paisa(rupees)
        if amount < self.minimum:
            least = _("At least %(minimum)s.") % {"minimum": formats.npr(self.minimum)}
            raise ValidationError(self.minimum_error or least)
        if amount > MAXIMUM_PAISA:
            raise ValidationError(_("This amount is too large."))
        return amount

    def prepare_value(self, value: Any) -> Any:
        return npr(Paisa(value)).removeprefix("Rs ").removesuffix(".00") if isinstance(value, int) else value


class MobileField(forms.CharField):
    """A Nepali mobile number, however it is typed; its ten digits in Python."""

    widget = text_input("tel", 16)

    def clean(self, value: Any) -> str:
        typed = str(super().clean(value) or "")
        number = nepali_mobile(typed)
        if typed and not number:
            raise ValidationError(_("Enter a mobile number of Nepal, for example 9841234567."))
        return number


class WholeNumberField(ParsedField, forms.IntegerField):
    """A whole number: points, days, months, percent."""

    def __init__(
        self,
        *,
        minimum: int = 0,
        maximum: int = MAXIMUM_NUMBER,
        minimum_error: Any = "",
        maximum_error: Any = "",
        placeholder: Any = None,
        **kwargs: Any,
    ) -> None:
        self.minimum, self.maximum, self.minimum_error, self.maximum_error = (
            minimum,
            maximum,
            minimum_error,
            maximum_error,
        )
        width = 12 if placeholder is not None else max(len(str(maximum)), 3) if maximum < MAXIMUM_NUMBER else 6
        kwargs.setdefault("widget", text_input("numeric", width, placeholder))
        invalid = gettext_lazy("Enter a whole number, without decimals.")
        required = gettext_lazy("Enter a whole number.")
        super().__init__(error_messages={"invalid": invalid, "required": required}, **kwargs)

    def to_python(self, value: Any) -> int | None:
        return super().to_python(_plain(value, self.error_messages["invalid"]))

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if number is not None and number < self.minimum:
            least = _("At least %(minimum)s.") % {"minimum": formats.number(self.minimum)}
            raise ValidationError(self.minimum_error or least)
        if number is not None and number > self.maximum:
            raise ValidationError(
                self.maximum_error or _("At most %(maximum)s.") % {"maximum": formats.number(self.maximum)}
            )
        return number

    def prepare_value(self, value: Any) -> Any:
        return group_digits(value) if isinstance(value, int) and value >= 0 else value


class MultiplierField(ParsedField):
    """A multiplier: a decimal (1.5) in the form, a ``Fraction`` in Python."""

    def __init__(self, *, minimum: Fraction = Fraction(0), minimum_error: Any = "", **kwargs: Any) -> None:
        self.minimum, self.minimum_error = minimum, minimum_error
        kwargs.setdefault("widget", text_input("decimal", 4))
        super().__init__(error_messages={"required": gettext_lazy("Enter a number, for example 1.5.")}, **kwargs)

    def to_python(self, value: Any) -> Fraction | None:
        text = ascii_digits(value).strip() if isinstance(value, str) else value
        if text in self.empty_values:
            return None
        if "," in str(text):
            raise ValidationError(DECIMAL_POINT)
        if not _MULTIPLIER.fullmatch(str(text)):
            raise ValidationError(_("Enter a number, for example 2 or 1.5."))
        return Fraction(str(text))

    def clean(self, value: Any) -> Any:
        multiplier = super().clean(value)
        if multiplier is not None and multiplier < self.minimum:
            raise ValidationError(
                self.minimum_error or _("At least %(minimum)s.") % {"minimum": format_multiplier(self.minimum)}
            )
        return multiplier

    def prepare_value(self, value: Any) -> Any:
        return format_multiplier(Fraction(value)) if isinstance(value, Fraction | Decimal | int) else value


class BooleanChoiceField(ParsedField, forms.TypedChoiceField):
    """A choice between two labels; ``True`` or ``False`` in Python."""

    def __init__(self, *, no: Any, yes: Any, **kwargs: Any) -> None:
        choices: Sequence[tuple[str, Any]] = [("no", no), ("yes", yes)]
        super().__init__(choices=choices, coerce=lambda value: value == "yes", **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ("yes" if value else "no") if isinstance(value, bool) else value


def format_multiplier(multiplier: Fraction) -> str:
    """Return a multiplier as a decimal, ``1.5``; as a fraction if no decimal is exact."""
    whole, rest = divmod(multiplier * 10_000, 1)
    if rest:
        return str(multiplier)
    digits = f"{whole:05d}"
    return f"{digits[:-4]}.{digits[-4:]}".rstrip("0").rstrip(".")
