"""What an editor can put on the home page."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from wagtail import blocks
from wagtail.blocks.field_block import CharBlock, ChoiceBlock, RichTextBlock, TextBlock

from loyalink_khalti.hosts.oscar.blocks import ProductBlock, ProductChooserBlock
from loyalink_khalti.hosts.oscar.cards import shown

TONES = [("vermilion", _("Vermilion")), ("marigold", _("Marigold")), ("indigo", _("Indigo"))]


class PromoBlock(blocks.StructBlock):
    """A coloured note with a link."""

    title = CharBlock(max_length=80)
    text = TextBlock(required=False)
    link_text = CharBlock(max_length=40, required=False)
    link = CharBlock(max_length=200, required=False, help_text=_("An address of this site, such as /shop/offers/"))
    tone = ChoiceBlock(choices=TONES, default="vermilion")

    class Meta:
        icon = "tag"


class GoodsBlock(blocks.StructBlock):
    """A shelf of chosen goods, with the store's own cards and their buttons."""

    heading = CharBlock(max_length=80)
    products = blocks.ListBlock(ProductChooserBlock(), label=_("goods"))

    class Meta:
        icon = "pick"
        template = "home/goods.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        return {**super().get_context(value, parent_context), "products": shown(value["products"])}


class ShelvesBlock(blocks.StructBlock):
    """A tile for each category of the shop."""

    heading = CharBlock(max_length=80)

    class Meta:
        icon = "folder-open-inverse"
        template = "home/shelves.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        shelves = get_model("catalogue", "Category").objects.browsable().filter(depth=1)
        return {**super().get_context(value, parent_context), "shelves": shelves}


HOME_BLOCKS = [
    ("promos", blocks.ListBlock(PromoBlock(), icon="tag", template="home/promos.html")),
    ("goods", GoodsBlock()),
    ("product", ProductBlock()),
    ("shelves", ShelvesBlock()),
    ("text", RichTextBlock()),
]
