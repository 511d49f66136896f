"""Create what the demo needs, once: teas, members with points, staff."""

from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from rest_framework.authtoken.models import Token
from wagtail.models import Site

from loyalink_khalti.loyalty import ledger
from teahouse.models import Tea

PASSWORD = "ilam-demo"  # noqa: S105 - of a demo
TEAS = (
    ("Ilam green tea, 100 g", "GREEN", "450.00", 20),
    ("Ilam orthodox black tea, 100 g", "BLACK", "380.00", 50),
    ("Silver tips, 50 g", "SILVER", "1800.00", 1),
    ("Voucher", "VOUCHER", "1000.00", None),
)
MEMBERS = {"sita": 1200, "ram": 300, "gita": 0}


class Command(BaseCommand):
    help = "Create the demo's teas, members and staff, unless they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        Site.objects.filter(is_default_site=True).update(site_name="Ilam Tea House")
        for name, code, price, stock in TEAS:
            Tea.objects.get_or_create(code=code, defaults={"name": name, "price": Decimal(price), "stock": stock})
        users = get_user_model().objects
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", "admin@ilam.example", PASSWORD)
        for name, points in MEMBERS.items():
            if users.filter(username=name).exists():
                continue
            user = users.create_user(name, f"{name}@example.com", PASSWORD, first_name=name.title())
            Token.objects.create(user=user)
            if points:
                ledger.adjust(
                    site_key="default", member_id=str(user.pk), points=points, key=f"demo:{name}", reason="opening"
                )
