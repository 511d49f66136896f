"""Ask Khalti whether it knows a key, without making a payment."""

import secrets
import string
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotAsked,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import Secret

GOOD, UNKNOWN, BAD = "success", "warning", "error"
"""What came of it, as the levels of Wagtail's messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a test, as a sentence for editors."""

    level: str
    text: str


def try_key(environment: str, secret: Secret) -> Verdict:
    """Look up a payment that cannot exist: to a key that it knows, Khalti says "Not found."."""
    server = urlsplit(conf.base_url(environment)).netloc
    told = {"key": str(secret), "server": server, "seconds": f"{conf.deadline():g}"}
    try:
        conf.client(environment, secret).lookup(_nobodys_pidx())
    except KhaltiRejected as exc:
        return _no(exc, told)
    except KhaltiUnreadable:
        return Verdict(level=BAD, text=_("What answers at %(server)s does not speak as Khalti does.") % told)
    except (KhaltiUnreachable, KhaltiNotAsked):
        text = _("No answer from %(server)s within %(seconds)s seconds, so the key may be right or wrong: try again.")
        return Verdict(level=UNKNOWN, text=text % told)
    except ImproperlyConfigured as exc:
        return Verdict(level=BAD, text=str(exc))
    return _good(told)


def _no(exc: KhaltiRejected, told: dict[str, str]) -> Verdict:
    if isinstance(exc, KhaltiNotFound) and exc.detail.get("detail") == "Not found.":
        return _good(told)
    if isinstance(exc, KhaltiKeyRejected):
        text = _(
            "Khalti does not know the key %(key)s at %(server)s. The test server and the live one have keys of their"
            " own; was it copied from the right one?"
        )
        return Verdict(level=BAD, text=text % told)
    if isinstance(exc, KhaltiThrottled):
        return Verdict(level=UNKNOWN, text=_("Khalti asks for a little patience: try again in a minute.") % told)
    text = _("%(server)s did not refuse the key %(key)s, but did not answer as expected either: %(words)s")
    return Verdict(level=UNKNOWN, text=text % (told | {"words": exc.words[:200]}))


def _good(told: dict[str, str]) -> Verdict:
    return Verdict(level=GOOD, text=_("Khalti knows the key %(key)s at %(server)s.") % told)


def _nobodys_pidx() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _character in range(22))
