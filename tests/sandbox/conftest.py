"""The demo store, loaded once for each module that looks at it; each test works on a copy and leaves it as it was."""

import pytest
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction


@pytest.fixture(scope="module")
def loaded(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_demo", verbosity=0)
        yield
        transaction.set_rollback(True)
    cache.clear()
    Site.objects.clear_cache()


@pytest.fixture
def store(loaded):
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    cache.clear()
    Site.objects.clear_cache()


@pytest.fixture
def mail_folder(settings, tmp_path):
    settings.EMAIL_BACKEND = "sandbox.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return settings.EMAIL_FILE_PATH
