"""Put the demo goods on the shelves: categories, products, pictures, stock, coupons."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.text import slugify
from oscar.core.loading import get_model

from loyalink_khalti.money import Paisa, rupees
from sandbox.demo import catalogue

PARTNER = "saraswati"
COUPONS_FROM = datetime(2025, 1, 1, tzinfo=UTC)
COUPONS_UNTIL = datetime(2040, 1, 1, tzinfo=UTC)


def are_there() -> bool:
    """Tell whether the demo store was loaded before."""
    return bool(get_model("partner", "Partner").objects.filter(code=PARTNER).exists())


def load() -> None:
    """Load everything that is for sale."""
    _country()
    partner = get_model("partner", "Partner").objects.create(code=PARTNER, name=settings.OSCAR_SHOP_NAME)
    shelves: dict[str, Any] = {}
    for category in catalogue.CATEGORIES:
        _shelf(category, None, shelves)
    kind = get_model("catalogue", "ProductClass").objects.create(name="Stationery", slug="stationery")
    products = {good.slug: _product(good, kind, partner, shelves[good.category]) for good in catalogue.PRODUCTS}
    _in_order(list(products.values()))
    _recommend(products)
    _coupons()


def picture(name: str, folder: str) -> str:
    """Copy a demo picture to the media, once, and return its name there."""
    target = f"{folder}/{name}"
    if not default_storage.exists(target):
        with (catalogue.PICTURES / name).open("rb") as file:
            target = default_storage.save(target, File(file, name=Path(name).name))
    return str(target)


def _country() -> None:
    get_model("address", "Country").objects.update_or_create(
        iso_3166_1_a2="NP",
        defaults={
            "iso_3166_1_a3": "NPL",
            "iso_3166_1_numeric": "524",
            "printable_name": "Nepal",
            "name": "Federal Democratic Republic of Nepal",
            "is_shipping_country": True,
        },
    )


def _shelf(category: catalogue.Category, above: Any, shelves: dict[str, Any]) -> None:
    row = get_model("catalogue", "Category")(
        name=category.name,
        slug=category.slug,
        description=f"<p>{category.intro}</p>",
        meta_description=category.intro,
        image=picture(category.picture, "categories"),
    )
    shelves[category.slug] = above.add_child(instance=row) if above else type(row).add_root(instance=row)
    for child in category.children:
        _shelf(child, shelves[category.slug], shelves)


def _product(good: catalogue.Product, kind: Any, partner: Any, shelf: Any) -> Any:
    product = get_model("catalogue", "Product").objects.create(
        product_class=kind,
        upc=good.sku,
        title=good.title,
        slug=good.slug,
        description=good.description,
        meta_description=good.summary,
    )
    product.categories.add(shelf)
    product.images.create(original=picture(good.picture, "products"), caption=good.title, display_order=0)
    product.stockrecords.create(
        partner=partner,
        partner_sku=good.sku,
        price_currency=settings.OSCAR_DEFAULT_CURRENCY,
        price=rupees(Paisa(good.price_paisa)),
        num_in_stock=good.stock,
    )
    return product


def _in_order(products: list[Any]) -> None:
    """Oscar shows the newest first: let the first of the catalogue be the newest."""
    now = timezone.now()
    for place, product in enumerate(products):
        product.date_created = now - timedelta(seconds=place)
    get_model("catalogue", "Product").objects.bulk_update(products, ["date_created"])


def _recommend(products: dict[str, Any]) -> None:
    Recommendation = get_model("catalogue", "ProductRecommendation")
    Recommendation.objects.bulk_create(
        Recommendation(
            primary=products[good.slug], recommendation=products[slug], ranking=len(good.recommended) - place
        )
        for good in catalogue.PRODUCTS
        for place, slug in enumerate(good.recommended)
    )


def _coupons() -> None:
    everything = get_model("offer", "Range").objects.create(
        name="Everything", slug="everything", includes_all_products=True
    )
    for coupon in catalogue.COUPONS:
        _coupon(coupon, everything)


def _coupon(coupon: catalogue.Coupon, everything: Any) -> None:
    Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
    Offer, Voucher = get_model("offer", "ConditionalOffer"), get_model("voucher", "Voucher")
    value = (
        {"type": Benefit.PERCENTAGE, "value": Decimal(coupon.percent)}
        if coupon.percent
        else {"type": Benefit.FIXED, "value": rupees(Paisa(coupon.off_paisa))}
    )
    offer = Offer.objects.create(
        name=coupon.name,
        slug=slugify(coupon.code),
        offer_type=Offer.VOUCHER,
        condition=Condition.objects.create(range=everything, type=Condition.COUNT, value=1),
        benefit=Benefit.objects.create(range=everything, **value),
    )
    voucher = Voucher.objects.create(
        name=coupon.name,
        code=coupon.code,
        usage=Voucher.ONCE_PER_CUSTOMER if coupon.once_per_customer else Voucher.MULTI_USE,
        start_datetime=COUPONS_FROM,
        end_datetime=COUPONS_UNTIL,
    )
    voucher.offers.add(offer)
