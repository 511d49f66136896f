"""What an editor can put on the home page."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from wagtail import blocks

TONES = [("vermilion", _("Vermilion")), ("marigold", _("Marigold")), ("indigo", _("Indigo"))]


def goods() -> list[tuple[str, str]]:
    """Everything on sale, for an editor to choose from."""
    Product = get_model("catalogue", "Product")
    return [(upc, title) for upc, title in Product.objects.browsable().order_by("title").values_list("upc", "title") if upc]


class PromoBlock(blocks.StructBlock):  # type: ignore[misc]  # Wagtail is untyped
    """A coloured note with a link."""

    title = blocks.CharBlock(max_length=80)
    text = blocks.TextBlock(required=False)
    link_text = blocks.CharBlock(max_length=40, required=False)
    link = blocks.CharBlock(max_length=200, required=False, help_text=_("An address of this site, such as /shop/offers/"))
    tone = blocks.ChoiceBlock(choices=TONES, default="vermilion")

    class Meta:
        icon = "tag"


class GoodsBlock(blocks.StructBlock):  # type: ignore[misc]  # Wagtail is untyped
    """A shelf of chosen goods."""

    heading = blocks.CharBlock(max_length=80)
    upcs = blocks.ListBlock(blocks.ChoiceBlock(choices=goods), label=_("goods"))

    class Meta:
        icon = "pick"
        template = "home/goods.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        wanted = list(value["upcs"])
        found = get_model("catalogue", "Product").objects.browsable().base_queryset().filter(upc__in=wanted)
        products = sorted(found, key=lambda product: wanted.index(product.upc))
        return {**super().get_context(value, parent_context), "products": products}


class ShelvesBlock(blocks.StructBlock):  # type: ignore[misc]  # Wagtail is untyped
    """A tile for each category of the shop."""

    heading = blocks.CharBlock(max_length=80)

    class Meta:
        icon = "folder-open-inverse"
        template = "home/shelves.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        shelves = get_model("catalogue", "Category").objects.browsable().filter(depth=1)
        return {**super().get_context(value, parent_context), "shelves": shelves}


HOME_BLOCKS = [
    ("promos", blocks.ListBlock(PromoBlock(), icon="tag", template="home/promos.html")),
    ("goods", GoodsBlock()),
    ("shelves", ShelvesBlock()),
    ("text", blocks.RichTextBlock()),
]
