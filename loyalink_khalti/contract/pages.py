"""What the shop says about itself: its pages, its categories and its checks."""

import pytest

from loyalink_khalti.ports import Cart, Outcome, Shop

from .fixtures import confirm


@pytest.mark.django_db
class PageContract:
    @pytest.mark.parametrize("outcome", Outcome)
    def test_the_customers_page_is_a_path_of_the_shop(self, shop: Shop, cart: Cart, outcome: Outcome) -> None:
        page = shop.customer_page(cart.ref, outcome, "a-token")

        assert page == "" or is_path(page), f"customer_page() must be a path of the shop or empty, not {page!r}"

    def test_the_staffs_page_is_a_path_of_the_shop(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)

        for page in (shop.staff_page(cart.ref), shop.staff_page("")):
            assert page == "" or is_path(page), f"staff_page() must be a path of the shop or empty, not {page!r}"

    def test_the_back_office_is_below_paths_of_the_shop(self, shop: Shop) -> None:
        prefixes = shop.staff_url_prefixes()

        assert isinstance(prefixes, tuple), f"staff_url_prefixes() must return a tuple, not {type(prefixes).__name__}"
        wrong = [prefix for prefix in prefixes if not is_path(prefix) or prefix == "/"]
        assert not wrong, f"staff_url_prefixes() must be paths below which only the back office is, not {wrong}"

    def test_categories_map_the_tags_of_lines_to_names(self, shop: Shop, cart: Cart) -> None:
        categories = shop.categories()

        types = {type(each) for pair in categories.items() for each in pair}
        assert types <= {str}, "categories() maps tags to names, both of them str"
        foreign = [tag for tag in categories if not tag.startswith(f"{cart.shop}:")]
        assert not foreign, f"a tag is the shop's name, a colon and a key, {cart.shop}:12; these are not: {foreign}"
        unknown = {tag for line in cart.lines for tag in line.tags} - set(categories)
        assert not unknown, f"categories() does not have these tags of the Cart's lines: {sorted(unknown)}"

    def test_checks_are_messages_of_django_with_an_id(self, shop: Shop) -> None:
        anonymous = [str(message) for message in shop.check() if not message.id]
        assert not anonymous, f"each message of check() needs an id, by which it can be silenced: {anonymous}"


def is_path(page: str) -> bool:
    """Return whether a page is on the shop's own server: an absolute path without a host."""
    return page.startswith("/") and not page.startswith(("//", "/\\"))
