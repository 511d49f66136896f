"""The pages of a trekking agency: treks with a deposit, things for the trek, and funds that take any amount."""

from typing import Any

from django.db import models
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.blocks.field_block import CharBlock, RichTextBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page

from loyalink_khalti.hosts.page.blocks import BuyWithKhaltiBlock
from loyalink_khalti.hosts.page.fields import PaisaField
from loyalink_khalti.hosts.page.product import KhaltiProductMixin


class Pictured(models.Model):
    """A picture and a line of text, for the page itself and for the cards that lead to it."""

    picture = models.ForeignKey("wagtailimages.Image", models.SET_NULL, null=True, blank=True, related_name="+")
    introduction = models.CharField(max_length=200, blank=True)
    picture_panels: Any = [FieldPanel("picture"), FieldPanel("introduction")]

    class Meta:
        abstract = True


class HomePage(Pictured, Page):
    """The home page, with a card for each page that sells."""

    heading = models.CharField(max_length=100)
    body = StreamField(
        [("heading", CharBlock()), ("text", RichTextBlock()), ("buy", BuyWithKhaltiBlock())], blank=True
    )
    max_count = 1
    content_panels = [*Page.content_panels, FieldPanel("heading"), *Pictured.picture_panels, FieldPanel("body")]

    def get_context(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        pages = [page for page in self.get_children().live().specific() if isinstance(page, Pictured)]
        groups = [(title, [page for page in pages if isinstance(page, kind)]) for title, kind in GROUPS]
        return super().get_context(request, *args, **kwargs) | {"groups": groups}


class TrekPage(Pictured, KhaltiProductMixin, Page):
    """A trek. Customers pay a deposit for each person now, its price; each date has places of its own, its stock."""

    days = models.PositiveSmallIntegerField(default=1)
    highest = models.PositiveSmallIntegerField("highest point (m)", default=0)
    full_price = PaisaField("price of the whole trek", null=True, blank=True)
    body = RichTextField(blank=True)
    content_panels = [
        *Page.content_panels,
        *Pictured.picture_panels,
        MultiFieldPanel([FieldPanel("days"), FieldPanel("highest"), FieldPanel("full_price")], heading="Trek"),
        FieldPanel("body"),
        *KhaltiProductMixin.product_panels,
    ]


class GearPage(Pictured, KhaltiProductMixin, Page):
    """Something for the trek, in sizes or colours, that is sent to the customer."""

    body = RichTextField(blank=True)
    content_panels = [
        *Page.content_panels,
        *Pictured.picture_panels,
        FieldPanel("body"),
        *KhaltiProductMixin.product_panels,
    ]


class FundPage(Pictured, KhaltiProductMixin, Page):
    """A donation, or a fee whose amount the customer knows."""

    body = RichTextField(blank=True)
    content_panels = [
        *Page.content_panels,
        *Pictured.picture_panels,
        FieldPanel("body"),
        *KhaltiProductMixin.product_panels,
    ]


GROUPS: tuple[tuple[str, type[Page]], ...] = (
    ("Treks", TrekPage),
    ("For the trek", GearPage),
    ("Pay any amount", FundPage),
)
"""The headings of the home page, and the pages below them."""
