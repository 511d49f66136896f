"""Oscar's forms with a quantity that is read as people in Nepal type it: १२, 1,200."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.apps.basket import forms

from loyalink_khalti.staff.fields import WholeNumberField


class BasketLineForm(forms.BasketLineForm):
    quantity = WholeNumberField(label=_("Quantity"), required=False, initial=1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quantity"].widget.attrs.pop("max", None)  # the text input has none; Oscar says how many there are


class AddToBasketForm(forms.AddToBasketForm):
    quantity = WholeNumberField(label=_("Quantity"), minimum=1, initial=1)


class SimpleAddToBasketForm(forms.SimpleAddToBasketMixin, AddToBasketForm):
    pass
