"""Only ``reveal`` shows the secret key."""

import copy
import logging
import pickle
import pprint
import traceback

import pytest

from loyalink_khalti.khalti import Secret

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
    ours = shown[shown.index("khalti/secret.py") :]
    assert HEX not in ours
