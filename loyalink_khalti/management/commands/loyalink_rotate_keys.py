"""``loyalink_rotate_keys``: encrypt Khalti's stored keys with the newest Fernet key."""

import sys
from collections import Counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from loyalink_khalti import conf


class Command(BaseCommand):
    help = (
        "Encrypt every stored key of Khalti's anew with the first of LOYALINK_FERNET_KEYS. Run it again at any time: "
        "it goes on where it was cut off. Exits with 1 where a key cannot be read."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._rotate()
        except ImproperlyConfigured as exc:
            raise CommandError(f"{exc}. Khalti's keys stay as they are.") from None
        done, before, lost = found[conf.Rotated.NOW], found[conf.Rotated.BEFORE], found[conf.Rotated.UNREADABLE]
        unread = f", {lost} could not be read" if lost else ""
        self.stdout.write(f"{done} key(s) encrypted anew, {before} had been before{unread}.")
        if lost:
            self.stderr.write("Keep the old Fernet keys: put back the one that these keys were kept with.")
            sys.exit(1)
        self.stdout.write("Only the first of LOYALINK_FERNET_KEYS is needed now; the others can be dropped.")

    def _rotate(self) -> Counter[conf.Rotated]:
        found = Counter[conf.Rotated]()
        for row, rotated in conf.rotate_keys():
            found[rotated] += 1
            if rotated is conf.Rotated.UNREADABLE:
                self.stderr.write(
                    f"The Khalti key {row.fingerprint} of site {row.site_key!r} cannot be read with any of them; "
                    "it stays as it is."
                )
        return found
