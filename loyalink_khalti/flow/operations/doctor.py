"""What is wrong with a deployment, and what to do: what checks can see, and what only a try can show.

Each finding has a topic, a severity, one sentence and, where something is to be done, what. No finding shows a key. A
part that fails is a finding itself, so that the others are still examined.
"""

import logging
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError, InterfaceError, connection
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import safe_trace

from .doctor_khalti import examine_khalti
from .findings import Finding, ok, problem, warn
from .health import health, missing_migrations
from .monitor import Level, report

log = logging.getLogger(__name__)

CLOCKS_APART = timedelta(seconds=5)
"""How far the clocks of two machines may be apart."""
SLOW_CACHE = 0.1
"""seconds"""
SCHEDULED_EVERY = {"points": timedelta(days=2), "audit": timedelta(days=35)}
"""Within which the daily points run and the monthly audit have run, if they are scheduled."""
LEAST_FREE = 500 * 1024 * 1024
"""Bytes free on the disk of an SQLite database, or of temporary files."""
NOT_SENDING = ("console", "dummy", "locmem", "filebased")
"""Django's mail backends that send nothing."""
_REVIEW = "loyalink_khalti.change_flag"


def diagnose() -> Iterator[Finding]:
    """Yield every finding, topic by topic. Khalti gets two requests for each server and one for each key."""
    parts: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("settings", _settings),
        ("clock", _clock),
        ("khalti", examine_khalti),
        ("schedule", _schedule),
        ("waiting", _waiting),
        ("cache", _cache),
        ("mail", _mail),
        ("addresses", _addresses),
        ("staff", _staff),
        ("disk", _disk),
    ]
    try:
        yield from _database()
    except (DatabaseError, InterfaceError) as exc:
        yield problem("database", f"The database does not answer: {type(exc).__name__}.", "Start it, check DATABASES.")
        return
    for topic, examine in parts:
        try:
            yield from examine()
        except Exception as exc:  # noqa: BLE001 - the other parts are examined all the same
            log.error("doctor: %s: %s", topic, safe_trace(exc))
            yield problem(topic, f"This could not be examined: {type(exc).__name__}.", "The log says where it failed.")


def _database() -> Iterator[Finding]:
    began = time.perf_counter()
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    yield ok("database", f"{connection.display_name} answers, in {_ms(time.perf_counter() - began)}.")
    if missing := missing_migrations():
        yield problem("migrations", f"The database lacks {', '.join(missing)}.", "Run `python manage.py migrate`.")
    else:
        yield ok("migrations", "All migrations of this version are applied.")


def _settings() -> Iterator[Finding]:
    """Yield the messages of our system checks, those of the database too: addresses, currency, proxies."""
    messages = checks.run_checks(include_deployment_checks=False, databases=[connection.alias])
    ours = [message for message in messages if str(message.id).startswith("loyalink_khalti.")]
    for message in ours:
        found = problem if message.level >= checks.ERROR else warn
        yield found("settings", f"{message.id}: {message.msg}", message.hint or "")
    if not ours:
        yield ok("settings", "All system checks pass: settings, currency, proxies, addresses, keys.")


def _clock() -> Iterator[Finding]:
    apart = abs(timezone.now() - database_now())
    if apart > CLOCKS_APART:
        yield warn(
            "clock",
            f"The clocks of this machine and of the database are {apart.total_seconds():.0f} s apart; the database's"
            " counts.",
            "Let NTP set both (`timedatectl set-ntp true`).",
        )
    else:
        yield ok("clock", "This machine and the database agree on the time.")


def _schedule() -> Iterator[Finding]:
    now = health()
    last = now.last_reconciled_at
    if now.is_reconciler_running:
        figures = now.last_pass
        rate = f"; its last pass did {figures.done} in {figures.seconds:.1f} s" if figures else ""
        yield ok("schedule", f"khalti_reconcile runs{rate}.")
    else:
        state = f"last ran at {last:%Y-%m-%d %H:%M} UTC" if last else "has never run"
        found = problem if now.has_overdue_payments else warn
        yield found(
            "schedule",
            f"khalti_reconcile {state}" + (", and payments wait for it." if now.has_overdue_payments else "."),
            "Run `python manage.py khalti_reconcile --loop` as a service, or without --loop from cron.",
        )
    times = {"points": (now.last_points_run_at, "loyalty_run", "daily"),
             "audit": (now.last_audited_at, "loyalink_audit", "monthly")}  # fmt: skip
    for name, (at, command, how_often) in times.items():
        if at is None or database_now() - at > SCHEDULED_EVERY[name]:
            state = f"last ran at {at:%Y-%m-%d} UTC" if at else "has never run"
            yield warn("schedule", f"{command} {state}.", f"Run `python manage.py {command}` {how_often} from cron.")
        else:
            yield ok("schedule", f"{command} runs.")


def _waiting() -> Iterator[Finding]:
    """Yield what waits for staff or for Khalti, as a monitor sees it."""
    elsewhere = {"database", "migrations", "reconciler"}
    seen = {name: item for name, item in report().items.items() if name not in elsewhere}
    bad = {name: item for name, item in seen.items() if item.level is not Level.OK}
    for item in bad.values():
        found = problem if item.level is Level.CRITICAL else warn
        yield found("waiting", item.text, "See “Payments to review” in Wagtail, and docs/operations.md.")
    if not bad:
        yield ok("waiting", "Nothing waits for staff.")


