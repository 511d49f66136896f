"""Every test begins with the rows that the migrations made, and threads share its database."""

import os
import threading

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction

pytestmark = [pytest.mark.money]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_time", ["once", "again"])
def test_a_transactional_test_begins_with_the_migrated_rows_and_no_other(_time):
    permissions = Permission.objects.count()

    Group.objects.create(name="left behind")
    Permission.objects.all().delete()

    assert permissions > 0
    assert Group.objects.filter(name="left behind").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_sees_what_the_test_committed():
    Group.objects.create(name="seen")
    seen = []

    def look():
        seen.append(Group.objects.filter(name="seen").exists())
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert seen == [True]


@pytest.mark.django_db(transaction=True)
def test_the_database_is_the_one_that_was_asked_for():
    with transaction.atomic():
        assert connection.vendor == os.environ.get("TEST_DATABASE", "sqlite")


@pytest.mark.django_db
def test_an_ordinary_test_finds_the_migrated_rows():
    assert Permission.objects.exists()
    assert not Group.objects.filter(name="seen").exists()
