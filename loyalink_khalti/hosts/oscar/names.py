"""Names that Oscar stores with an order in the language of its customer, in the language of who reads them now."""

from typing import Any

from oscar.core.loading import get_class


def delivery_name(order: Any) -> str:
    """Return the name of an order's delivery method, in the reader's language as long as the shop has that method.

    Methods are found by their code in ``Repository.methods``; a shop that makes them otherwise has the stored name.
    """
    methods = getattr(get_class("shipping.repository", "Repository"), "methods", ())
    found = next((method for method in methods if method.code == order.shipping_code), None)
    return str(found.name if found is not None else order.shipping_method)
