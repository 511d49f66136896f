"""StreamField blocks: the shop's products on any page of Wagtail.

::

    from loyalink_khalti.hosts.oscar.catalogue.blocks import ProductBlock, ProductsBlock

    body = StreamField([("product", ProductBlock()), ("products", ProductsBlock())])

A page stores the product's pk alone. A product that has been deleted since, or is not public any more, is left out.
The templates are ``loyalink_khalti/oscar/blocks/product.html``, ``products.html`` and ``card.html``. A shop overrides
them, or names another as ``ProductBlock(template=…)``.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.field_block import CharBlock

from .cards import cards
from .chooser import product_chooser

ProductChooserBlock: Any = product_chooser.get_block_class(name="ProductChooserBlock", module_path=__name__)


class ProductBlock(blocks.StructBlock):
    """One product, with a note."""

    product = ProductChooserBlock(label=_("product"))
    note = CharBlock(
        label=_("note"), required=False, max_length=200, help_text=_("A line below it, for example why you like it.")
    )

    class Meta:
        label = _("Product")
        icon = "tag"
        template = "loyalink_khalti/oscar/blocks/product.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        found = cards([value.get("product")], _request(parent_context))
        return {**super().get_context(value, parent_context), "card": found[0] if found else None}


class ProductsBlock(blocks.StructBlock):
    """A list of chosen products under a heading."""

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
