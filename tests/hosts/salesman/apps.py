"""Salesman's apps with the primary keys of their migrations.

Salesman (1.3) leaves them to DEFAULT_AUTO_FIELD: with BigAutoField ``makemigrations`` would write into its package.
"""

from salesman.basket.apps import SalesmanBasketApp
from salesman.orders.apps import SalesmanOrdersApp

AUTO_FIELD = "django.db.models.AutoField"


class BasketConfig(SalesmanBasketApp):
    default_auto_field = AUTO_FIELD


class OrdersConfig(SalesmanOrdersApp):
    default_auto_field = AUTO_FIELD
