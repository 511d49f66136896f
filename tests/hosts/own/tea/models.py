from django.db import models

from loyalink_khalti.hosts.common.order_rows import OrderLineRow, OrderRow


class Tea(models.Model):
    sku = models.SlugField(unique=True)
    title = models.CharField(max_length=80)
    price = models.PositiveIntegerField(help_text="paisa")
    stock = models.PositiveIntegerField(null=True, help_text="empty: not counted")

    def __str__(self) -> str:
        return self.title


class Order(OrderRow):
    shop = "tea"
    name = models.CharField(max_length=100)
    email = models.EmailField()


class OrderLine(OrderLineRow):
    product = models.ForeignKey(Tea, models.PROTECT)
