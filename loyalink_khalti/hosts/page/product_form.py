"""The form with which a customer buys a page: its choice, their own amount, and how many."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import RupeesField, WholeNumberField, text_input

from . import stock
from .basket import MOST_OF_ONE, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A choice of a product as its form shows it; ``price`` in paisa."""

    id: str
    title: str
    price: Paisa | None
    sold_out: bool


class ProductForm(forms.Form):
    """Buy a page. Numbers are read as people write them: "1,200", "१२००", "Rs 500"."""

    choice = forms.ChoiceField(
        label=gettext_lazy("Please choose"),
        error_messages={
            "required": gettext_lazy("Please choose one."),
            "invalid_choice": gettext_lazy("This choice is not offered any more. Please choose again."),
        },
    )
    amount = RupeesField(label=gettext_lazy("How much would you like to pay?"), required=False)
    quantity = WholeNumberField(
        label=gettext_lazy("Quantity"), minimum=1, maximum=MOST_OF_ONE, widget=text_input("numeric", 4), initial=1
    )

    def __init__(self, data: Any = None, *, product: Any, prefix_id: str = "") -> None:
        super().__init__(data, auto_id=f"lk-{prefix_id or product.pk}-%s")
        self.product = product
        if not self.offered:
            del self.fields["choice"]
        else:
            self.fields["choice"].choices = [(each.id, each.title) for each in self.offered]  # type: ignore[attr-defined]
        if not product.free_amount or self.offered:
            del self.fields["amount"]
        else:
            del self.fields["quantity"]  # an amount of their own is paid once in an order
            self.fields["amount"].help_text = self._bounds()

    @cached_property
    def offered(self) -> list[Offered]:
        """The choices of the product, with what is sold out among them; one query where stock is tracked."""
        choices = self.product.product_choices()
        left = stock.levels((self.product.product, each.id) for each in choices) if self.product.track_stock else {}
        return [
            Offered(
                id=each.id,
                title=each.title,
                price=each.price,
                sold_out=self.product.track_stock and not left[self.product.product, each.id],
            )
            for each in choices
        ]

    @cached_property
    def is_sold_out(self) -> bool:
        """Whether nothing of the product is left."""
        if not self.product.track_stock:
            return False
        if self.offered:
            return all(each.sold_out for each in self.offered)
        return not stock.levels([(self.product.product, "")])[self.product.product, ""]

    @property
    def suggestions(self) -> list[Paisa]:
        """The amounts, in paisa, that the editor suggests."""
        return list(self.product.suggestions)

    @property
    def chosen_suggestion(self) -> Paisa | None:
        """The suggestion to show as chosen: the first one at first, None for another amount."""
        if not self.is_bound:
            return self.suggestions[0] if self.suggestions else None
        return next((each for each in self.suggestions if str(each) == self.data.get("suggestion")), None)

    def _bounds(self) -> str:
        least, most = self.product.least_amount, self.product.most_amount
        return _("From %(least)s to %(most)s.") % {"least": npr(least), "most": npr(most)}

    def clean_amount(self) -> Paisa:
        """Return what the customer pays, in paisa: the suggestion that they chose, or what they typed."""
        typed: Paisa | None = self.cleaned_data["amount"]
        chosen = self.chosen_suggestion
        if chosen is not None and typed is not None and typed != chosen:
            raise ValidationError(
                _("You chose %(chosen)s and typed %(typed)s. Please choose one of them.")
                % {"chosen": npr(chosen), "typed": npr(typed)}
            )
        amount = typed if chosen is None else chosen
        if amount is None:
            raise ValidationError(_("Enter an amount in rupees."))
        if not self.product.least_amount <= amount <= self.product.most_amount:
            raise ValidationError(
                _("Please choose an amount from %(least)s to %(most)s.")
                % {"least": npr(self.product.least_amount), "most": npr(self.product.most_amount)}
            )
        return amount

    @property
    def item(self) -> Item:
        """Return what a valid form puts into the basket."""
        return Item(
            page=self.product.pk,
            choice=self.cleaned_data.get("choice", ""),
            quantity=self.cleaned_data.get("quantity", 1),
            amount=self.cleaned_data.get("amount"),
            title=self.product.title,
        )


def product_context(product: Any, form: ProductForm) -> dict[str, Any]:
    """Return what ``page/buy.html`` shows of a product and its form."""
    prices = [each.price for each in form.offered if each.price]
    price = None if product.free_amount and not form.offered else product.price
    return {
        "product": product,
        "form": form,
        "price": min(prices) if prices else price,
        "price_varies": len(set(prices)) > 1,
        "is_for_sale": product.free_amount or bool(price) or bool(prices),
        "is_sold_out": form.is_sold_out,
    }
