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


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(os.environ.get("TEST_DATABASE") != "postgresql", reason="SQLite's connections are closed")
@pytest.mark.parametrize("_time", ["once", "again"])
def test_a_transactional_test_starts_with_a_connection_as_new(_time):
    """On PostgreSQL it is kept: a new one has to read all about the tables again."""

    def value(query):
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    new = value("SHOW timezone"), value("SHOW lock_timeout"), value("SHOW session_replication_role")
    assert new == ("UTC", "20s", "origin")
    assert value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert value("SELECT to_regclass('pg_temp.left_over') IS NULL")

    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'Asia/Kathmandu'; SET lock_timeout = '1s'; SELECT pg_advisory_lock(1)")
        cursor.execute("CREATE TEMPORARY TABLE left_over (name text)")
