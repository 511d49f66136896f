"""The demo store. Each test leaves it unchanged."""

import pytest
from django.db import transaction

from tests.conftest import forget_cached_rows


@pytest.fixture
def store(demo_store, django_db_blocker, settings):
    settings.MEDIA_ROOT = demo_store
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_cached_rows()


@pytest.fixture
def mail_folder(settings, tmp_path):
    settings.EMAIL_BACKEND = "sandbox.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return settings.EMAIL_FILE_PATH
