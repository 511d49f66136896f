"""The product categories of all shops."""

from collections.abc import Iterable

from loyalink_khalti import conf


def category_names(used: Iterable[str] = ()) -> dict[str, str]:
    """Return the names of all shops' categories by tag. A tag in ``used`` that no shop has is its own name."""
    found = {tag: str(name) for shop in conf.shops().values() for tag, name in shop.categories().items()}
    return found | {tag: tag for tag in used if tag not in found}
