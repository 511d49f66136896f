"""Loyalty settings: rules as sentences, versions of them, and a live example that is the ledger's own arithmetic."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.rules import Rules

from .reading import typed, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(site):
    return reverse("wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings", site.pk))


@pytest.fixture
def editor(editor):
    editor.groups.get().permissions.add(Permission.objects.get(codename="change_loyaltysettings"))
    return editor


@pytest.fixture
def form(browser, page):
    """The form as the page has it."""
    return typed(browser.get(page))


def now():
    return programmes.current("default")


def test_saving_what_is_there_makes_no_new_version_and_says_so(browser, page, form):
    response = browser.post(page, form, follow=True)

    assert "The rules are the same as before: version 1 still holds." in words(response)
    assert (now().number, now().rules) == (1, Rules())
