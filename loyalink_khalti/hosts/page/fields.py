"""Model fields and blocks for editors: rupees in the form, paisa in Python and in the database.

The three StreamFields have fixed blocks, which a site's migrations do not repeat: a new text in a block makes no
migration in any site.
"""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.blocks import Block, StructBlock
from wagtail.blocks.field_block import BooleanBlock, CharBlock
from wagtail.fields import StreamField

from loyalink_khalti.blocks import RupeesBlock
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import MAXIMUM_PAISA, RupeesField


class PaisaField(models.BigIntegerField):  # type: ignore[type-arg]  # Django's own is no generic
    """An amount in paisa. Editors type rupees, as people write them: "1,200", "१२००", "Rs 500"."""

    default_validators = [MinValueValidator(0), MaxValueValidator(MAXIMUM_PAISA)]

    def formfield(self, **kwargs: Any) -> Any:
        return RupeesField(required=not self.blank, label=self.verbose_name, help_text=self.help_text)


class ChoiceBlock(StructBlock):
    """One choice of a product: "Large". Its identity is the block's id, which no edit changes."""

    title = CharBlock(label=_("Title"), max_length=100)
    price = RupeesBlock(
        label=_("Price"), required=False, help_text=_("Leave it empty if it costs the same as the others.")
    )
    sku = CharBlock(label=_("SKU"), required=False, max_length=64)

    class Meta:
        icon = "list-ul"
        label = _("Choice")


class DeliveryOptionBlock(StructBlock):
    """One way of delivery: "Courier within Kathmandu". Its identity is the block's id."""

    title = CharBlock(label=_("Title"), max_length=100)
    text = CharBlock(label=_("Text"), required=False, max_length=200)
    charge = RupeesBlock(label=_("Charge"))
    needs_address = BooleanBlock(label=_("Needs an address"), required=False, default=True)

    class Meta:
        icon = "arrow-right"
        label = _("Delivery option")


class _FixedStreamField(StreamField):
    """A StreamField that knows its blocks by itself."""

    name_of_block: str
    block: type[Block]

    def __init__(self, *_block_types: Any, **kwargs: Any) -> None:
        kwargs.pop("block_lookup", None)
        super().__init__([(self.name_of_block, self.block())], **kwargs)

    def deconstruct(self) -> Any:
        name, path, _args, kwargs = super().deconstruct()
        kwargs.pop("block_lookup", None)
        return name, path, [], kwargs


class ChoicesField(_FixedStreamField):
    """The choices of a product: sizes, colours, dates."""

    name_of_block = "choice"
    block = ChoiceBlock


class AmountsField(_FixedStreamField):
    """Amounts that a customer is offered, where they decide how much to pay."""

    name_of_block = "amount"
    block = RupeesBlock


class DeliveryOptionsField(_FixedStreamField):
    """The ways of delivery that a site offers."""

    name_of_block = "option"
    block = DeliveryOptionBlock


def whole_paisa(value: Any) -> Paisa | None:
    """Return what a stream has stored as an amount in paisa, None for none. It may be of any editor's script."""
    return Paisa(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
