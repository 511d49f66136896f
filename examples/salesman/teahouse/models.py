"""What the tea house sells."""

from decimal import Decimal
from typing import Any

from django.db import models


class Tea(models.Model):
    name = models.CharField(max_length=100)
    code = models.CharField(max_length=20, unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, help_text="rupees")
    stock = models.PositiveIntegerField(null=True, blank=True, help_text="how many can be sold; empty for no limit")

    def __str__(self) -> str:
        return self.name

    def get_price(self, request: Any) -> Decimal:
        return self.price
