"""docs/gallery.md: every page and mail for customers, in both languages side by side; a test takes its pictures."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.test import override_settings

from loyalink_khalti import conf, flow
from tests.browser.conftest import LANGUAGES, PICTURES
from tests.browser.keyboard import Customer, take_picture
from tests.stories.running_store import Store

FOLDER = PICTURES / "gallery"
PAGE = PICTURES.parent / "gallery.md"
TITLES = {
    "store": "Oscar, the demo store",
    "page": "Pages that sell, of a site with a look of its own",
    "mail": "Mails",
}
ADDRESS = "https://saraswati.example"
"""What the foot of the mails names, instead of the address of the server that runs for the test."""
INTRODUCTION = """\
# Gallery

Every page and every mail that a customer sees, in a state that a purchase may be in: English left, Nepali right, on a
phone 390 pixels wide. The colours and fonts are those of the [sandbox](sandbox.md) and of `examples/page`;
[yours](configuration.md#look) take their place. What the editors of `examples/page` have written is English, as on a
site that does not translate its pages. `python3 -m tests --pictures -k gallery` makes this page and its pictures.
"""


def file_of(group: str, name: str, language: str) -> Path:
    """Return the file of a picture. ``name`` is the page's, "thank-you-transfer"."""
    FOLDER.mkdir(exist_ok=True)
    return FOLDER / f"{group}-{name}-{language}.webp"


def take_mails(customer: Customer, store: Store, language: str) -> None:
    """Take a picture of an example of each kind of mail."""
    with store.in_this_process(), override_settings(LOYALINK_KHALTI=settings.LOYALINK_KHALTI | {"SITE_URL": ADDRESS}):
        mails = {kind: flow.sample_mail(kind, site_key=conf.site_key(), language=language) for kind in flow.MailKind}
    for kind, mail in mails.items():
        page = store.folder / f"{kind}.html"
        page.write_text(mail.html)
        customer.driver.get(page.as_uri())
        take_picture(customer.driver, file_of("mail", kind.replace("_", "-"), language))


def _pictures(group: str) -> Iterator[str]:
    names = {
        file.stem.rpartition("-")[0].removeprefix(f"{group}-"): file.stat().st_mtime_ns
        for file in FOLDER.glob(f"{group}-*")
    }
    yield from sorted(names, key=names.__getitem__)


def missing(language: str) -> list[str]:
    """Return the pictures in a language that the page does not have, or names in vain."""
    text = PAGE.read_text() if PAGE.exists() else ""
    there = {file.name for file in FOLDER.glob(f"*-{language}.webp")}
    named = {part.partition(")")[0] for part in text.split("pictures/gallery/")[1:]}
    named = {name for name in named if name.endswith(f"-{language}.webp")}
    return sorted(there ^ named) or ([] if there else [f"pictures in {language}"])


def write_page() -> None:
    """Write the page with all pictures that are there."""
    parts = [INTRODUCTION]
    for group, title in TITLES.items():
        parts += [f"## {title}\n", "| | English | Nepali |\n|---|---|---|"]
        for name in _pictures(group):
            shown = [f"![{name}, {each}](pictures/gallery/{group}-{name}-{each}.webp)" for each in LANGUAGES]
            parts.append(f"| {name.replace('-', ' ').capitalize()} | {' | '.join(shown)} |")
        parts.append("")
    PAGE.write_text("\n".join(parts))
