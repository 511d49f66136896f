"""Checks of the databases, the session cookie, the settings and the scheduled jobs."""

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import router
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.timesince import timesince

from loyalink_khalti import bikram_sambat, conf, databases, flow
from loyalink_khalti.conf import formats
from loyalink_khalti.payments.models import Credentials, Payment

from .registration import Messages, check, database_check, error, warning

MINIMUMS = {
    "DEADLINE": 0.001,
    "MAX_CONCURRENT_CALLS": 0,
    "MAX_CONCURRENT_CALLS_IN_ALL": 0,
    "LOOKUPS_PER_SECOND": 1,
    "LIVE_PAYMENTS_PER_BROWSER": 1,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "LIVE_PAYMENTS_PER_EMAIL": 1,
    "UNPAID_SHARE_OF_STOCK": 1,
    "UNPAID_RUPEES_PER_NETWORK": 1,
    "ATTEMPTS_PER_HOUR_AND_BROWSER": 1,
    "ATTEMPTS_PER_HOUR_AND_NETWORK": 1,
    "UNKNOWN_TOKENS_PER_MINUTE": 1,
    "UNMATCHED_PER_HOUR": 0,
    "UNMATCHED_PER_HOUR_AND_NETWORK": 0,
    "REVIEW_REMINDER_AFTER": 0,
}
"""The settings that are numbers, and the least value of each."""
OUTAGE, UNREADABLE, CACHE_TIMEOUTS = 52, 53, 76
LONGEST_WAIT_FOR_CACHE = 2
"""Seconds that a page may wait for a cache that hangs."""
_TIMEOUTS_OF_CACHES = {
    "RedisCache": ("socket_timeout", "socket_connect_timeout"),
    "PyMemcacheCache": ("timeout", "connect_timeout"),
}
"""The options that end a wait, by the backend: redis-py and pymemcache wait without end where they are not set."""
FIRST_MIGRATION = "0001_initial"
_CACHE_HINT = (
    'Add a cache in Redis, Memcached or the database to CACHES and name it: LOYALINK_KHALTI["CACHE"] = "default".'
)


@check()
def sqlite() -> Messages:
    for alias, database in settings.DATABASES.items():
        if not database.get("ENGINE", "").endswith("sqlite3") or alias != router.db_for_write(Credentials):
            continue
        if str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper() not in {"IMMEDIATE", "EXCLUSIVE"}:
            yield warning(
                8,
                f"The SQLite database {alias!r} takes its write lock too late, so concurrent payments fail.",
                f'DATABASES[{alias!r}]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}',
            )


@database_check
def timeouts(alias: str) -> Messages:
    missing = flow.missing_timeouts()
    if missing:
        yield warning(
            51,
            f"PostgreSQL lets a machine that has frozen hold its locks for ever: {' and '.join(missing)} not set. Only"
            " the transactions of loyalink_khalti set them for themselves.",
            f'DATABASES[{alias!r}]["OPTIONS"] = {{"options": "-c lock_timeout=5s'
            ' -c idle_in_transaction_session_timeout=60s"}, or ALTER ROLE … SET behind PgBouncer.',
        )


@check()
def clock() -> Messages:
    if not settings.USE_TZ:
        yield error(
            54,
            "USE_TZ is off, so the database keeps times without their zone: no payment can be begun, and links, points"
            " and reports would be wrong by hours.",
            'USE_TZ = True, TIME_ZONE = "Asia/Kathmandu"',
        )


@check()
def replicas() -> Messages:
    read, write = router.db_for_read(Payment), router.db_for_write(Payment)
    if read != write or write != databases.MONEY:
        yield error(
            34,
            f"Payments are read from {read!r} and written to {write!r}. Only {databases.MONEY!r} has them in one"
            " transaction with orders and points, and a replica is behind.",
            f"In the routers of DATABASE_ROUTERS, return {databases.MONEY!r} for the app loyalink_khalti and for the"
            " shop's orders and stock.",
        )
    if apps.is_installed("django.contrib.sessions") and settings.SESSION_ENGINE.endswith("db"):
        session = import_string(f"{settings.SESSION_ENGINE}.SessionStore").get_model_class()
        if router.db_for_read(session) != router.db_for_write(session):
            yield warning(
                73,
                "DATABASE_ROUTERS reads sessions from a replica, which is behind: customers who come back from Khalti"
                " appear logged out, and what a page writes into the session is lost by the next one.",
                "In the router's db_for_read, return the database that sessions are written to for the app sessions.",
            )


