"""Every text of the package has a Nepali translation, and the compiled catalogues are current."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.core.management import call_command
from django.utils.timesince import timesince
from django.utils.translation import override

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "loyalink_khalti"
NEPALI = Path("locale/ne/LC_MESSAGES/django.po")
CATALOGUES = [ROOT / room / NEPALI for room in ("loyalink_khalti", "sandbox")]
GETTEXT = ("xgettext", "msguniq", "msgmerge", "msgattrib")
# The empty alternative finds a "%" that starts no placeholder.
PLACEHOLDER = re.compile(r"%(?:\(\w+\)[sd]|[sd%]|)")
TAG = re.compile(r"</?\w+>")

pytestmark = pytest.mark.lint
each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.relative_to(ROOT).parts[0])


def forms(text):
    """Return the texts of a message: one, or one for each plural form."""
    return (text,) if isinstance(text, str) else tuple(text)


def catalogue(path):
    """Return the messages of a .po or .mo by the texts that they translate."""
    with path.open("rb") as file:
        messages = list((read_mo if path.suffix == ".mo" else read_po)(file))
    return {(message.context or "", *forms(message.id)): message for message in messages if message.id}


def placeholders_in(text):
    return set(PLACEHOLDER.findall(text)), sorted(TAG.findall(text))


@pytest.fixture
def extracted(tmp_path, settings, monkeypatch):
    """The texts that ``makemessages`` finds in a copy of the current source."""
    if missing := [tool for tool in GETTEXT if not shutil.which(tool)]:
        pytest.skip(f"no GNU gettext here to read the source with: {', '.join(missing)}")
    copy = shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "ne"))
    (copy / "locale").mkdir(exist_ok=True)
    settings.LOCALE_PATHS = []
    monkeypatch.chdir(copy)
    call_command("makemessages", locale=["ne"], no_location=True, verbosity=0)
    return catalogue(copy / NEPALI).keys()


def test_nepali_has_every_text_of_the_source_and_no_other(extracted):
    translated = catalogue(PACKAGE / NEPALI).keys()

    # In loyalink_khalti, with DJANGO_SETTINGS_MODULE=sandbox.settings and the repository on PYTHONPATH:
    # python -m django makemessages -l ne --no-obsolete --no-wrap --no-location
    assert (extracted - translated, translated - extracted) == (set(), set()), "not translated, no longer used"


@each_catalogue
def test_no_translation_is_empty_or_fuzzy(path):
    messages = catalogue(path).values()

    assert [message.id for message in messages if message.fuzzy or not all(forms(message.string))] == []


@each_catalogue
def test_translations_have_the_placeholders_and_tags_of_the_source(path):
    pairs = [(texts[-1], text) for texts, message in catalogue(path).items() for text in forms(message.string)]

    assert [pair for pair in pairs if placeholders_in(pair[0]) != placeholders_in(pair[1])] == []


@each_catalogue
def test_the_compiled_catalogue_is_current(path):
    source, compiled = (
        {texts: forms(message.string) for texts, message in catalogue(file).items()}
        for file in (path, path.with_suffix(".mo"))
    )

    assert compiled == source


@pytest.mark.parametrize(("minutes", "text"), [(1, "1 मिनेट"), (65, "1 घण्टा, 5 मिनेट"), (60 * 24 * 9, "1 हप्ता, 2 दिन")])
def test_a_duration_is_nepali_in_a_nepali_sentence(minutes, text):
    """N49"""
    now = datetime(2026, 2, 25, 12, tzinfo=UTC)

    with override("ne"):
        duration = timesince(now - timedelta(minutes=minutes), now)

    assert duration.replace("\N{NO-BREAK SPACE}", " ") == text
