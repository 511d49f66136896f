"""Opening balances from a file: each row once, however often the file is brought."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalink_khalti.money import Points

from . import programmes
from .accounts import open_account
from .models import IdempotencyKey
from .people import adjust

REASON = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a file; ``expires_at`` None is as the rules say."""

    number: int
    member_id: str
    points: Points
    expires_at: datetime | None = None
    note: str = ""


def import_points(rows: Sequence[Row], *, site_key: str, digest: str, actor: str | None = None) -> Iterator[Row]:
    """Give members the points of a file's rows, in the caller's transaction; ``digest`` names the file's contents."""
    accounts = {row.member_id: open_account(site_key, row.member_id).pk for row in rows}
    for row in sorted(rows, key=lambda row: accounts[row.member_id]):  # locks are taken in one order
        adjust(
            site_key=site_key,
            member_id=row.member_id,
            points=row.points,
            key=f"import:{digest}:{row.number}",
            reason=REASON,
            note=row.note,
            actor=actor,
            expires_at=row.expires_at,
        )
        yield row


def imported(*, site_key: str, digest: str) -> int:
    """How many rows of a file have been imported."""
    scope = f"{programmes.current(site_key).program_id}:adjust"
    return IdempotencyKey.objects.filter(scope=scope, key__startswith=f"import:{digest}:").count()
