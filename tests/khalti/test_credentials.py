"""Only ``reveal`` shows the secret key. Calls and redirects go only to Khalti's servers and to the configured one."""

import copy
import logging
import pickle
import pprint
import traceback

import pytest

from loyalink_khalti.khalti import Khalti, Secret, is_khalti_url

# The secret key

HEX = "0123456789ab4cde8f0123456789b455"


@pytest.mark.parametrize(
    ("key", "mask"),
    [
        (f"live_secret_key_{HEX}", "live_…b455"),
        (f"test_secret_key_{HEX}", "test_…b455"),
        (HEX, "…b455"),
        (HEX * 2, "…b455"),
        ("short-key", "…"),
        ("live_secret_key_abcd", "live_…"),
        ("fifteen-letters", "…"),
        ("sixteen-letters!", "…ers!"),
    ],
)
def test_a_key_shows_at_most_its_prefix_and_its_last_four_characters(key, mask):
    secret = Secret(key)

    assert str(secret) == f"{secret}" == mask
    assert f"{secret:>12}" == f"{mask:>12}"
    assert repr(secret) == f"<Secret {mask}>"
    assert secret.reveal() == key


def test_logs_and_printed_variables_do_not_contain_the_key(caplog):
    secret = Secret(HEX)

    logging.getLogger("shop").warning("%s %r", secret, {"key": secret})

    assert HEX not in caplog.text
    assert HEX not in pprint.pformat([secret, vars(type(secret)), [getattr(secret, n) for n in Secret.__slots__]])
    with pytest.raises(TypeError):
        vars(secret)


def test_a_key_cannot_be_pickled_but_a_settings_object_that_holds_it_can_be_copied():
    secret = Secret(HEX)

    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(secret)
    assert copy.deepcopy({"key": secret})["key"] is copy.copy(secret) is secret


def test_a_template_may_not_call_reveal():
    assert Secret(HEX).reveal.alters_data is True


def test_keys_compare_by_value_and_have_distinct_fingerprints():
    assert Secret(HEX) == Secret(HEX)
    assert hash(Secret(HEX)) == hash(Secret(HEX))
    assert Secret(HEX) != Secret(HEX[::-1])
    assert Secret(HEX) != HEX
    assert Secret(HEX).fingerprint == Secret(HEX).fingerprint != Secret(HEX[::-1]).fingerprint
    assert len(Secret(HEX).fingerprint) == 8
    assert int(Secret(HEX).fingerprint, 16) >= 0


def test_a_key_is_immutable():
    with pytest.raises(AttributeError):
        Secret(HEX).fingerprint = "00000000"
    with pytest.raises(AttributeError):
        del Secret(HEX).fingerprint


@pytest.mark.parametrize("key", ["", " ", f"{HEX} ", f"{HEX}\n", f"live {HEX}", "ключ" + HEX, HEX + "\x7f", None, 7])
def test_text_that_cannot_be_a_key_is_refused_without_repeating_it(key):
    with pytest.raises(ValueError, match="the secret key") as caught:
        Secret(key)

    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    ours = shown[shown.index("khalti/credentials.py") :]
    assert HEX not in ours


# Servers

LIVE = "https://khalti.com/api/v2/"
LOCAL = "http://127.0.0.1:9000/api/v2/"


@pytest.mark.parametrize(
    "url",
    [
        "https://khalti.com/api/v2/",
        "https://pay.khalti.com/?pidx=bZQLD9wRVWo4CdESSfuSsB",
        "https://test-pay.khalti.com/wallet/?pidx=W3&return_url=https%3A%2F%2Fdocs.khalti.com&mode=wallet",
        "https://khalti.com:443/",
        "HTTPS://Pay.KHALTI.com/",
    ],
)
def test_khalti_com_and_its_subdomains_over_https_are_khalti_urls(url):
    assert is_khalti_url(url, base_url=LIVE)
    assert is_khalti_url(url, base_url=LOCAL)


