"""Settings in, live objects out. The only room that reads settings and environment, and that decrypts keys.

Everything is read when it is asked for, from the dict ``LOYALINK_KHALTI`` and, for what a deployment sets, from the
environment: ``KHALTI_SECRET_KEY``, ``KHALTI_BASE_URL``, ``LOYALINK_FERNET_KEYS``.
"""

from .calls import EVERYBODY, MEMBERS, STAFF, KhaltiOptions, Lane, client, khalti, khalti_options, patience, successor
from .keys import (
    DEPLOYMENT,
    EDITORS,
    KeyInUse,
    KeyUnreadable,
    Rotated,
    credentials,
    deployments_key,
    fernet,
    key_in_use,
    remove_key,
    rotate_keys,
    save_key,
    secret_in_use,
    secret_of,
)
from .limits import adjust_limit, refund_limit
from .servers import LIVE, SERVERS, TEST, base_url, is_simulated
from .settings import DEFAULTS, alerts_to, calls_at_once, deadline, get, oscar_options, shop, shops
from .sites import DEFAULT_SITE, key_of_site, site_key, site_url
from .texts import ProgrammeTexts, programme_texts

__all__ = [
    "DEFAULTS",
    "DEFAULT_SITE",
    "DEPLOYMENT",
    "EDITORS",
    "EVERYBODY",
    "LIVE",
    "MEMBERS",
    "SERVERS",
    "STAFF",
    "TEST",
    "KeyInUse",
    "KeyUnreadable",
    "KhaltiOptions",
    "Lane",
    "ProgrammeTexts",
    "Rotated",
    "adjust_limit",
    "alerts_to",
    "base_url",
    "calls_at_once",
    "client",
    "credentials",
    "deadline",
    "deployments_key",
    "fernet",
    "get",
    "is_simulated",
    "key_in_use",
    "key_of_site",
    "khalti",
    "khalti_options",
    "oscar_options",
    "patience",
    "programme_texts",
    "refund_limit",
    "remove_key",
    "rotate_keys",
    "save_key",
    "secret_in_use",
    "secret_of",
    "shop",
    "shops",
    "site_key",
    "site_url",
    "successor",
]
