"""django-salesman: Khalti and points for its API, by its own settings.

``SALESMAN_PAYMENT_METHODS`` names the methods of ``payment``, and ``SALESMAN_BASKET_MODIFIERS`` the points of
``modifiers``, last. No model is swapped, and nothing is installed: ``LOYALINK_KHALTI["SHOPS"]`` has the path of
``shop.SalesmanShop``.

The order is held first (``HOLD``) and placed once it is paid. Until then it belongs to no user, so that no list of
Salesman's shows it to the customer. The basket stays as it is while it is being paid; what was bought leaves it when
the order is placed.
"""
