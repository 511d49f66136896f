"""How to write a check: a generator that yields numbered messages, each with a hint that can be pasted."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, router, transaction

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Credentials

Messages = Iterator[checks.CheckMessage]


def error(number: int, text: str, hint: str) -> checks.CheckMessage:
    """Return a numbered error, which stops the server from starting."""
    return checks.Error(text, hint=hint, id=f"loyalink_khalti.E{number:03}")


def warning(number: int, text: str, hint: str) -> checks.CheckMessage:
    """Return a numbered warning."""
    return checks.Warning(text, hint=hint, id=f"loyalink_khalti.W{number:03}")


def check(*tags: str, comes_first: bool = False) -> Callable[[Callable[[], Messages]], Callable[[], Messages]]:
    """Register a generator of messages as a check.

    Only a check that ``comes_first`` runs while a setting has a wrong type: the others could not read it.
    """

    def registered(messages: Callable[[], Messages]) -> Callable[[], Messages]:
        def run(**_options: Any) -> list[checks.CheckMessage]:
            return list(messages()) if comes_first or not conf.wrong_types() else []

        checks.register(run, *tags)
        return messages

    return registered


def database_check(messages: Callable[[str], Messages]) -> Callable[[str], Messages]:
    """Register a check of the database with our tables. It runs with ``--database``, and not before ``migrate``."""

    def run(*, databases: Sequence[str] | None = None, **_options: Any) -> list[checks.CheckMessage]:
        alias = router.db_for_read(Credentials)
        if alias not in (databases or ()) or conf.wrong_types():
            return []
        try:
            with transaction.atomic(using=alias):
                return list(messages(alias))
        except DatabaseError:
            return []

    checks.register(run, checks.Tags.database)
    return messages
