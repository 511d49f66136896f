"""Uploaded CSV and XLSX files: every encoding and delimiter, and each bad file with a sentence and its row."""

import io
import zipfile
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook

from loyalink_khalti.staff.uploaded_table import TableLimits, UnreadableTable, UploadedTable

SMALL = TableLimits(bytes=10_000, unpacked=100_000, rows=3, columns=4, cell=20)


def table(content: bytes, **options: Any) -> UploadedTable:
    return UploadedTable(io.BytesIO(content), **options)


def cells(content: bytes, **options: Any) -> list[tuple[str, ...]]:
    return [row.cells for row in table(content, **options).rows()]


def workbook(*rows: list[Any]) -> bytes:
    book, output = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(output)
    return output.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_encoding_and_delimiter_is_read_alike(encoding: str, delimiter: str) -> None:
    """U30"""
    text = f"id{delimiter}name{delimiter}amount\r\nA1{delimiter}सीता{delimiter}१२०\r\n"

    assert cells(text.encode(encoding)) == [("id", "name", "amount"), ("A1", "सीता", "१२०")]


def test_windows_1252_is_read_where_it_is_no_utf_8_and_says_so() -> None:
    """U30"""
    western = table("id,name\nA1,Café\n".encode("cp1252"))

    assert western.is_western
    assert [row.cells for row in western.rows()][1] == ("A1", "Café")


def test_commas_within_quotes_cut_nothing_and_empty_rows_count_in_the_numbers() -> None:
    """U30"""
    found = list(table(b'id;amount\n\nA1;"1,250.50"\n').rows())

    assert [(row.number, row.cells) for row in found] == [(1, ("id", "amount")), (3, ("A1", "1,250.50"))]
    assert cells(b"sep=;\nid;amount,x\n") == [("id", "amount,x")]


def test_a_workbook_gives_numbers_and_days_as_texts() -> None:
    """U30"""
    content = workbook(["id", "amount", "day"], ["A1", 1250.5, date(2026, 11, 30)], [0.1 + 0.2, None, 7])

    assert cells(content)[1:] == [("A1", "1250.5", "2026-11-30"), ("0.3", "", "7")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"x" * 10_001, "larger than"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel file"),
        (b"%PDF-1.7", "PDF"),
        (b"<html><table>", "web page"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"a,b\n\x00\x01,c\n", "no text file"),
        (b"a,b\nc,\x81\n", "Row 2: the letters"),
        (b"\xef\xbb\xbfa,b\nc,\xff\n", "Row 2: the letters"),
        (b'a,b\nc,"d\n', "Row 2 cannot be read"),
        (b"1\n2\n3\n4\n", "more than 3 rows"),
        (b"a,b\n1,2,3,4,5\n", "Row 2 has more than 4 columns"),
        (b"a,b\n1," + b"x" * 21, "Row 2 has a cell of more than 20"),
    ],
)
def test_each_bad_file_is_refused_with_a_sentence_and_its_row(content: bytes, sentence: str) -> None:
    """U30"""
    with pytest.raises(UnreadableTable, match=sentence):
        cells(content, limits=SMALL)


def test_a_workbook_that_unpacks_to_far_more_is_refused() -> None:
    """U30"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/worksheets/sheet1.xml", b"0" * 200_000)

    with pytest.raises(UnreadableTable, match="too large inside"):
        cells(packed.getvalue(), limits=SMALL)


def test_a_workbook_whose_styles_are_a_bomb_is_refused() -> None:
    """U30: they are held as a whole, unlike sheets."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/styles.xml", b"<a/>" * (5 * 1024 * 1024))

    with pytest.raises(UnreadableTable, match="too large inside"):
        cells(packed.getvalue(), limits=TableLimits())


def test_a_workbook_with_entities_is_refused() -> None:
    """U30"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bomb:
        bomb.writestr("xl/workbook.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')

    with pytest.raises(UnreadableTable, match="Excel does not write"):
        cells(packed.getvalue(), limits=SMALL)
