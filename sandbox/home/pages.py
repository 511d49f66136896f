"""Write the demo store's pages: the home page and the terms of the points programme."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sites.models import Site as DjangoSite
from oscar.core.loading import get_model
from wagtail.images import get_image_model
from wagtail.models import Collection, Locale, Page, Site

from sandbox.demo import catalogue
from sandbox.shop.goods import picture

from .models import HomePage, TermsPage

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
        "text": "Or in cash at the door, or by bank transfer: as you like.",
        "link": "/shop/catalogue/",
        "link_text": "See the shop",
        "tone": "indigo",
    },
]

TERMS = {
    "How you earn": """
        <p>You earn <b>1 point for every Rs 10</b> of goods, counted after offers, coupons and the points you spend,
        without delivery. Points are yours as soon as your payment has come in.</p>""",
    "What they are worth": """
        <p><b>10 points are Rs 1.</b> You spend them at the checkout, in tens, from 100 points on. They pay for goods
        first, then for delivery. Khalti takes no payment below Rs 10, so what is left to pay is either nothing or at
        least that.</p>""",
    "How long they last": """
        <p>Points are valid for twelve months, until the end of their last day in Kathmandu. Those that expire first
        are spent first.</p>""",
    "Silver, Gold, Platinum": """
        <p>Everybody begins at Silver. With 500 points earned in all you are Gold, with 1,000 Platinum.</p>""",
    "When something goes back": """
        <p>If a payment does not come about, the points you meant to spend are yours again at once. If you return
        goods, the points you spent on them come back and those you earned with them are taken back.</p>""",
}


def load() -> None:
    """Make the pages and show them at the root of the site."""
    locale, _made = Locale.objects.get_or_create(language_code=settings.LANGUAGE_CODE)
    root = Page.get_first_root_node() or Page.add_root(instance=Page(title="Root", slug="root", locale=locale))
    home = root.add_child(instance=_home(locale))
    home.add_child(instance=_terms(locale))
    _site(home)
    _remove_welcome(root)


def follow_address() -> None:
    """Keep the addresses that mails and Wagtail write in step with ``SITE_URL``."""
    address = urlsplit(settings.SITE_URL)
    DjangoSite.objects.filter(pk=settings.SITE_ID).exclude(domain=address.netloc).update(domain=address.netloc)
    DjangoSite.objects.clear_cache()
    port = address.port or (443 if address.scheme == "https" else 80)
    site = Site.objects.filter(is_default_site=True).first()
    if site is not None and (site.hostname, site.port) != (address.hostname, port):
        site.hostname, site.port = address.hostname, port
        site.save()


def _home(locale: Any) -> HomePage:
    window = _products([good.sku for good in catalogue.PRODUCTS if good.featured][:8])
    return HomePage(
        title=settings.OSCAR_SHOP_NAME,
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
            ("goods", {"heading": "From the front window", "products": window}),
            ("shelves", {"heading": "On the shelves"}),
        ],
    )


def _products(upcs: list[str]) -> list[Any]:
    """The products of these UPCs, in their order."""
    found = {product.upc: product for product in get_model("catalogue", "Product").objects.filter(upc__in=upcs)}
    return [found[upc] for upc in upcs]


def _terms(locale: Any) -> TermsPage:
    return TermsPage(
        title="Saraswati Points",
        slug="points",
        locale=locale,
        show_in_menus=True,
        introduction="A thank-you to everybody who has an account with us. No card, no fee, nothing to sign.",
        body=[("section", {"heading": heading, "text": text}) for heading, text in TERMS.items()],
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
    site.site_name = settings.OSCAR_SHOP_NAME
    site.root_page = home
    site.save()
    DjangoSite.objects.update_or_create(pk=settings.SITE_ID, defaults={"name": settings.OSCAR_SHOP_NAME})


def _remove_welcome(root: Page) -> None:
    """Wagtail's first migration leaves a page of its own."""
    for page in Page.objects.child_of(root).filter(slug="home", title__startswith="Welcome to your new Wagtail"):
        page.delete()
