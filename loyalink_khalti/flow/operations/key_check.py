"""Check a secret key with Khalti, without making a payment."""

import secrets
import string
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import Secret

KEY_ACCEPTED, KEY_UNDECIDED, KEY_FAILED = "success", "warning", "error"
"""Results of a check, named as the levels of Wagtail's messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """The result of a check, with a sentence for editors."""

    level: str
    text: str


def check_key(environment: str, secret: Secret) -> KeyCheck:
    """Look up a payment that cannot exist, and return what the answer says about the key.

    To a key that it accepts, Khalti answers "Not found.".
    https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
    """
    server = urlsplit(conf.base_url(environment)).netloc
    values = {"key": str(secret), "server": server, "seconds": f"{conf.deadline():g}"}
    try:
        conf.client_with_key(environment, secret).lookup(random_pidx())
    except KhaltiRejected as exc:
        return _rejected(exc, values)
    except KhaltiUnreadable:
        return KeyCheck(
            level=KEY_FAILED, text=_("The answer from %(server)s is not an answer of Khalti's API.") % values
        )
    except (KhaltiUnreachable, KhaltiNotCalled):
        text = _("No answer from %(server)s within %(seconds)s seconds. The key may be right or wrong: try again.")
        return KeyCheck(level=KEY_UNDECIDED, text=text % values)
    except ImproperlyConfigured as exc:
        return KeyCheck(level=KEY_FAILED, text=str(exc))
    return _accepted(values)


def _rejected(exc: KhaltiRejected, values: dict[str, str]) -> KeyCheck:
    if isinstance(exc, KhaltiNotFound) and exc.detail.get("detail") == "Not found.":
        return _accepted(values)
    if isinstance(exc, KhaltiKeyRejected):
        text = _(
            "Khalti rejects the key %(key)s at %(server)s. The test server and the live server have separate keys: was"
            " the key copied from the right server?"
        )
        return KeyCheck(level=KEY_FAILED, text=text % values)
    if isinstance(exc, KhaltiThrottled):
        return KeyCheck(level=KEY_UNDECIDED, text=_("Khalti has received too many requests: try again in a minute."))
    text = _("%(server)s did not reject the key %(key)s, but its answer was unexpected: %(answer)s")
    return KeyCheck(level=KEY_UNDECIDED, text=text % (values | {"answer": exc.message[:200]}))


def _accepted(values: dict[str, str]) -> KeyCheck:
    return KeyCheck(level=KEY_ACCEPTED, text=_("Khalti accepts the key %(key)s at %(server)s.") % values)


def random_pidx() -> str:
    """Return the id of a payment that does not exist."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _character in range(22))