@check()
def reports_database() -> Messages:
    alias = conf.get("REPORTS_DATABASE")
    if alias and alias not in settings.DATABASES:
        yield error(
            74,
            f'LOYALINK_KHALTI["REPORTS_DATABASE"] is {alias!r}, which DATABASES does not have.',
            f"Add the replica to DATABASES, or remove the setting: {', '.join(map(repr, settings.DATABASES))} exist.",
        )


@database_check
def pooled_connections(alias: str) -> Messages:
    if not settings.DATABASES[alias].get("DISABLE_SERVER_SIDE_CURSORS") and databases.shares_connections(alias):
        yield error(
            75,
            f"The database {alias!r} is behind a pool (PgBouncer in transaction pooling) that gives every transaction"
            " another connection, and Django reads long lists over several: audits, jobs and exports would fail or"
            " read the rows of another list.",
            f'DATABASES[{alias!r}]["DISABLE_SERVER_SIDE_CURSORS"] = True',
        )


@check(checks.Tags.security)
def session_cookie() -> Messages:
    if str(settings.SESSION_COOKIE_SAMESITE).lower() == "strict":
        yield warning(
            14,
            'SESSION_COOKIE_SAMESITE is "Strict", so customers who return from Khalti appear logged out.',
            'SESSION_COOKIE_SAMESITE = "Lax"',
        )


@check()
def numbers() -> Messages:
    for name, minimum in MINIMUMS.items():
        value = conf.get(name)
        types = int if name != "DEADLINE" else int | float
        if isinstance(value, bool) or not isinstance(value, types) or value < minimum:
            wanted = "a number above 0" if minimum else "a whole number, 0 or more"
            yield error(
                15,
                f'LOYALINK_KHALTI["{name}"] must be {wanted}, not {value!r}.',
                f'"{name}": {conf.DEFAULTS[name]} is the default.',
            )


@check(checks.Tags.security)
def proxies() -> Messages:
    value = conf.get("TRUSTED_PROXIES")
    if value is None and not settings.DEBUG:
        yield warning(
            38,
            "TRUSTED_PROXIES is not set, so behind a proxy the limits per network do not apply.",
            'LOYALINK_KHALTI["TRUSTED_PROXIES"] = 1 behind one proxy that sets X-Forwarded-For, 0 without a proxy.',
        )
    elif value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        yield error(
            15,
            f'LOYALINK_KHALTI["TRUSTED_PROXIES"] must be a whole number, 0 or more, not {value!r}.',
            "It is the number of proxies in front of the shop that add to X-Forwarded-For.",
        )


@check(checks.Tags.security)
def health_token() -> Messages:
    if 0 < len(conf.get("HEALTH_TOKEN")) < conf.SHORTEST_TOKEN:
        yield error(
            72,
            f"HEALTH_TOKEN has fewer than {conf.SHORTEST_TOKEN} characters and can be guessed, so it opens nothing.",
            'python -c "import secrets; print(secrets.token_urlsafe(32))" makes one.',
        )


@check(checks.Tags.caches)
def shared_cache() -> Messages:
    backend = settings.CACHES.get(conf.get("CACHE"), {}).get("BACKEND", "")
    if not backend:
        yield error(
            39, f'LOYALINK_KHALTI["CACHE"] names {conf.get("CACHE")!r}, which CACHES does not have.', _CACHE_HINT
        )
    elif not conf.is_cache_shared() and not settings.DEBUG:
        yield warning(
            40,
            "The rate limits are counted in a cache that the processes of the shop do not share, and each process"
            " finds out for itself that Khalti does not respond.",
            _CACHE_HINT,
        )


