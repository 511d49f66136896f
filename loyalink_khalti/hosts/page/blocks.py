"""The StreamField block "Buy with Khalti", for any page of a site::

body = StreamField([("text", RichTextBlock()), ("buy", BuyWithKhaltiBlock())])
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.blocks import StructBlock
from wagtail.blocks.field_block import BooleanBlock, CharBlock, PageChooserBlock
from wagtail.models import Page, get_page_models

from .product import KhaltiProductMixin


class ProductChooserBlock(PageChooserBlock):
    """A page that sells, of any of the site's page models that do."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("page_type", None)
        super().__init__(**kwargs)

    @cached_property
    def target_models(self) -> list[type[Page]]:
        """The page models that sell. Read when an editor chooses, as the site's models load after this block."""
        return [model for model in get_page_models() if issubclass(model, KhaltiProductMixin)] or [Page]

    def clean(self, value: Any) -> Any:
        page = super().clean(value)
        if page is not None and not isinstance(page.specific, KhaltiProductMixin):
            raise ValidationError(_("This page sells nothing. Choose a page with a price."))
        return page


class BuyWithKhaltiBlock(StructBlock):
    """The price of a page that sells, and the buttons that buy it."""

    page = ProductChooserBlock(label=gettext_lazy("Page"))
    show_title = BooleanBlock(label=gettext_lazy("Show its title"), required=False, default=True)
    button_text = CharBlock(
        label=gettext_lazy("Text of the button"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Leave it empty for “Buy with Khalti”."),
    )

    # Wagtail writes the fields of a StructBlock into the migrations of each site, with their labels. Ours stay here,
    # so that a new label makes no migration.

    def deconstruct(self) -> Any:
        return self.canonical_module_path, [], {}

    def deconstruct_with_lookup(self, lookup: Any) -> Any:
        return self.deconstruct()

    @classmethod
    def construct_from_lookup(cls, *_args: Any, **_kwargs: Any) -> Any:
        return cls()

    def get_context(self, value: Any, parent_context: Any = None) -> Any:
        context = super().get_context(value, parent_context=parent_context)
        page = value.get("page")
        return context | {"product": page.specific if page is not None and page.live else None}

    class Meta:
        icon = "loyalink-rupee"
        label = gettext_lazy("Buy with Khalti")
        template = "loyalink_khalti/page/buy_block.html"
