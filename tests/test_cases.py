"""docs/cases.md lists every case once, and every test that it names exists and names the case."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "cases.md").read_text()

WORD = re.compile(r"\w+")

# A case that is removed from the page fails here. The gaps are intended.
CASES = WORD.findall("""
    A01 A02 A03 A04 A05 A06 A07 A08 A09 A10 A12 A13 A14 A16 A18 A19 A20 A21
    B01 B02 B03 B04 B05 B06 B07 B08 B09 B10 B11 B12
    C01 C02 C03 C04 C05 C06 C08 C09 C10 C11 C12 C13 C14 C15 C16 C18 C20 C21 C22 C23 C24 C25 C27 C28 C29 C30
    D01 D02 D03 D04 D05 D06 D07 D08 D09 D11 D12 D13 D14 D15
    E01 E02 E03 E04 E06 E07 E08
    F01 F02 F03 F04 F05 F06 F07 F08 F09 F10 F11 F13 F14 F15
    G01 G03 G04 G05 G06 G07 G08
    H01 H02 H03 H04 H05 H06 H07 H08 H10
    J01 J02 J04 J05 J07 J08
    K01 K02 K03 K04 K05 K06 K07 K09 K10
    L01 L02 L03 L04 L05
    I1 I2 I3 I4 I5 I6 I7 I8 I9 I10 I11 I12 I13 I14 I15 I16 I17 I18 I19 I20 I21 I22 I23
    M1 M2 M3 M4 M5 M5a M6 M7 M7a M7b M8 M8a M8b M9 M10 M11 M12 M13 M14 M15
    M16 M17 M18 M19 M20 M21 M22 M23 M24 M24a M24b M24c M24d M25 M25a
    M25b M25c M25d M25e M25f M25g M26 M27 M28 M29 M30 M31 M32 M33 M34
    D1 D2 D3 D4 D5 D6 D7 D7b
    P1 P2 P3 P4 P5
    R1 R1a R1b R1c R1d R1e R2 R2a R3 R3a R3b R3c R3d R3e R3f R3g R4 R5 R5a R5b R5c R5d R5e R5f R5g R5h R5i R5j R5k
    R6 R6a R6b R6c R6d R6e R6f R6g R6h R7 R8 R9 R10 R10a R11 R12 R13 R14 R15
    H1 H2 H3 H3a H4 H4a H4b H5 H6 H7 H8 H9 H10a H10b H10c H10d H10e H10f
    W1 W2 W3 W4 W5 W6 W7 W8 W9 W10 W11 W12 W13 W14 W15 W16 W17 W18 W19 W20 W21 W22 W23 W24 W25 W26 W27 W28 W29 W30 W31
    S1 S2 S3 S4 S5 S6 S7 S8 S9 S10
    Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11
    O1 O2 O3 O4 O5
    N1 N2 N3 N4 N5 N6 N7 N8 N9 N10 N11 N12 N13 N14 N15 N16 N17 N18 N19 N20 N21 N22 N23 N24 N25 N26 N27 N28 N29 N30
    N31 N32 N33 N34 N35 N36 N37 N38 N39 N40 N41 N42 N43 N44
    N45 N46 N47 N48 N49
    T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T15 T20 T21 T22 T23 T24 T25 T26 T27 T28 T29 T30
    T31 T32 T33 T34 T35 T36
    T37 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17 U18 U19 U20 U21 U22 U23 U24
    U25 U26 U27 U29 U30 U31 U32 U33 U34 U35 U36 U37 U38 U39 U40 U41 U42 U43 U44 U45 U46 U47 U48 U49 U50
    U51 U52 U53 U54 U55 U56 U57 U58 U59 U60 U61
""")

ROW = re.compile(r"^\| ([A-UW]\d{1,2}[a-z]?) \| ([^|]+) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
ID = re.compile(r"\b(?:[A-GJ-L]\d\d|H\d\d?[a-z]?|[IM-UW]\d{1,2}[a-z]?|D\d[a-z]?)\b")

ROWS = {case: TEST.findall(cell) for case, _, cell in ROW.findall(PAGE)}
NAMED = [(case, path, name) for case, tests in ROWS.items() for path, name in tests]


@cache
def docstrings_in(path: str) -> dict[str, str]:
    """Return the docstrings of the tests of a file; those of a class are ``Class::test``."""
    found: dict[str, str] = {}

    def collect(nodes: list[ast.stmt], within: str) -> None:
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{within}{node.name}::")
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[within + node.name] = ast.get_docstring(node) or ""

    collect(ast.parse((ROOT / path).read_text()).body, "")
    return found


def test_the_page_has_every_case_once() -> None:
    assert Counter(case for case, _, _ in ROW.findall(PAGE)) == Counter(CASES)


def test_every_test_of_the_page_exists_and_names_its_case() -> None:
    wrong = [
        f"{case}: {path}::{name}"
        for case, path, name in NAMED
        if not (ROOT / path).is_file() or case not in ID.findall(docstrings_in(path).get(name, ""))
    ]

    assert not wrong


def test_only_tests_of_the_table_are_in_backticks() -> None:
    assert PAGE.count("`tests/") - PAGE.count("`tests/test_cases.py`") == len(NAMED)


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_a_test(case: str) -> None:
    assert ROWS[case]


def test_every_case_in_a_docstring_exists() -> None:
    unknown = [
        f"{path.relative_to(ROOT)}::{name}: {found}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name, docstring in docstrings_in(str(path.relative_to(ROOT))).items()
        for found in ID.findall(docstring)
        if found not in CASES
    ]

    assert not unknown
