from decimal import Decimal
from typing import Any

from django.db import models
from getpaid.abstracts import AbstractOrder


class Order(AbstractOrder):
    """The order of a shop that uses getpaid; ``total`` in rupees."""

    title = models.CharField(max_length=100)
    email = models.EmailField()
    total = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, default="NPR")
    status = models.CharField(max_length=20, default="new")

    def get_absolute_url(self) -> str:
        return f"/orders/{self.pk}/"

    def get_total_amount(self) -> Decimal:
        return self.total

    def get_buyer_info(self) -> dict[str, Any]:
        return {"email": self.email, "first_name": "Sita", "phone": "9800000001"}

    def get_description(self) -> str:
        return self.title
