"""StreamField blocks: the shop's goods on any page of Wagtail.

::

    from loyalink_khalti.hosts.oscar.blocks import ProductBlock, ProductsBlock

    body = StreamField([("product", ProductBlock()), ("products", ProductsBlock())])

A page keeps the product's pk alone: what has been deleted since, or is not public any more, is left out. Their
templates are ``loyalink_khalti/oscar/blocks/product.html``, ``products.html`` and ``card.html``; a shop puts its own
in their place, or names another as ``ProductBlock(template=…)``.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.field_block import CharBlock

from .cards import cards
from .chooser import product_chooser

ProductChooserBlock: Any = product_chooser.get_block_class(name="ProductChooserBlock", module_path=__name__)


class ProductBlock(blocks.StructBlock):
    """One product, with a word about it."""

    product = ProductChooserBlock(label=_("product"))
    note = CharBlock(
        label=_("note"), required=False, max_length=200, help_text=_("A line under it, say why you like it.")
    )

    class Meta:
        label = _("Product")
        icon = "tag"
        template = "loyalink_khalti/oscar/blocks/product.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        found = cards([value.get("product")], _request(parent_context))
        return {**super().get_context(value, parent_context), "card": found[0] if found else None}


class ProductsBlock(blocks.StructBlock):
    """A shelf of chosen products."""

    heading = CharBlock(label=_("heading"), max_length=80)
    products = blocks.ListBlock(ProductChooserBlock(label=_("product")), label=_("products"))

    class Meta:
        label = _("Products")
        icon = "grid"
        template = "loyalink_khalti/oscar/blocks/products.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        found = cards(value.get("products") or (), _request(parent_context))
        return {**super().get_context(value, parent_context), "cards": found}


def _request(parent_context: Any) -> Any:
    return (parent_context or {}).get("request")
