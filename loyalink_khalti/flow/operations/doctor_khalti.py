"""Whether Khalti can be reached and accepts the shop's keys, and whether its clock and the database's agree.

A request without a key gets a 401, which says that server, TLS and network are right. A lookup of a payment that
cannot exist says whether a key is accepted: no payment is made or changed.
https://docs.khalti.com/khalti-epayment/#generic-errors
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.clock import database_now
from loyalink_khalti.conf.sites import SiteKey
from loyalink_khalti.errors import KhaltiUnreachable
from loyalink_khalti.khalti.transport import Answer, Transport

from .findings import Finding, ok, problem, warn
from .key_check import KEY_ACCEPTED, KEY_FAILED, check_key, random_pidx

SLOW = 3.0
"""Seconds for an answer after which customers notice."""
CLOCKS_APART = timedelta(minutes=1)
"""How far Khalti's clock may be from the database's: links expire by both."""
_HINTS = {
    "gaierror": "The name cannot be resolved: check DNS on this machine.",
    "SSLCertVerificationError": "Its certificate is not accepted: check this machine's clock and its CA certificates"
    " (the package ca-certificates), and that no proxy stands between.",
    "ConnectionRefusedError": "The connection is refused: a firewall or a proxy stands between.",
    "TimeoutError": "No answer in time: a firewall may drop the packets. Allow port 443 to this server.",
}


def examine_khalti() -> Iterator[Finding]:
    """Yield what each server and each key of the shop is like."""
    chosen = list(dict.fromkeys((site, _environment(site)) for site in _sites()))
    reached = set()
    for url in dict.fromkeys(conf.base_url(environment) for _site, environment in chosen):
        answer, findings = _reach(url)
        yield from findings
        if answer is not None:
            reached.add(url)
    tried: set[tuple[str, str]] = set()
    for site, environment in chosen:
        info = conf.secret_key_info(site, environment)
        if info.error or not info.source:
            text = info.error or "There is no secret key."
            yield problem("keys", f"Site {site!r}: {text}", "Enter it in Wagtail, under Settings, Khalti.")
        elif (environment, info.fingerprint) not in tried and conf.base_url(environment) in reached:
            tried.add((environment, info.fingerprint))
            yield _key(site, environment)


def _sites() -> list[str]:
    living = SiteKey.objects.filter(site_pk__isnull=False).order_by("key").values_list("key", flat=True)
    return list(living) or [conf.DEFAULT_SITE]


def _environment(site_key: str) -> str:
    return conf.environment_of(conf.khalti_settings(site_key))


def _reach(url: str) -> tuple[Answer | None, list[Finding]]:
    """Ask without a key, and return the answer with what it shows."""
    server = urlsplit(url).netloc
    began = time.perf_counter()
    try:
        answer = Transport(deadline=conf.deadline()).post(
            f"{url}epayment/lookup/", json={"pidx": random_pidx()}, resend_if_stale=True
        )
    except KhaltiUnreachable as exc:
        cause = str(exc).rpartition("(")[2].rstrip(")")
        hint = next((text for name, text in _HINTS.items() if name in cause), "Check this machine's connection.")
        return None, [problem("khalti", f"{server} cannot be reached ({cause}).", hint)]
    took = time.perf_counter() - began
    secure = "over TLS" if url.startswith("https:") else "without TLS"
    found = [ok("khalti", f"{server} answers {secure}, in {took * 1000:.0f} ms.")]
    if answer.status_code != 401:
        text = f"{server} answered {answer.status_code} to a request without a key, where Khalti answers 401."
        found = [warn("khalti", text, "Is this Khalti's server? Check KHALTI_BASE_URL, and proxies in between.")]
    elif took > SLOW:
        text = f"{server} needs {took:.1f} s for an answer."
        found = [warn("khalti", text, "Customers wait so long before Khalti's page. Is this machine's network slow?")]
    return answer, found + _clock(server, answer)


def _clock(server: str, answer: Answer) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(answer.date)
    except ValueError:  # without a Date header, or with one that is none
        return []
    apart = abs(theirs - database_now())
    if apart <= CLOCKS_APART:
        return [ok("clock", f"{server} and the database agree on the time.")]
    text = f"The clocks of {server} and of the database are {apart.total_seconds():.0f} s apart."
    return [warn("clock", text, "Let NTP set the clock of the database's machine: links expire by both.")]


def _key(site: str, environment: str) -> Finding:
    try:
        secret = conf.current_secret(site, environment)
    except ImproperlyConfigured as exc:
        return problem("keys", f"Site {site!r}: {exc}", "Enter the key again in Wagtail, under Settings, Khalti.")
    assert secret is not None, "it has a source"
    result = check_key(environment, secret)
    if result.level == KEY_ACCEPTED:
        return ok("keys", result.text)
    if result.level == KEY_FAILED:
        return problem("keys", result.text, "Copy the key of this server from Khalti's merchant dashboard.")
    return warn("keys", result.text, "Run this again in a minute.")
