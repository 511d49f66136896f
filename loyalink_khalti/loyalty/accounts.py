"""Finding a member's account, and knowing what was done before."""

from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from loyalink_khalti.errors import Conflict
from loyalink_khalti.money import Points

from . import programmes
from .book import Book, due
from .models import Account, IdempotencyKey


def find(site_key: str, member_id: str) -> Account | None:
    """The account that a member's points are in, None where nothing was ever earned."""
    mine = own(site_key, member_id)
    return None if mine is None else survivor(mine)


def own(site_key: str, member_id: str) -> Account | None:
    """The account that is the member's by name, also where it was merged into another."""
    mine = Account.objects.filter(program__site_key=site_key, program__active=True, member_id=member_id)
    return mine.select_related("program").first()


def survivor(account: Account) -> Account:
    """The account that an account's points are in now: another, where it was merged."""
    while account.successor is not None:
        account = account.successor
    return account


def open_account(site_key: str, member_id: str) -> Account:
    """A member's account, a new one where there was none."""
    found = find(site_key, member_id)
    if found is not None:
        return found
    program = programmes.current(site_key).program
    return Account.objects.get_or_create(program=program, member_id=member_id)[0]


def lock_account(site_key: str, member_id: str, **cause: Any) -> Book:
    """Lock the account that a member's points are in, a new one where there was none; two statements as a rule."""
    mine = Account.objects.filter(program__site_key=site_key, program__active=True, member_id=member_id)
    if not mine.update(touched_at=timezone.now()):
        return Book.locked(open_account(site_key, member_id).pk, **cause)
    book = Book.read(mine, **cause)
    return Book.locked(book.account.successor_id, **cause) if book.account.successor_id else book


def due_points(account: Account) -> Points:
    """Available points that have expired and wait for the sweep."""
    return Points(due(account.pk, timezone.now()).aggregate(points=Sum("remaining"))["points"] or 0)


def first_time(scope: str, key: str, figures: str) -> bool:
    """Whether this cause is booked for the first time; ``Conflict`` where it was with other figures."""
    request_hash = sha256(figures.encode()).hexdigest()
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(scope=scope, key=key, request_hash=request_hash)
    except IntegrityError:
        if IdempotencyKey.objects.get(scope=scope, key=key).request_hash != request_hash:
            raise Conflict(f"{key} was booked before with other figures") from None
        return False
    return True