@check(checks.Tags.caches)
def cache_timeouts() -> Messages:
    alias = conf.get("CACHE")
    cache = settings.CACHES.get(alias, {})
    options, location = cache.get("OPTIONS", {}), str(cache.get("LOCATION", ""))
    needed = _TIMEOUTS_OF_CACHES.get(str(cache.get("BACKEND", "")).rpartition(".")[2], ())
    missing = [name for name in needed if not _ends_wait(options.get(name)) and f"{name}=" not in location]
    if missing:
        example = ", ".join(f'"{name}": 0.25' for name in needed)
        yield warning(
            CACHE_TIMEOUTS,
            f"If the server of the cache {alias!r} hangs, so does every page: {' and '.join(missing)} not set, or"
            f" longer than {LONGEST_WAIT_FOR_CACHE} seconds.",
            f'CACHES[{alias!r}]["OPTIONS"] = {{{example}}}',
        )


def _ends_wait(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 < seconds <= LONGEST_WAIT_FOR_CACHE


@check(comes_first=True)
def types() -> Messages:
    for name, description in conf.wrong_types():
        if not name:
            yield error(46, f"LOYALINK_KHALTI must be {description}.", "LOYALINK_KHALTI = {…}: see configuration.md.")
            continue
        value = type(conf.get(name)).__name__ if name in conf.SECRETS else repr(conf.get(name))
        yield error(
            46,
            f'LOYALINK_KHALTI["{name}"] must be {description}, not {value}.',
            f'"{name}": {conf.DEFAULTS[name]!r} is the default.',
        )


@check()
def unknown_settings() -> Messages:
    for name, nearest in conf.unknown_settings():
        yield error(
            16,
            f"LOYALINK_KHALTI has no setting {name!r}.",
            f"Did you mean {nearest!r}?"
            if nearest
            else f"Remove it. The settings are {', '.join(sorted(conf.DEFAULTS))}, and those of hosts in SHOPS.",
        )


@database_check
def migrations(_alias: str) -> Messages:
    """Not an error, at which ``migrate`` itself would stop; and no word about a database that is new."""
    missing = flow.missing_migrations()
    if missing and FIRST_MIGRATION not in missing:
        yield warning(
            50,
            f"The database lacks migrations of loyalink_khalti, which this version needs: {', '.join(missing)}.",
            "Run `python manage.py migrate` before the processes of this version start.",
        )


@database_check
def reconciler(_alias: str) -> Messages:
    health = flow.health()
    if health.oldest_overdue_at is None or (health.outages and health.is_reconciler_running):
        return  # in an outage payments are overdue although it runs: ``khalti_answers`` says so
    last_run = health.last_reconciled_at
    state = f"last ran {timesince(last_run)} ago" if last_run else "has never run"
    yield warning(
        32,
        f"Payments are overdue for a lookup at Khalti, the oldest by {timesince(health.oldest_overdue_at)}:"
        f" khalti_reconcile {state}.",
        "Run `python manage.py khalti_reconcile --loop` beside the shop, or without --loop every few minutes.",
    )


@database_check
def khalti_answers(_alias: str) -> Messages:
    health = flow.health()
    for outage in health.outages:
        yield warning(
            OUTAGE,
            f"{outage.server} has given no usable answer for"
            f" {timesince(outage.silent_since or timezone.now())}: {outage.error}.",
            "Check this server's connection to Khalti. Open payments are looked up when Khalti answers again.",
        )
    if health.unreadable_since:
        yield warning(
            UNREADABLE,
            f"Answers of Khalti's lookup have not been readable for {timesince(health.unreadable_since)}.",
            "`python manage.py khalti_flags` shows their shape. Upgrade loyalink-khalti, or report that shape to its"
            " maintainers. These payments are looked up again every few minutes.",
        )


@check()
def calendar() -> Messages:
    if conf.get("CALENDAR") != formats.AD and not bikram_sambat.is_installed():
        yield error(
            77,
            f'LOYALINK_KHALTI["CALENDAR"] is {conf.get("CALENDAR")!r}, and the library for the Bikram Sambat is'
            " missing: all dates are shown in AD.",
            'pip install "loyalink-khalti[bikram-sambat]"',
        )


@check()
def alerts() -> Messages:
    if not conf.alerts_to():
        yield warning(
            33,
            "No address receives alerts about payments that need review.",
            'LOYALINK_KHALTI["ALERTS_TO"] = ["shopkeeper@shop.example"], or set MANAGERS.',
        )
