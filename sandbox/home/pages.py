"""Create the demo store's pages: the home page and the terms of the loyalty programme."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sites.models import Site as DjangoSite
from oscar.core.loading import get_model
from wagtail.images import get_image_model
from wagtail.models import Collection, Locale, Page, Site

from loyalink_khalti.backoffice.models import ShopDetails
from sandbox.demo import catalogue
from sandbox.shop.products import picture

from .models import HomePage, TermsPage

SHOP_DETAILS = {
    "colour": "#b2261b",
    "address": "Asan Tole 27, Kathmandu",
    "phone": "01-5970000",
    "email": "namaste@saraswati.example",
    "registration_kind": "pan",
    "registration_number": "301234567",
    "bank_details": "Himalaya Demo Bank, Asan\nSaraswati Stationery\n01 2345 6789 0001",
    "pickup_place": "Asan Tole 27, Kathmandu",
    "pickup_hours": "Sunday to Friday, 10 am to 7 pm. Ready two hours after your order.",
}

PROMOS = [
    {
        "title": "Dashain is coming",
        "text": "Ten percent off everything with the coupon DASHAIN10.",
        "link": "/shop/catalogue/",
        "link_text": "Fill a basket",
        "tone": "vermilion",
    },
    {
        "title": "Points on every purchase",
        "text": "A point for every Rs 10, and ten points are a rupee.",
        "link": "/points/",
        "link_text": "How it works",
        "tone": "marigold",
    },
    {
        "title": "Pay with Khalti",
        "text": "Or cash on delivery, or bank transfer.",
        "link": "/shop/catalogue/",
        "link_text": "See the shop",
        "tone": "indigo",
    },
]


def load() -> None:
    """Create the pages and show them at the root of the site."""
    locale, _made = Locale.objects.get_or_create(language_code=settings.LANGUAGE_CODE)
    root = Page.get_first_root_node() or Page.add_root(instance=Page(title="Root", slug="root", locale=locale))
    home = root.add_child(instance=_home(locale))
    home.add_child(instance=_terms(locale))
    _site(home)
    _shop_details()
    _remove_welcome(root)


def _shop_details() -> None:
    """Set what receipts and mails say of the shop."""
    ShopDetails.objects.update_or_create(site=Site.objects.get(is_default_site=True), defaults=SHOP_DETAILS)


def update_address() -> None:
    """Set the address that mails and Wagtail use to ``SITE_URL``."""
    address = urlsplit(settings.SITE_URL)
    DjangoSite.objects.filter(pk=settings.SITE_ID).exclude(domain=address.netloc).update(domain=address.netloc)
    DjangoSite.objects.clear_cache()
    port = address.port or (443 if address.scheme == "https" else 80)
    site = Site.objects.filter(is_default_site=True).first()
    if site is not None and (site.hostname, site.port) != (address.hostname, port):
        site.hostname, site.port = address.hostname, port
        site.save()


def _home(locale: Any) -> HomePage:
    featured = _products([product.sku for product in catalogue.PRODUCTS if product.featured][:8])
    return HomePage(
        title=str(settings.OSCAR_SHOP_NAME),
        slug="saraswati",
        locale=locale,
        seo_title=f"{settings.OSCAR_SHOP_NAME}, Kathmandu",
        search_description=settings.OSCAR_SHOP_TAGLINE,
        hero_title="Everything that is written begins here",
        hero_text="Lokta paper from the hills, school copies by the dozen, ink that flows: from our shop in Asan to "
        "your door, anywhere in Nepal.",
        hero_link="/shop/catalogue/",
        hero_link_text="Come in",
        hero_image=_hero(),
        body=[
            ("promos", PROMOS),
            ("products", {"heading": "Featured products", "products": featured}),
            ("categories", {"heading": "Categories"}),
        ],
    )


def _products(upcs: list[str]) -> list[Any]:
    """Return the products with these UPCs, in this order."""
    found = {product.upc: product for product in get_model("catalogue", "Product").objects.filter(upc__in=upcs)}
    return [found[upc] for upc in upcs]


def _terms(locale: Any) -> TermsPage:
    return TermsPage(
        title="Saraswati Points",
        slug="points",
        locale=locale,
        show_in_menus=True,
        introduction="A thank-you to every customer with an account. No card, no fee, nothing to sign.",
        body=[("balance", {}), ("tiers", {}), ("terms", {})],  # written from the rules that staff set
    )


def _hero() -> Any:
    Image = get_image_model()
    collection = Collection.get_first_root_node() or Collection.add_root(instance=Collection(name="Root"))
    image = Image(title="Pens, paper and ink", collection=collection)
    image.file.name = picture(catalogue.HERO, "original_images")
    image.width, image.height = image.file.width, image.file.height
    image.save()
    return image


def _site(home: HomePage) -> None:
    site = Site.objects.filter(is_default_site=True).first() or Site(is_default_site=True)
    site.site_name = str(settings.OSCAR_SHOP_NAME)
    site.root_page = home
    site.save()
    DjangoSite.objects.update_or_create(pk=settings.SITE_ID, defaults={"name": str(settings.OSCAR_SHOP_NAME)})


def _remove_welcome(root: Page) -> None:
    """Delete the page that Wagtail's first migration creates."""
    for page in Page.objects.child_of(root).filter(slug="home", title__startswith="Welcome to your new Wagtail"):
        page.delete()
