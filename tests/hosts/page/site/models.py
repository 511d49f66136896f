"""The page models of a small site: treks and donations, and a page that sells nothing."""

from wagtail.fields import StreamField
from wagtail.models import Page

from loyalink_khalti.hosts.page.blocks import BuyWithKhaltiBlock
from loyalink_khalti.hosts.page.product import KhaltiProductMixin


class TrekPage(KhaltiProductMixin, Page):  # type: ignore[django-manager-missing]  # Wagtail: alias_of
    pass


class DonationPage(KhaltiProductMixin, Page):  # type: ignore[django-manager-missing]  # Wagtail: alias_of
    pass


class TextPage(Page):  # type: ignore[django-manager-missing]  # Wagtail: alias_of
    body = StreamField([("buy", BuyWithKhaltiBlock())], blank=True)
