"""Load the pages, members and settings of the demo, once."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.files.images import ImageFile
from django.core.management.base import BaseCommand
from django.db import transaction
from wagtail.images.models import Image
from wagtail.models import Page, Site

from himal.models import FundPage, GearPage, HomePage, TrekPage
from loyalink_khalti import conf
from loyalink_khalti.hosts.page.models import Category, PageShopSettings, Stock
from loyalink_khalti.loyalty import ledger

PICTURES = Path(__file__).resolve().parents[2] / "pictures"
PASSWORD = "himal-demo"  # noqa: S105 - of a demo
MEMBERS = (("sita", "Sita", "Sharma", 1200), ("ram", "Ram", "Thapa", 300), ("gita", "Gita", "Tamang", 0))
DELIVERY = (
    ("Courier within Nepal", "Two to four days", 150_00, True),
    ("Pick up in our office", "Lakeside, Pokhara", 0, False),
)


class Command(BaseCommand):
    help = "Loads the demo. Changes nothing when it is already loaded."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            loaded = HomePage.objects.exists()
            if not loaded:
                load()
        if options["verbosity"]:
            self.stdout.write("The demo was loaded before." if loaded else "The demo is loaded.")


def load() -> None:
    home = add_home()
    add_treks(home)
    add_gear(home)
    add_funds(home)
    add_accounts()


def add_home() -> HomePage:
    """Replace Wagtail's welcome page, and say what the shop is called and how it delivers."""
    site = Site.objects.get(is_default_site=True)
    welcome = site.root_page
    home = HomePage(
        title="Home",
        slug="himal",
        heading="Walk where the sky begins",
        introduction="Small groups, local guides and a deposit that you pay with Khalti.",
        picture=picture("hero"),
    )
    Page.get_first_root_node().add_child(instance=home)
    site.root_page, site.site_name, site.hostname, site.port = home, "Himal Treks", "127.0.0.1", settings.PORT
    site.save()
    welcome.delete()
    PageShopSettings.objects.create(
        site=site,
        shop_name="Himal Treks",
        order_prefix="HT-",
        delivery_options=[
            ("option", {"title": title, "text": text, "charge": charge, "needs_address": needs_address})
            for title, text, charge, needs_address in DELIVERY
        ],
        bank_transfer_text="Machhapuchchhre Bank, Lakeside, account 0123 4567 8901, Himal Treks Pvt. Ltd.",
        mail_footer="Himal Treks, Lakeside, Pokhara. Questions? office@himal.example",
    )
    return home


def add_treks(home: HomePage) -> None:
    """Add two treks, whose dates have places: on one date four are left."""
    treks = Category.objects.create(name="Treks")
    annapurna = TrekPage(
        title="Annapurna Base Camp",
        slug="annapurna-base-camp",
        picture=picture("annapurna"),
        introduction="Rhododendron forests, hot springs, and a ring of seven-thousanders.",
        body="<p>From Pokhara by jeep to Nayapul, then on foot through Ghandruk and Chhomrong to the base camp.</p>"
        "<p>Guide, porter, permits, meals and tea houses are included.</p>",
        days=10,
        highest=4130,
        full_price=48_000_00,
        price=5_000_00,
        track_stock=True,
        choices=[
            ("choice", {"title": each, "price": None, "sku": ""}) for each in ("10 March", "24 March", "7 April")
        ],
    )
    home.add_child(instance=annapurna)
    annapurna.product_categories.add(treks)
    annapurna.save()
    fill(annapurna, 12, 4, 12)
    langtang = TrekPage(
        title="Langtang valley",
        slug="langtang-valley",
        picture=picture("langtang"),
        introduction="The valley of glaciers, a day's drive from Kathmandu.",
        body="<p>Yak pastures, Tamang villages and the monastery of Kyanjin Gompa.</p>",
        days=8,
        highest=4773,
        full_price=36_000_00,
        price=4_000_00,
    )
    home.add_child(instance=langtang)
    langtang.product_categories.add(treks)
    langtang.save()


def add_gear(home: HomePage) -> None:
    """Add a hat in sizes, of which one in M is left, and a map."""
    gear = Category.objects.create(name="Gear")
    hat = GearPage(
        title="Yak wool hat",
        slug="yak-wool-hat",
        picture=picture("hat"),
        introduction="Knitted in Manang, warm at five thousand metres.",
        body="<p>Wash it by hand, in cold water.</p>",
        price=1_450_00,
        sku="HAT",
        track_stock=True,
        needs_delivery=True,
        choices=[
            ("choice", {"title": "S", "price": None, "sku": "HAT-S"}),
            ("choice", {"title": "M", "price": None, "sku": "HAT-M"}),
            ("choice", {"title": "L, with ear flaps", "price": 1_650_00, "sku": "HAT-L"}),
        ],
    )
    home.add_child(instance=hat)
    fill(hat, 8, 1, 5)
    trek_map = GearPage(
        title="Trekking map 1:60,000",
        slug="trekking-map",
        picture=picture("map"),
        introduction="Waterproof, with tea houses and walking times.",
        body="<p>Annapurna and Langtang on one sheet.</p>",
        price=350_00,
        sku="MAP",
        needs_delivery=True,
    )
    home.add_child(instance=trek_map)
    for page in (hat, trek_map):
        page.product_categories.add(gear)
        page.save()


def add_funds(home: HomePage) -> None:
    """Add a donation, which earns no points, and a fee whose amount the customer knows."""
    home.add_child(
        instance=FundPage(
            title="A roof for the school of Ghandruk",
            slug="school-fund",
            picture=picture("school"),
            introduction="Every rupee goes to the village school.",
            body="<p>Sixty children learn below a roof of tin. We have mended a third of it.</p>",
            free_amount=True,
            earns_points=False,
            minimum_amount=100_00,
            maximum_amount=1_00_000_00,
            suggested_amounts=[("amount", 500_00), ("amount", 1_000_00), ("amount", 5_000_00)],
        )
    )
    home.add_child(
        instance=FundPage(
            title="The rest of your trek",
            slug="rest-of-your-trek",
            picture=picture("rest"),
            introduction="Pay what is left of the price, in one or several parts.",
            body="<p>The amount is in our mail. Write the number of your deposit into the note.</p>",
            free_amount=True,
            minimum_amount=500_00,
            maximum_amount=2_00_000_00,
        )
    )


def add_accounts() -> None:
    """Add members with points, an editor and an administrator, all with the same password."""
    password = make_password(PASSWORD)  # slow by design: once for all
    for username, first, last, points in MEMBERS:
        member = User.objects.create(
            username=username, first_name=first, last_name=last, email=f"{username}@example.com", password=password
        )
        if points:
            ledger.adjust(
                site_key=conf.site_key(),
                member_id=str(member.pk),
                points=points,
                key=f"opening:{username}",
                reason="opening balance",
            )
    editor = User.objects.create(username="editor", email="editor@example.com", password=password, is_staff=True)
    editor.groups.add(*Group.objects.filter(name__in=("Shop editors", "Editors")))
    User.objects.create(
        username="admin", email="admin@example.com", password=password, is_staff=True, is_superuser=True
    )


def picture(name: str) -> Image:
    with (PICTURES / f"{name}.webp").open("rb") as file:
        return Image.objects.create(title=name.capitalize(), file=ImageFile(file, name=f"{name}.webp"))


def fill(page: Any, *quantities: int) -> None:
    """Fill the stock of a page's choices, in their order."""
    for choice, quantity in zip(page.product_choices(), quantities, strict=True):
        Stock.objects.create(product=page.translation_key, choice=choice.id, quantity=quantity)
