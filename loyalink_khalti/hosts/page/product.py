"""The mixin for a site's own page model: what makes a page a product.

::

    from loyalink_khalti.hosts.page.product import KhaltiProductMixin

    class TrekPage(KhaltiProductMixin, Page):
        pass

The fields belong to the page and its revisions. Only the published ones sell. How many are in stock is no field of
the page: see ``stock.py``.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from modelcluster.fields import ParentalManyToManyField
from wagtail.admin.panels import FieldPanel, MultiFieldPanel

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa

from .desk.panels import StockPanel
from .fields import AmountsField, ChoicesField, PaisaField, whole_paisa
from .models import Category

LARGEST_FREE_AMOUNT = Paisa(100_000_000)
"""Rs 10,00,000: the most that a customer may choose to pay where the editor sets no maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice of a product, as the page has it now."""

    id: str
    title: str
    price: Paisa | None
    """Its own price or the page's; None if neither has one."""
    sku: str


def panel_fields(panels: object) -> set[str]:
    """Return the names of the fields that panels show, those of groups included."""
    found: set[str] = set()
    for panel in panels if isinstance(panels, list | tuple) else ():
        found.add(panel if isinstance(panel, str) else str(getattr(panel, "field_name", "")))
        found |= panel_fields(getattr(panel, "children", ()))
    return found


class KhaltiProductMixin(models.Model):
    """Fields of a page that sells. Put it before ``Page`` in the bases of a page model."""

    # Without labels and help texts, which the migrations of every site would repeat: the panels have them.
    price = PaisaField(null=True, blank=True)
    sku = models.CharField(max_length=64, blank=True)
    choices: Any = ChoicesField(blank=True, default=list)
    track_stock = models.BooleanField(default=False)
    free_amount = models.BooleanField(default=False)
    """Customers choose how much they pay: donations, fees."""
    minimum_amount = PaisaField(null=True, blank=True)
    maximum_amount = PaisaField(null=True, blank=True)
    suggested_amounts: Any = AmountsField(blank=True, default=list)
    needs_delivery = models.BooleanField(default=False)
    earns_points = models.BooleanField(default=True)
    product_categories = ParentalManyToManyField(Category, blank=True, related_name="+")

    product_panels: Any = [
        MultiFieldPanel(
            [
                FieldPanel("price", heading=gettext_lazy("Price")),
                FieldPanel("sku", heading=gettext_lazy("SKU")),
                FieldPanel(
                    "choices",
                    heading=gettext_lazy("Choices"),
                    help_text=gettext_lazy("Sizes, colours or dates, of which a customer chooses one."),
                ),
                FieldPanel(
                    "track_stock",
                    heading=gettext_lazy("Track stock"),
                    help_text=gettext_lazy("Sell only what is in stock. Each choice has a stock of its own."),
                ),
                FieldPanel(
                    "needs_delivery",
                    heading=gettext_lazy("Is delivered"),
                    help_text=gettext_lazy("The customer chooses a delivery option."),
                ),
                FieldPanel("earns_points", heading=gettext_lazy("Earns points")),
                FieldPanel(
                    "product_categories",
                    heading=gettext_lazy("Categories"),
                    help_text=gettext_lazy("For rules of the loyalty programme that are for some categories only."),
                ),
            ],
            heading=gettext_lazy("Product"),
        ),
        StockPanel(heading=gettext_lazy("Stock")),
        MultiFieldPanel(
            [
                FieldPanel(
                    "free_amount",
                    heading=gettext_lazy("Customers choose the amount"),
                    help_text=gettext_lazy("For donations and fees: customers type how much they pay."),
                ),
                FieldPanel("minimum_amount", heading=gettext_lazy("Minimum amount")),
                FieldPanel("maximum_amount", heading=gettext_lazy("Maximum amount")),
                FieldPanel("suggested_amounts", heading=gettext_lazy("Suggested amounts")),
            ],
            heading=gettext_lazy("Amount"),
            classname="collapsed",
        ),
    ]
    """For a page model with ``content_panels`` of its own: ``[*Page.content_panels, …, *product_panels]``."""

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the panels to those that a page model inherits. Its own, if it has some, stay as they are."""
        super().__init_subclass__(**kwargs)
        page: Any = cls
        if "content_panels" not in vars(page) and "price" not in panel_fields(getattr(page, "content_panels", ())):
            page.content_panels = [*getattr(page, "content_panels", ()), *page.product_panels]

    def clean(self) -> None:
        super().clean()
        errors: dict[str, str] = {}
        if self.free_amount and self.choices:
            errors["free_amount"] = _("A product with choices has prices: customers cannot choose the amount.")
        elif not self.free_amount and not self._has_price():
            errors["price"] = _("Enter a price, for all choices or for each of them.")
        if self.free_amount and self.least_amount > self.most_amount:
            errors["maximum_amount"] = _("The maximum amount must be %(minimum)s or more.") % {
                "minimum": npr(self.least_amount)
            }
        if errors:
            raise ValidationError(errors)

    def _has_price(self) -> bool:
        choices = self._all_choices()
        return all(choice.price for choice in choices) if choices else bool(self.price)

    @property
    def product(self) -> UUID:
        """The identity of the product: the page's ``translation_key``, which its translations share, as an alias does.

        (An alias is a page that Wagtail keeps equal to another one.)
        """
        page: Any = self
        source = page.alias_of if page.alias_of_id else None
        return UUID(str((source or page).translation_key))

    @property
    def least_amount(self) -> Paisa:
        """The least that a customer may choose to pay, in paisa; Khalti accepts no less than Rs 10."""
        return max(KHALTI_MINIMUM, Paisa(self.minimum_amount or 0))

    @property
    def most_amount(self) -> Paisa:
        """The most that a customer may choose to pay, in paisa."""
        return Paisa(LARGEST_FREE_AMOUNT if self.maximum_amount is None else self.maximum_amount)

    @property
    def suggestions(self) -> list[Paisa]:
        """The suggested amounts that a customer may choose, in paisa."""
        amounts = [whole_paisa(block.value) for block in self.suggested_amounts or ()]
        return [amount for amount in amounts if amount and self.least_amount <= amount <= self.most_amount]

    def product_choices(self) -> list[Choice]:
        """Return the choices of the product, in the editor's order; [] for a product without choices."""
        return [choice for choice in self._all_choices() if choice.id]

    def _all_choices(self) -> list[Choice]:
        """Return the choices, also those that get their id when the page is saved."""
        price = None if self.price is None else Paisa(self.price)
        found = []
        for block in self.choices or ():
            own = whole_paisa(block.value.get("price"))
            found.append(
                Choice(
                    id=str(block.id or ""),
                    title=str(block.value.get("title") or ""),
                    price=price if own is None else own,
                    sku=str(block.value.get("sku") or ""),
                )
            )
        return found

    def find_choice(self, choice: str) -> Choice | None:
        """Return the choice with this id, None if an editor has removed it."""
        return next((each for each in self.product_choices() if each.id == choice), None)
