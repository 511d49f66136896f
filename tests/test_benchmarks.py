"""The benchmarks say what they need, and their page says what was measured; with ``--all`` they run, in small."""

import ast
import os
import subprocess
import sys

import pytest

from benchmarks import bootstrap, page
from benchmarks.figures import in_turn, ratio, speed_ratio
from sandbox.bootstrap import ROOT

FOLDER = ROOT / "benchmarks"


def results() -> page.Results:
    half = ratio([1, 2, 3], [2, 4, 6])
    return page.Results(
        when="2026-12-01", commit="abc1234", machine="2 cores", options="", loops="| loops |", clients="| clients |",
        against_update={"begin": (half, half), "return": (half, half), "replay": (half, half)},
        at_once={"ours": (50, 1, 1)}, reconcile={"Initiated": [0.9, 0.7, 0.8], "Completed": [0.5]}, payments=1000,
        ledger={"hold of 5: 10,000 lots ÷ 10": half}, catalogue={"median": 1.0, "p95": 2.5, "longest": 1, "hung": 24},
        statements={"basket": [1, 22]}, minutes=7,
    )  # fmt: skip


def test_the_page_has_every_figure_and_no_place_is_left_empty() -> None:
    text = page.render(results())

    assert "commit `abc1234`" in text
    assert "| ours | 50 | 1 | 1 |" in text
    assert "| Initiated | 0.80 (0.70 to 0.90) |" in text
    assert "{" not in text


def test_contenders_are_measured_in_turn_and_a_ratio_has_its_quartiles() -> None:
    met: list[str] = []
    taken = in_turn({"a": lambda: met.append("a"), "b": lambda: met.append("b")}, rounds=2, calls=2)

    assert met == ["a", "a", "b", "b", "b", "b", "a", "a"]
    assert str(ratio([1, 2, 3], [1, 1, 1])) == "2.00 (1.50 to 2.50)"
    assert speed_ratio(taken["a"], taken["a"]).middle == 1


def test_an_older_python_is_asked_for_a_newer_one_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))

    with pytest.raises(SystemExit, match=r"need Python 3\.12 or newer, because django-getpaid 3\.2\.0 does"):
        bootstrap.main("benchmarks", lambda: None, lambda _chosen: 0)


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "bootstrap.py"])
def test_any_python_can_read_what_starts_them(name: str) -> None:
    ast.parse((FOLDER / name).read_text(), feature_version=(3, 6))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_small_run_measures_everything() -> None:
    python = ROOT / ".venv-bench" / "bin" / "python"
    if not python.exists():
        pytest.skip("their environment is not built: run `python3.12 -m benchmarks --quick` once")
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}

    done = subprocess.run(
        [python, "-m", "benchmarks", "--quick"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "| ours | 50 | 1 | 1 |" in done.stdout
