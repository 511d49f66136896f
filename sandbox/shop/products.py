"""Load the demo catalogue into Oscar: categories, products, pictures, stock, coupons."""

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


def is_loaded() -> bool:
    """Return whether the demo store has been loaded before."""
    return bool(get_model("partner", "Partner").objects.filter(code=PARTNER).exists())


def load() -> None:
    """Create the categories, products and coupons."""
    _add_country()
    partner = get_model("partner", "Partner").objects.create(code=PARTNER, name=str(settings.OSCAR_SHOP_NAME))
    categories: dict[str, Any] = {}
    for category in catalogue.CATEGORIES:
        _add_category(category, None, categories)
    product_class = get_model("catalogue", "ProductClass").objects.create(name="Stationery", slug="stationery")
    products = {
        product.slug: _add_product(product, product_class, partner, categories[product.category])
        for product in catalogue.PRODUCTS
    }
    _set_order(list(products.values()))
    _add_recommendations(products)
    _add_coupons()


def picture(name: str, folder: str) -> str:
    """Return the name of a demo picture in the media folder, after copying it there once."""
    target = f"{folder}/{name}"
    if not default_storage.exists(target):
        with (catalogue.PICTURES / name).open("rb") as file:
            target = default_storage.save(target, File(file, name=Path(name).name))
    return str(target)


def _add_country() -> None:
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


def _add_category(category: catalogue.Category, parent: Any, categories: dict[str, Any]) -> None:
    row = get_model("catalogue", "Category")(
        name=category.name,
        slug=category.slug,
        description=f"<p>{category.intro}</p>",
        meta_description=category.intro,
        image=picture(category.picture, "categories"),
    )
    categories[category.slug] = parent.add_child(instance=row) if parent else type(row).add_root(instance=row)
    for child in category.children:
        _add_category(child, categories[category.slug], categories)


def _add_product(source: catalogue.Product, product_class: Any, partner: Any, category: Any) -> Any:
    product = get_model("catalogue", "Product").objects.create(
        product_class=product_class,
        upc=source.sku,
        title=source.title,
        slug=source.slug,
        description=source.description,
        meta_description=source.summary,
    )
    product.categories.add(category)
    product.images.create(original=picture(source.picture, "products"), caption=source.title, display_order=0)
    product.stockrecords.create(
        partner=partner,
        partner_sku=source.sku,
        price_currency=settings.OSCAR_DEFAULT_CURRENCY,
        price=rupees(Paisa(source.price_paisa)),
        num_in_stock=source.stock,
    )
    return product


def _set_order(products: list[Any]) -> None:
    """Make the first product of the catalogue the newest: Oscar 4.2 shows the newest first."""
    now = timezone.now()
    for position, product in enumerate(products):
        product.date_created = now - timedelta(seconds=position)
    get_model("catalogue", "Product").objects.bulk_update(products, ["date_created"])


def _add_recommendations(products: dict[str, Any]) -> None:
    Recommendation = get_model("catalogue", "ProductRecommendation")
    Recommendation.objects.bulk_create(
        Recommendation(
            primary=products[product.slug],
            recommendation=products[slug],
            ranking=len(product.recommended) - position,
        )
        for product in catalogue.PRODUCTS
        for position, slug in enumerate(product.recommended)
    )


def _add_coupons() -> None:
    all_products = get_model("offer", "Range").objects.create(
        name="Everything", slug="everything", includes_all_products=True
    )
    for coupon in catalogue.COUPONS:
        _add_coupon(coupon, all_products)


def _add_coupon(coupon: catalogue.Coupon, all_products: Any) -> None:
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
        condition=Condition.objects.create(range=all_products, type=Condition.COUNT, value=1),
        benefit=Benefit.objects.create(range=all_products, **value),
    )
    voucher = Voucher.objects.create(
        name=coupon.name,
        code=coupon.code,
        usage=Voucher.ONCE_PER_CUSTOMER if coupon.once_per_customer else Voucher.MULTI_USE,
        start_datetime=COUPONS_FROM,
        end_datetime=COUPONS_UNTIL,
    )
    voucher.offers.add(offer)
