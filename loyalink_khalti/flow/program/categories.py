"""The product categories of all shops, by the tags with which rules and campaigns name them; for staff and terms."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.loyalty.program import CategoryName


def category_names(used: Iterable[str] | None = None) -> dict[str, str]:
    """Return the names of all shops' categories by tag, and of the deleted ones among ``used`` (None: of all)."""
    found = _categories()
    wanted = None if used is None else set(used) - found.keys()
    if wanted is not None and not wanted:
        return found
    stored = dict(CategoryName.objects.exclude(tag__in=found).values_list("tag", "name"))
    deleted = stored if wanted is None else {tag: stored.get(tag, tag) for tag in sorted(wanted)}
    return found | {tag: _("%(category)s (deleted)") % {"category": name} for tag, name in deleted.items()}


def remember_categories(tags: Iterable[str]) -> None:
    """Store the names of the categories that rules name, for when a category is deleted."""
    found = _categories()
    for tag in found.keys() & set(tags):
        CategoryName.objects.update_or_create(tag=tag, defaults={"name": found[tag][:1000]})


def _categories() -> dict[str, str]:
    return {tag: str(name) for shop in conf.shops().values() for tag, name in shop.categories().items()}
