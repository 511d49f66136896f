from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from sandbox.home import pages
from sandbox.shop import accounts, products, thumbnails


class Command(BaseCommand):
    help = "Loads the demo store. Changes nothing when the store is already loaded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-thumbnails", action="store_true", help="make each thumbnail when a page first shows it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            loaded = products.is_loaded()
            if not loaded:
                products.load()
                pages.load()
                accounts.load()
                accounts.add_opening_points()
            pages.update_address()
        if not loaded and not options["no_thumbnails"]:
            thumbnails.prepare()
        if options["verbosity"]:
            self.stdout.write("The demo store was loaded before." if loaded else "The demo store is loaded.")
