"""``loyalink_rotate_keys``: encrypt Khalti's stored secret keys with the newest Fernet key."""

import sys
from collections import Counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from loyalink_khalti import conf
from loyalink_khalti.management.progress import count


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret key again with the first of LOYALINK_FERNET_KEYS. It may be run at any time, and "
        "continues where it was interrupted. Exits with 1 where a key cannot be read."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._rotate()
        except ImproperlyConfigured as exc:
            raise CommandError(f"{exc}. The secret keys stay as they are.") from None
        unreadable = found[conf.RotationResult.UNREADABLE]
        rotated = count(found[conf.RotationResult.ROTATED], "key")
        unread = f", {unreadable} unreadable" if unreadable else ""
        self.stdout.write(f"{rotated} encrypted again, {found[conf.RotationResult.UP_TO_DATE]} up to date{unread}.")
        if unreadable:
            self.stderr.write("Keep the old Fernet keys: add the one again with which these keys were encrypted.")
            sys.exit(1)
        self.stdout.write("Only the first of LOYALINK_FERNET_KEYS is needed now; the others can be removed.")

    def _rotate(self) -> Counter[conf.RotationResult]:
        found = Counter[conf.RotationResult]()
        for row, result in conf.rotate_secret_keys():
            found[result] += 1
            if result is conf.RotationResult.UNREADABLE:
                self.stderr.write(
                    f"The secret key {row.fingerprint} of site {row.site_key!r} cannot be read with any of them; "
                    "it stays as it is."
                )
        return found
