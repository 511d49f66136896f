"""The blocks that an editor can put on the home page."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from wagtail import blocks
from wagtail.blocks.field_block import CharBlock, ChoiceBlock, RichTextBlock, TextBlock

from loyalink_khalti.hosts.oscar.catalogue.blocks import ProductBlock, ProductChooserBlock
from loyalink_khalti.hosts.oscar.catalogue.cards import visible

TONES = [("vermilion", _("Vermilion")), ("marigold", _("Marigold")), ("indigo", _("Indigo"))]


class PromoBlock(blocks.StructBlock):
    """A coloured box with a link."""

    title = CharBlock(max_length=80)
    text = TextBlock(required=False)
    link_text = CharBlock(max_length=40, required=False)
    link = CharBlock(max_length=200, required=False, help_text=_("An address of this site, such as /shop/offers/"))
    tone = ChoiceBlock(choices=TONES, default="vermilion")

    class Meta:
        icon = "tag"


class ProductsBlock(blocks.StructBlock):
    """Chosen products, as the store's own cards with their buttons."""

    heading = CharBlock(max_length=80)
    products = blocks.ListBlock(ProductChooserBlock(), label=_("products"))

    class Meta:
        icon = "pick"
        template = "home/products.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        return {**super().get_context(value, parent_context), "products": visible(value["products"])}


class CategoriesBlock(blocks.StructBlock):
    """A tile for each category of the shop."""

    heading = CharBlock(max_length=80)

    class Meta:
        icon = "folder-open-inverse"
        template = "home/categories.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        categories = get_model("catalogue", "Category").objects.browsable().filter(depth=1)
        return {**super().get_context(value, parent_context), "categories": categories}


HOME_BLOCKS = [
    ("promos", blocks.ListBlock(PromoBlock(), icon="tag", template="home/promos.html")),
    ("products", ProductsBlock()),
    ("product", ProductBlock()),
    ("categories", CategoriesBlock()),
    ("text", RichTextBlock()),
]