def _cache() -> Iterator[Finding]:
    alias = conf.get("CACHE")
    cache, key = caches[alias], f"loyalink_khalti.doctor.{secrets.token_hex(8)}"
    began = time.perf_counter()
    cache.set(key, 1, 60)
    works = cache.incr(key) == 2 and cache.get(key) == 2
    cache.delete(key)
    took = time.perf_counter() - began
    backend = type(cache).__name__
    if not works:
        yield problem(
            "cache", f"The cache {alias!r} ({backend}) does not keep what is written: nothing is limited.",
            'Check that its server runs and has memory left, or name another one in LOYALINK_KHALTI["CACHE"].',
        )  # fmt: skip
    elif backend in {"LocMemCache", "DummyCache"}:
        yield warn(
            "cache", f"The cache {alias!r} ({backend}) is one of each process, so that each counts for itself.",
            "Use one that all processes share: Redis, Valkey, Memcached or the database.",
        )  # fmt: skip
    elif took > SLOW_CACHE:
        yield warn("cache", f"The cache {alias!r} needs {_ms(took)} for four calls.", "Look for a nearer server.")
    else:
        yield ok("cache", f"The cache {alias!r} ({backend}) works, in {_ms(took)}.")


def _mail() -> Iterator[Finding]:
    backend = str(getattr(settings, "EMAIL_BACKEND", ""))
    recipients = conf.alerts_to()
    if any(f".{name}." in backend for name in NOT_SENDING):
        yield warn("mail", f"EMAIL_BACKEND {backend} sends no mail.", "Set the one of your mail server in production.")
    else:
        mailer = get_connection()
        try:
            mailer.open()
            mailer.close()
        except Exception as exc:  # noqa: BLE001 - each backend has its own
            host = getattr(mailer, "host", "")
            yield problem(
                "mail", f"The mail server {host} does not take mail: {type(exc).__name__}.",
                "Check EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS, user and password.",
            )  # fmt: skip
        else:
            yield ok(
                "mail", f"The mail server {getattr(mailer, 'host', '')} answers. `--mail ADDRESS` sends one mail."
            )
    if recipients:
        yield ok("mail", f"Alerts go to {len(recipients)} address{'es' if len(recipients) > 1 else ''}.")


def send_test_mail(address: str) -> Finding:
    """Send one mail, as alerts are sent, and say whether the mail server has taken it."""
    subject = _("A test of the shop's e-mails")
    body = _("This e-mail was sent by loyalink_doctor. You do not need to do anything.")
    try:
        number = EmailMessage(subject, body, to=[address]).send()
    except Exception as exc:  # noqa: BLE001 - each backend has its own
        return problem("mail", f"The test mail was refused: {type(exc).__name__}.", "Check DEFAULT_FROM_EMAIL, too.")
    if not number:
        return problem("mail", "The mail backend has sent nothing.", "Check EMAIL_BACKEND.")
    return ok("mail", f"One mail was sent to {address}: look whether it has arrived.")


def _addresses() -> Iterator[Finding]:
    try:
        address = conf.absolute_url(conf.site_key(), reverse("loyalink_khalti:return", args=["T" * 22]))
    except NoReverseMatch:
        include = 'path("khalti/", include("loyalink_khalti.storefront.urls"))'
        yield problem("addresses", "Our URLs are not in the URLconf.", include)
        return
    except ImproperlyConfigured as exc:
        yield problem("addresses", f"{exc}.", 'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example"')
        return
    shown = address.replace("T" * 22, "…")
    is_live = not conf.is_test_mode(conf.environment_of(conf.khalti_settings(conf.site_key())))
    if is_live and not address.startswith("https://"):
        yield problem("addresses", f"Khalti sends customers back to {shown}, which is not https.", "Set SITE_URL.")
    else:
        yield ok("addresses", f"Khalti sends customers back to {shown}: open it, it says “Payment not found”.")


def _staff() -> Iterator[Finding]:
    user_model = get_user_model()
    superusers = user_model._default_manager.filter(is_active=True, is_superuser=True).count()
    members = user_model._default_manager.with_perm(
        _REVIEW, backend="django.contrib.auth.backends.ModelBackend", include_superusers=False
    ).count()
    if superusers + members == 0:
        yield problem(
            "staff", "No member of staff may review payments.",
            "Add someone to the group “Shop editors” in Wagtail, under Settings, Users.",
        )  # fmt: skip
    elif members == 0:
        yield warn(
            "staff", "Only superusers may review payments.",
            "Add the people who decide about money to the group “Shop editors”.",
        )  # fmt: skip
    else:
        yield ok("staff", f"{members} members of staff may review payments, beside {superusers} superusers.")


def _disk() -> Iterator[Finding]:
    name = str(connection.settings_dict.get("NAME", ""))
    is_file = connection.vendor == "sqlite" and Path(name).is_file()
    folder = Path(name).parent if is_file else Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        yield warn("disk", f"{free // 1024**2} MB are free at {folder}.", "A full disk stops the shop: make room.")
    else:
        yield ok("disk", f"{free // 1024**3} GB are free at {folder}.")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
