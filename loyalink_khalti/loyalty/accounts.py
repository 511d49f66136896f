"""The accounts of members: a member's own one, and the one that has its points after a merge."""

from loyalink_khalti.clock import database_now

from .models import Account
from .program import current_version


def own_account(site_key: str, member_id: str) -> Account | None:
    """Return the account with the member's own id, for all that the member sees and does; None without points.

    It may have been merged into another: then it has no points, and the member cannot see those of the other one.
    """
    own = Account.objects.filter(program__site_key=site_key, program__active=True, member_id=member_id)
    return own.select_related("program").first()


def find_account(site_key: str, member_id: str) -> Account | None:
    """Return the account that has a member's points, also after a merge, for staff and for old orders only."""
    own = own_account(site_key, member_id)
    return None if own is None else surviving_account(own)


def surviving_account(account: Account) -> Account:
    """Return the account that has the points of ``account`` now: another one if it was merged."""
    while account.successor is not None:
        account = account.successor
    return account


def open_account(site_key: str, member_id: str) -> Account:
    """Return the account that has a member's points; create it if there is none."""
    found = find_account(site_key, member_id)
    if found is not None:
        return found
    program = current_version(site_key).program
    return Account.objects.get_or_create(program=program, member_id=member_id, defaults={"joined_at": database_now()})[
        0
    ]


def erased_scope(program_id: int) -> str:
    """Return the scope of the keys that name, by purchase, the account of a member who is erased."""
    return f"{program_id}:erased"
