"""What the demo catalogue consists of: categories, products and coupons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category; ``picture`` is a file of ``demo/pictures``."""

    slug: str
    name: str
    intro: str
    children: tuple[Category, ...] = ()

    @property
    def picture(self) -> str:
        return f"category-{self.slug}.webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product: price in paisa, description in HTML; ``recommended`` names other products by slug."""

    slug: str
    sku: str
    title: str
    category: str
    price_paisa: int
    stock: int
    summary: str
    description: str
    recommended: tuple[str, ...] = ()
    featured: bool = False

    @property
    def picture(self) -> str:
        return f"{self.slug}.webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """A coupon for all products: either ``percent`` or ``off_paisa`` off."""

    code: str
    name: str
    percent: int = 0
    off_paisa: int = 0
    once_per_customer: bool = False
