"""Configuration: settings and editors' choices in, live objects out. Nothing else reads settings or decrypts keys.

Everything is read at call time: from the dict ``LOYALINK_KHALTI``, and for a deployment from the environment variables
``KHALTI_SECRET_KEY``, ``KHALTI_BASE_URL`` and ``LOYALINK_FERNET_KEYS``.
"""

from .api import ApiOptions, api_authenticate, api_faults, api_options, is_return_address, scheme_of
from .gateway import (
    EVERYBODY,
    MEMBERS,
    STAFF,
    Caller,
    KhaltiOptions,
    client_for,
    client_with_key,
    is_cache_shared,
    is_not_responding,
    khalti_options,
    page_slot,
    replacement_client,
    slot_timeout,
)
from .keys import (
    DEPLOYMENT,
    EDITORS,
    GatewayRows,
    NoKeyInThisProcess,
    RotationResult,
    SecretKeyInfo,
    SecretKeyUnreadable,
    credentials,
    current_secret,
    deployment_key_replaced,
    deployment_secret,
    fernet,
    gateway_rows,
    remove_secret_key,
    rotate_secret_keys,
    save_secret_key,
    secret_key_info,
    secret_of,
)
from .pages import content_security_policy
from .people import (
    SHORTEST_TOKEN,
    alerts_to,
    create_account,
    email_is_verified,
    health_token,
    review_reminder_after,
)
from .rate_limits import ask_cache, client_network, is_cache_failing, is_remembered, remember, seconds_to_wait
from .settings import (
    DEFAULTS,
    LIVE,
    SERVERS,
    TEST,
    AdjustLimits,
    ProgramTexts,
    RefundLimits,
    absolute_url,
    adjust_limits,
    base_url,
    deadline,
    environment_of,
    get,
    host_settings,
    is_simulated,
    is_test_mode,
    khalti_settings,
    language,
    lookups_per_second,
    max_concurrent_calls,
    path_below,
    program_texts,
    refund_limits,
    shop,
    shops,
    site_key,
    site_key_of,
    site_keys,
    site_url,
    test_payments_allowed,
)
from .shapes import SECRETS, nearest, unknown_settings, wrong_types
from .shop_details import TRANSFER_DAYS, ShopDetails, forget_shop_details, shop_details, shown_site_key
from .sites import DEFAULT_SITE, deleted_sites

__all__ = [
    "DEFAULTS", "DEFAULT_SITE", "DEPLOYMENT", "EDITORS", "EVERYBODY", "LIVE", "MEMBERS", "SECRETS", "SERVERS",
    "SHORTEST_TOKEN", "STAFF", "TEST", "TRANSFER_DAYS", "AdjustLimits", "ApiOptions", "Caller", "GatewayRows",
    "KhaltiOptions", "NoKeyInThisProcess", "ProgramTexts", "RefundLimits", "RotationResult", "SecretKeyInfo",
    "SecretKeyUnreadable", "ShopDetails", "absolute_url", "adjust_limit", "adjust_limits", "alerts_to",
    "api_authenticate", "api_faults", "api_options", "ask_cache", "base_url", "client_for", "client_network",
    "client_with_key", "content_security_policy", "create_account", "credentials", "current_secret", "deadline",
    "deleted_sites", "deployment_key_replaced", "deployment_secret",
    "email_is_verified", "environment_of", "fernet", "forget_shop_details", "gateway_rows",
    "get", "health_token", "host_settings", "is_cache_failing", "is_cache_shared", "is_not_responding",
    "is_remembered", "is_return_address", "is_simulated", "is_test_mode", "khalti_options", "khalti_settings",
    "language", "lookups_per_second", "max_concurrent_calls", "nearest", "page_slot", "path_below",
    "program_texts", "refund_limit", "refund_limits", "remember", "remove_secret_key", "replacement_client",
    "review_reminder_after", "rotate_secret_keys", "save_secret_key", "scheme_of", "seconds_to_wait",
    "secret_key_info", "secret_of", "shop", "shop_details", "shops", "shown_site_key", "site_key", "site_key_of",
    "site_keys", "site_url", "slot_timeout", "test_payments_allowed", "unknown_settings", "wrong_types",
]  # fmt: skip
