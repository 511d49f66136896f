"""The Wagtail pages of the store: the home page and the points programme's terms."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.blocks.field_block import CharBlock, RichTextBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page

from loyalink_khalti.blocks import PointsBalanceBlock, ProgramTermsBlock, TiersBlock

from .blocks import HOME_BLOCKS


class HomePage(Page):  # type: ignore[django-manager-missing]  # Wagtail is untyped
    """The home page. Its whole content is edited in Wagtail."""

    hero_title = models.CharField(_("heading"), max_length=120)
    hero_text = models.TextField(_("text"), blank=True)
    hero_link_text = models.CharField(_("button text"), max_length=40, blank=True)
    hero_link = models.CharField(_("button link"), max_length=200, blank=True)
    hero_image = models.ForeignKey(
        "wagtailimages.Image",
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    body = StreamField(HOME_BLOCKS, blank=True)

    template = "home/home_page.html"
    max_count = 1  # type: ignore[assignment]  # Wagtail is untyped
    subpage_types = ["sandbox_home.TermsPage"]
    content_panels: list[Any] = [
        *Page.content_panels,
        MultiFieldPanel(
            [FieldPanel(name) for name in ("hero_title", "hero_text", "hero_link_text", "hero_link", "hero_image")],
            heading=_("Top of the page"),
        ),
        FieldPanel("body"),
    ]

    class Meta:
        verbose_name = _("home page")


class TermsPage(Page):  # type: ignore[django-manager-missing]  # Wagtail is untyped
    """The terms of the loyalty programme."""

    introduction = models.TextField(blank=True)
    body = StreamField(
        [
            ("section", blocks.StructBlock([("heading", CharBlock()), ("text", RichTextBlock())])),
            ("balance", PointsBalanceBlock()),
            ("tiers", TiersBlock()),
            ("terms", ProgramTermsBlock()),
        ],
        blank=True,
    )
    small_print = RichTextField(blank=True)

    template = "home/terms_page.html"
    parent_page_types = ["sandbox_home.HomePage"]
    subpage_types: list[str] = []
    content_panels: list[Any] = [
        *Page.content_panels,
        FieldPanel("introduction"),
        FieldPanel("body"),
        FieldPanel("small_print"),
    ]

    class Meta:
        verbose_name = _("programme terms")
