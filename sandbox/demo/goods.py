"""What a shelf is filled with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A shelf of the shop; ``picture`` is a file of ``demo/pictures``."""

    slug: str
    name: str
    intro: str
    children: tuple[Category, ...] = ()

    @property
    def picture(self) -> str:
        return f"category-{self.slug}.webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A thing for sale: price in paisa, description in HTML; ``recommended`` names other products by slug."""

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
    """A code for the whole range: either ``percent`` or ``off_paisa`` off."""

    code: str
    name: str
    percent: int = 0
    off_paisa: int = 0
    once_per_customer: bool = False
