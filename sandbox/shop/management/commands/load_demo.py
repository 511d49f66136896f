from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from sandbox.home import pages
from sandbox.shop import goods, people, pictures


class Command(BaseCommand):
    help = "Loads the demo store and changes nothing when it is there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-thumbnails", action="store_true", help="leave the small pictures to whoever opens a page first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            there = goods.are_there()
            if not there:
                goods.load()
                pages.load()
                people.load()
                people.open_accounts()
            pages.follow_address()
        if not there and not options["no_thumbnails"]:
            pictures.prepare()
        if options["verbosity"]:
            self.stdout.write("The demo store is there already." if there else "The demo store is loaded.")
