"""The sandbox store for the stories: quick logins, mails that can be held up, SQLite with Django's defaults."""

import os

from sandbox.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "tests.stories.held_mail.HeldBackend"

if os.environ.get("STORY_SQLITE") == "deferred":
    DATABASES["default"]["OPTIONS"] = {}  # noqa: F405
