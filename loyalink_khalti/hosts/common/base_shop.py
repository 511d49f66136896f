"""The answers that most shops give alike, as a base class for a host."""

from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar

from django.core.checks import CheckMessage

from loyalink_khalti.ports import HostOrder, Outcome


class BaseShop:
    """The part of ``ports.Shop`` that has a default: no pages, categories or checks of its own.

    The customer returns to the storefront's status page, which is a receipt too.
    """

    local: ClassVar[bool] = True

    def get_order(self, ref: str) -> HostOrder:
        """Return the order. Raises ``LookupError`` for an unknown ``ref``, as here: each shop has its own."""
        raise LookupError(ref)

    def missing_orders(self, refs: Collection[str]) -> Iterable[str]:
        """Return those of ``refs`` that ``get_order`` does not find: one call for each."""
        return [ref for ref in refs if not self._exists(ref)]

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        return ""

    def staff_page(self, ref: str) -> str:
        return ""

    def staff_url_prefixes(self) -> tuple[str, ...]:
        return ()

    def categories(self) -> Mapping[str, str]:
        return {}

    def check(self) -> Iterable[CheckMessage]:
        return ()

    def _exists(self, ref: str) -> bool:
        try:
            self.get_order(ref)
        except LookupError:
            return False
        return True
