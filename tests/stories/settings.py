"""The sandbox store for the stories: quick logins, held mails, SQLite with Django's defaults, a wrong clock."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

from sandbox.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "tests.stories.held_mail.HeldBackend"

# Seldom more than a few dozen payments wait in a story: no need to space their lookups.
LOYALINK_KHALTI["LOOKUPS_PER_SECOND"] = int(os.environ.get("STORY_LOOKUPS_PER_SECOND", "1000"))  # noqa: F405

if deadline := os.environ.get("STORY_DEADLINE"):
    LOYALINK_KHALTI["DEADLINE"] = float(deadline)  # noqa: F405

CELERY_BROKER_URL = os.environ.get("STORY_BROKER", "")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

if os.environ.get("STORY_TASKS") == "database":
    INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks", "django_tasks_db"]  # noqa: F405
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

if os.environ.get("STORY_SHOP") == "fake":
    LOYALINK_KHALTI["SHOPS"]["fake"] = "loyalink_khalti.testing.FakeShop"  # noqa: F405

if os.environ.get("STORY_SQLITE") == "deferred":
    DATABASES["default"]["OPTIONS"] = {}  # noqa: F405

if seconds := int(os.environ.get("STORY_CLOCK_WRONG_BY") or 0):
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)).start()

LOYALINK_KHALTI["MAX_CONCURRENT_CALLS"] = int(os.environ.get("STORY_CONCURRENT_CALLS", "0"))  # noqa: F405

if router := os.environ.get("STORY_ROUTER"):
    DATABASE_ROUTERS = [router]

if redis := os.environ.get("STORY_REDIS"):
    CACHES["shared"] = {  # noqa: F405
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis,
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
    }
