"""Settings → Shop details and e-mails: what editors may set about their shop, and what is refused."""

from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image
from wagtail.models import Site

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.models import ShopDetails
from tests.backoffice.staff import Desk, staff_user

pytestmark = pytest.mark.django_db

FORM = {"shop_name": "Saraswati Books", "transfer_days": "3"}


@pytest.fixture
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def save(**values: Any) -> Any:
    known = User.objects.filter(username="gita").first()
    editor = Desk(known or staff_user("gita", is_superuser=True))
    url = reverse("wagtailsettings:edit", args=("loyalink_khalti", "shopdetails", Site.objects.get().pk))
    assert editor.client.get(url).status_code == 200
    return editor.client.post(url, FORM | values, follow=True)


def picture(kind: str, name: str) -> SimpleUploadedFile:
    file = BytesIO()
    Image.new("RGB", (120, 60), "purple").save(file, kind)
    return SimpleUploadedFile(name, file.getvalue(), content_type=f"image/{kind.lower()}")


def test_an_editor_names_the_shop_and_gives_it_a_logo_and_a_colour(media: None) -> None:
    save(logo=picture("PNG", "logo.png"), colour="#5C2D91", phone="01-4441234")

    details = conf.shop_details("default")
    assert (details.shop_name, details.colour, details.phone) == ("Saraswati Books", "#5c2d91", "01-4441234")
    assert details.logo_url.endswith(".png")
    assert (details.logo_width, details.logo_height) == (120, 60)


def test_what_customers_could_not_read_or_see_is_refused(media: None) -> None:
    response = save(colour="#ffee88", logo=picture("GIF", "logo.gif"), registration_kind="pan")

    assert set(response.context["form"].errors) == {"colour", "logo", "registration_number"}
    assert not ShopDetails.objects.filter(shop_name="Saraswati Books").exists()


def test_an_editor_switches_mails_off_and_on_again(media: None) -> None:
    kinds = [kind.value for kind in flow.MailKind]

    save(mails_on=[kind for kind in kinds if kind != "points_adjusted"])
    assert conf.shop_details("default").mails_off == {"points_adjusted"}

    save(mails_on=kinds)
    assert conf.shop_details("default").mails_off == frozenset()


@pytest.mark.parametrize("kind", list(flow.MailKind))
def test_every_mail_can_be_looked_at_in_every_language(kind: flow.MailKind, media: None) -> None:
    save(mails_on=[], mail_footer="Open from ten to five", colour="#0b6e4f")
    desk = Desk(staff_user("hari", is_superuser=True))
    url = reverse("loyalink_khalti_mail_preview", args=[Site.objects.get().pk, kind])

    page = desk.client.get(url, {"language": "ne"})
    html = desk.client.get(url, {"language": "ne", "html": ""}).content.decode()

    assert page.context["mail"].subject in page.content.decode()
    assert 'lang="ne"' in html
    assert ("Open from ten to five" in html, "#0b6e4f" in html, "<script" in html) == (True, True, False)
    assert html.count(" href=") - html.count("mailto:") <= 5


def test_an_example_is_sent_to_who_looks_at_it(media: None) -> None:
    desk = Desk(staff_user("hari", is_superuser=True))
    url = reverse("loyalink_khalti_mail_preview", args=[Site.objects.get().pk, "order_refunded"])

    desk.client.post(url)
    unknown = desk.client.get(reverse("loyalink_khalti_mail_preview", args=[Site.objects.get().pk, "nonsense"]))

    assert [message.subject for message in mail.outbox] == ["Refund of your order SS-100042"]
    assert unknown.status_code == 404
