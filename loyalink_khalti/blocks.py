"""StreamField blocks for the loyalty programme, on any page of Wagtail::

    from loyalink_khalti.blocks import PointsBalanceBlock, PointsToEarnBlock, ProgramTermsBlock, TiersBlock

    body = StreamField([("terms", ProgramTermsBlock()), ("tiers", TiersBlock())])

They show what the rules of the page's site say now, so that no text by hand can differ. Each renders the template
tag of its name, whose element a site overrides.
"""

from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.blocks import StructBlock
from wagtail.blocks.field_block import CharBlock, FieldBlock

from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import RupeesField


class RupeesBlock(FieldBlock):
    """An amount: rupees for the editor, paisa in the stream."""

    def __init__(self, *, required: bool = True, help_text: Any = "", **kwargs: Any) -> None:
        self._is_required, self._help_text = required, help_text
        super().__init__(**kwargs)

    @cached_property
    def field(self) -> RupeesField:
        return RupeesField(required=self._is_required, help_text=self._help_text)

    class Meta:
        icon = "tag"


class ProgramBlock(StructBlock):
    """A block whose fields stay out of the migrations of a site: a new label makes no migration."""

    heading = CharBlock(label=_("Heading"), required=False, max_length=80)

    def deconstruct(self) -> Any:
        return self.canonical_module_path, [], {}

    def deconstruct_with_lookup(self, lookup: Any) -> Any:
        return self.deconstruct()

    @classmethod
    def construct_from_lookup(cls, *_args: Any, **_kwargs: Any) -> Any:
        return cls()


class ProgramTermsBlock(ProgramBlock):
    """The terms of the programme, written from its rules."""

    class Meta:
        icon = "doc-full"
        label = _("Programme terms")
        template = "loyalink_khalti/blocks/program_terms.html"


class TiersBlock(ProgramBlock):
    """The tiers, with what each gives; a member's own is marked."""

    class Meta:
        icon = "list-ol"
        label = _("Tiers")
        template = "loyalink_khalti/blocks/tiers.html"


class PointsBalanceBlock(ProgramBlock):
    """The points of the member who reads the page, and what they are worth; nothing for a guest."""

    class Meta:
        icon = "tag"
        label = _("Points balance")
        template = "loyalink_khalti/blocks/points_balance.html"


class PointsToEarnBlock(ProgramBlock):
    """What products of an amount earn the customer who reads the page."""

    amount = RupeesBlock(label=_("Amount"), default=Paisa(100_000))

    class Meta:
        icon = "plus-inverse"
        label = _("Points to earn")
        template = "loyalink_khalti/blocks/points_to_earn.html"
