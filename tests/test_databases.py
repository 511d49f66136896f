"""Every test starts with the rows of the migrations, and threads share its database."""

import os
import threading

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction

pytestmark = [pytest.mark.money]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_time", ["once", "again"])
def test_a_transactional_test_starts_with_the_migrated_rows_only(_time):
    permissions = Permission.objects.count()

    Group.objects.create(name="left over")
    Permission.objects.all().delete()

    assert permissions > 0
    assert Group.objects.filter(name="left over").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_reads_the_rows_that_the_test_committed():
    Group.objects.create(name="seen")
    seen = []

    def read():
        seen.append(Group.objects.filter(name="seen").exists())
        connection.close()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()

    assert seen == [True]


@pytest.mark.django_db(transaction=True)
def test_the_database_is_the_one_in_the_environment():
    with transaction.atomic():
        assert connection.vendor == os.environ.get("TEST_DATABASE", "sqlite")


@pytest.mark.django_db
def test_an_ordinary_test_has_the_migrated_rows():
    assert Permission.objects.exists()
    assert not Group.objects.filter(name="seen").exists()
