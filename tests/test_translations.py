"""All that the package says, it says in Nepali too, and what is compiled is what is written."""

import re
import shutil
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "loyalink_khalti"
NEPALI = Path("locale/ne/LC_MESSAGES/django.po")
CATALOGUES = [ROOT / room / NEPALI for room in ("loyalink_khalti", "sandbox")]
GETTEXT = ("xgettext", "msguniq", "msgmerge", "msgattrib")
# An empty end finds a "%" that begins nothing.
PLACEHOLDER = re.compile(r"%(?:\(\w+\)[sd]|[sd%]|)")
TAG = re.compile(r"</?\w+>")

pytestmark = pytest.mark.lint
each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.relative_to(ROOT).parts[0])


def forms(text):
    """A message has one text, or one for each plural form."""
    return (text,) if isinstance(text, str) else tuple(text)


def catalogue(path):
    """The messages of a .po or .mo, by what they translate."""
    with path.open("rb") as file:
        messages = list((read_mo if path.suffix == ".mo" else read_po)(file))
    return {forms(message.id): message for message in messages if message.id}


def filled_in(text):
    return set(PLACEHOLDER.findall(text)), sorted(TAG.findall(text))


@pytest.fixture
def extracted(tmp_path, settings, monkeypatch):
    """The Nepali catalogue as ``makemessages`` begins it for today's source, in a copy."""
    if missing := [tool for tool in GETTEXT if not shutil.which(tool)]:
        pytest.skip(f"no GNU gettext here to read the source with: {', '.join(missing)}")
    copy = shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "ne"))
    (copy / "locale").mkdir(exist_ok=True)
    settings.LOCALE_PATHS = []
    monkeypatch.chdir(copy)
    call_command("makemessages", locale=["ne"], no_location=True, verbosity=0)
    return catalogue(copy / NEPALI).keys()


def test_nepali_has_every_sentence_of_the_source_and_no_other(extracted):
    translated = catalogue(PACKAGE / NEPALI).keys()

    # In loyalink_khalti, with DJANGO_SETTINGS_MODULE=sandbox.settings and the repository on PYTHONPATH:
    # python -m django makemessages -l ne --no-obsolete --no-wrap --no-location
    assert (extracted - translated, translated - extracted) == (set(), set()), "not translated, no longer said"


@each_catalogue
def test_no_translation_is_empty_or_guessed(path):
    messages = catalogue(path).values()

    assert [message.id for message in messages if message.fuzzy or not all(forms(message.string))] == []


@each_catalogue
def test_translations_fill_in_what_the_source_fills_in(path):
    pairs = [(said[-1], text) for said, message in catalogue(path).items() for text in forms(message.string)]

    assert [pair for pair in pairs if filled_in(pair[0]) != filled_in(pair[1])] == []


@each_catalogue
def test_what_is_compiled_is_what_is_written(path):
    written, compiled = (
        {said: forms(message.string) for said, message in catalogue(file).items()}
        for file in (path, path.with_suffix(".mo"))
    )

    assert compiled == written
