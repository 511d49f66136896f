"""An answer is one complete JSON object in UTF-8 of a limited size, or it is unreadable."""

import gzip
import json
import zlib

import pytest

from loyalink_khalti.errors import KhaltiUnreachable, KhaltiUnreadable
from loyalink_khalti.khalti import Khalti, Status, Transport

from . import vectors

LOOKUP = "https://dev.khalti.com/api/v2/epayment/lookup/"
GOOD = json.dumps(vectors.looked_up("Completed"))
GOOD_SHAPE = (
    "{pidx: string, total_amount: integer, status: string, transaction_id: string, fee: integer, refunded: boolean}"
)


def with_amount(amount: str) -> str:
    return GOOD.replace('"total_amount": 1000', f'"total_amount": {amount}')


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "\x00\x01\x02",
        b"\xff\xfe\xfa",
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD + "x",
        GOOD + GOOD,
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-32"),
        GOOD.replace("Completed", "Complet\xe9").encode("latin-1"),
        "null",
        "[]",
        f"[{GOOD}]",
        '"Completed"',
        "1000",
        "true",
        '{"status": "Pending", ' + GOOD[1:],
        GOOD[:-1] + ', "total_amount": 1}',
        GOOD[:-1] + ', "more": {"a": 1, "a": 2}}',
        with_amount("NaN"),
        with_amount("Infinity"),
        with_amount("-Infinity"),
        GOOD[:-1] + ', "more": NaN}',
        GOOD[:-1] + ', "more": 1e999}',
        with_amount("1e3"),
        with_amount('"1000"'),
        with_amount("1000.0"),
        with_amount("true"),
        with_amount("1" * 5000),
        with_amount("-" + "1" * 5000),
        with_amount("-1000"),
        with_amount("1" + "0" * 19),
        with_amount("0x3e8"),
        with_amount("01000"),
        GOOD[:-1] + ', "more": ' + "1" * 5000 + "}",
        GOOD[:-1] + ', "more": "a\\u0000b"}',
        GOOD[:-1] + ', "more": ["\\ud800"]}',
        GOOD[:-1] + ', "\\udc00": 1}',
        GOOD[:-1] + ', "more": ' + "[" * 30 + "]" * 30 + "}",
    ],
)
def test_anything_but_a_strict_json_object_is_unreadable(body, sandbox, khalti):
    """C14, C15, C16."""
    sandbox.post(LOOKUP, body=body)

    with pytest.raises(KhaltiUnreadable) as caught:
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")

    assert "GFq9PFS7b2iYvL8Lir9oXe" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("<html>Maintenance</html>", ""),
        ("null", "null"),
        (f"[{GOOD}]", "array"),
        ("{}", "{}"),
        (with_amount('"1000"'), GOOD_SHAPE.replace("total_amount: integer", "total_amount: string")),
        (with_amount("1000.0"), GOOD_SHAPE.replace("total_amount: integer", "total_amount: number")),
        (with_amount("1" * 5000), GOOD_SHAPE),
        (f'{{"data": {GOOD}}}', f"{{data: {GOOD_SHAPE}}}"),
        ('{"9841234567": true, "a": {"b": {"c": {"d": 1}}}}', "{…: boolean, a: {b: {c: object}}}"),
        (json.dumps({f"x{'y' * n}": None for n in range(21)}), None),
    ],
)
def test_the_error_of_an_unreadable_answer_has_its_keys_and_types_and_no_values(body, shape, sandbox, khalti):
    """R2"""
    sandbox.post(LOOKUP, body=body)

    with pytest.raises(KhaltiUnreadable) as caught:
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")

    if shape is None:  # of very many keys the first twenty
        assert caught.value.shape.count("null") == 20
        assert caught.value.shape.endswith(", …}")
    else:
        assert caught.value.shape == shape


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"status": ['])
def test_deeply_nested_json_is_unreadable_and_harmless(opening, sandbox, secret):
    """C18: even when the size limit allows all 100,000 levels."""
    khalti = Khalti(base_url="https://dev.khalti.com/api/v2/", secret=secret, transport=Transport(max_bytes=10**6))
    sandbox.post(LOOKUP, body=opening * 100_000)

    with pytest.raises(KhaltiUnreadable):
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")


def test_unknown_fields_are_ignored(sandbox, khalti):
    sandbox.post(LOOKUP, body=GOOD[:-1] + ', "more": {"नाम": [1.5, null, "é", {"deep": [true]}]}}\r\n')

    assert khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5").status is Status.COMPLETED


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
def test_a_compressed_answer_is_decompressed(coding, compress, sandbox, khalti):
    sandbox.post(LOOKUP, body=compress(GOOD.encode()), headers={"Content-Encoding": coding})

    assert khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5").status is Status.COMPLETED


def test_a_small_answer_that_decompresses_to_a_huge_one_is_unreadable(sandbox, khalti):
    bomb = gzip.compress(b" " * 50_000_000 + GOOD.encode())
    assert len(bomb) < 64 * 1024
    sandbox.post(LOOKUP, body=bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(KhaltiUnreadable, match="too long"):
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(GOOD.encode())[:-9]),
        ("gzip", gzip.compress(GOOD.encode()) * 2),
        ("gzip", GOOD.encode()),
        ("br", GOOD.encode()),
        ("gzip, gzip", gzip.compress(gzip.compress(GOOD.encode()))),
    ],
)
def test_a_truncated_answer_or_an_unknown_coding_is_no_answer(coding, body, sandbox, khalti):
    sandbox.post(LOOKUP, body=body, headers={"Content-Encoding": coding})

    with pytest.raises(KhaltiUnreachable):
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")


def test_an_answer_above_the_size_limit_is_unreadable(sandbox, khalti):
    sandbox.post(LOOKUP, body=GOOD + " " * 70_000)

    with pytest.raises(KhaltiUnreadable, match="too long"):
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")
