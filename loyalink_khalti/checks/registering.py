"""How a check is written: a generator of messages, each with a number and a hint that mends it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, router, transaction

from loyalink_khalti.payments.models import Credentials

Messages = Iterator[checks.CheckMessage]


def error(number: int, text: str, hint: str) -> checks.CheckMessage:
    return checks.Error(text, hint=hint, id=f"loyalink_khalti.E{number:03}")


def warning(number: int, text: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(text, hint=hint, id=f"loyalink_khalti.W{number:03}")


def check(*tags: str) -> Callable[[Callable[[], Messages]], Callable[[], Messages]]:
    def listed(found: Callable[[], Messages]) -> Callable[[], Messages]:
        def run(**_given: Any) -> list[checks.CheckMessage]:
            return list(found())

        checks.register(run, *tags)
        return found

    return listed


def database_check(found: Callable[[str], Messages]) -> Callable[[str], Messages]:
    """Run only where databases are to be checked; tables that are not there yet are no news."""

    def run(*, databases: Sequence[str] | None = None, **_given: Any) -> list[checks.CheckMessage]:
        alias = router.db_for_read(Credentials)
        if alias not in (databases or ()):
            return []
        try:
            with transaction.atomic(using=alias):
                return list(found(alias))
        except DatabaseError:
            return []

    checks.register(run, checks.Tags.database)
    return found