@pytest.mark.parametrize(
    "url",
    [
        "http://khalti.com/",
        "http://pay.khalti.com/",
        "https://khalti.com:8443/",
        "https://khalti.com:0/",
        "https://khalti.com:99999/",
        "https://khalti.com:/",
        "https://khalti.com@evil.example/",
        "https://evil.example@khalti.com/",
        "https://user:pass@khalti.com/",
        "https://khalti.com\\@evil.example/",
        "https://evil.example\\.khalti.com/",
        "https:\\\\khalti.com/",
        "https://evil.example/khalti.com",
        "https://evil.example#.khalti.com",
        "https://evil.example?.khalti.com",
        "https://evilkhalti.com/",
        "https://khalti.com.evil.example/",
        "https://khalti.com./",
        "https://.khalti.com/",
        "https://pay..khalti.com/",
        "https://khalti.com%2eevil.example/",
        "https://khalti.com;.evil.example/",
        "https://kha\tlti.com/",
        "https://khalti.com/\n",
        " https://khalti.com/",
        "https://khalti.com/ x",
        "https://khalti.com/\x00",
        "https://khаlti.com/",  # a Cyrillic а
        "https://khalti。com/",
        "https://ｋhalti.com/",
        "https://xn--khlti-5ve.com/",
        "javascript:alert(1)",
        "javascript://khalti.com/%0aalert(1)",
        "data:text/html,khalti.com",
        "file:///etc/passwd",
        "ftp://khalti.com/",
        "//khalti.com/",
        "/khalti.com/",
        "https:khalti.com",
        "https:/khalti.com",
        "https:///khalti.com",
        "https://",
        "https://[::1",
        "https://[khalti.com]/",
        "khalti.com",
        "",
        None,
        7,
    ],
)
def test_a_url_that_only_looks_like_khalti_is_refused(url):
    """C20, C24, K10."""
    assert not is_khalti_url(url, base_url=LIVE)
    assert not is_khalti_url(url, base_url=LOCAL)


@pytest.mark.parametrize(
    ("url", "base_url", "allowed"),
    [
        ("http://127.0.0.1:9000/?pidx=a", LOCAL, True),
        ("http://127.0.0.1:9001/?pidx=a", LOCAL, True),
        ("https://127.0.0.1/?pidx=a", LOCAL, True),
        ("http://127.0.0.2:9000/", LOCAL, False),
        ("http://localhost:9000/", LOCAL, False),
        ("http://127.0.0.1:9000/", LIVE, False),
        ("http://localhost:1/", "http://localhost:9000/api/v2/", True),
        ("http://[::1]:1/", "http://[::1]:9000/api/v2/", True),
        ("https://khalti.shop.example:8443/pay", "https://khalti.shop.example/api/v2/", True),
        ("https://pay.khalti.shop.example/pay", "https://khalti.shop.example/api/v2/", False),
        ("http://khalti.shop.example/pay", "https://khalti.shop.example/api/v2/", False),
        ("https://169.254.169.254/latest/", LOCAL, False),
    ],
)
def test_the_host_of_the_base_url_is_allowed_on_any_port_and_over_plain_http_only_on_loopback(url, base_url, allowed):
    assert is_khalti_url(url, base_url=base_url) is allowed


@pytest.mark.parametrize("given", ["https://dev.khalti.com/api/v2", "https://dev.khalti.com/api/v2/"])
def test_a_base_url_gets_a_trailing_slash(given, secret):
    assert Khalti(base_url=given, secret=secret).base_url == "https://dev.khalti.com/api/v2/"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://dev.khalti.com/api/v2/",
        "http://10.0.0.1/api/v2/",
        "http://169.254.169.254/",
        "http://127.0.0.1.evil.example/",
        "http://2130706433/",
        "https://user:hunter2@dev.khalti.com/api/v2/",
        "https://dev.khalti.com/api/v2/?x=",
        "https://dev.khalti.com/api/v2/#x",
        "file:///api/v2/",
        "dev.khalti.com/api/v2/",
        "",
    ],
)
def test_a_server_that_must_not_be_called_is_refused_before_any_call(base_url, secret):
    """I13, K10."""
    with pytest.raises(ValueError, match=r"base URL|plain http") as caught:
        Khalti(base_url=base_url, secret=secret)

    assert "hunter2" not in str(caught.value)
