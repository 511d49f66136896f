"""Give the rows that were imported by their file a key by their contents too, so that a repeated row is recognized.

Not recognized are rows of members who were erased since, and rows whose note was erased.
"""

import re
from hashlib import sha256

from django.db import migrations

from loyalink_khalti.loyalty.ledger import ImportRow, import_key

BY_FILE = re.compile(r"adjust:(\d+):(import:[0-9a-f]{64}:\d+)")


def add_keys(apps, schema_editor):
    using = schema_editor.connection.alias
    Entry, IdempotencyKey = (apps.get_model("loyalink_khalti", name) for name in ("Entry", "IdempotencyKey"))
    imported = Entry.objects.using(using).filter(reason_code="import", kind="adjust", key__startswith="adjust:")
    for entry in imported.select_related("account", "lot", "note").order_by("pk").iterator(chunk_size=500):
        found = BY_FILE.fullmatch(entry.key)
        if not found:
            continue
        scope = f"{found[1]}:adjust"
        old = IdempotencyKey.objects.using(using).filter(scope=scope, key=found[2]).first()
        row = old and row_of(entry, old.request_hash, members_of(entry.account))
        if row is None:
            continue
        note = getattr(entry, "note", None)
        key = import_key(ImportRow(number=0, **row, note=note.text if note else ""))
        IdempotencyKey.objects.using(using).get_or_create(
            scope=scope, key=key, defaults={"request_hash": old.request_hash}
        )


def members_of(account):
    """Yield the members that the file may have named: of this account, and of those merged into it."""
    if account.member_id:
        yield account.member_id
    for merged in account.merged.all():
        yield from members_of(merged)


def row_of(entry, request_hash, members):
    """Return the member, points and expiry that give the hash with which the row was recorded; None if none do."""
    for member_id in members:
        for expires_at in (None, entry.lot and entry.lot.expires_at):
            figures = f"{member_id}:{entry.amount}" + (f":{expires_at.isoformat()}" if expires_at else "")
            if sha256(figures.encode()).hexdigest() == request_hash:
                return {"member_id": member_id, "points": entry.amount, "expires_at": expires_at}
    return None


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0008_received_money_append_only")]

    # Nothing is done backwards: the keys by file are still there.
    operations = [migrations.RunPython(add_keys, migrations.RunPython.noop)]
