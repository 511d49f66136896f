"""The products of a small shop: tea that can be sold out, and vouchers that cannot."""

from decimal import Decimal
from typing import Any

from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=100)
    code = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        abstract = True

    def get_price(self, request: Any) -> Decimal:
        return self.price


class Tea(Product):
    stock = models.PositiveIntegerField(null=True)


class Voucher(Product):
    pass
