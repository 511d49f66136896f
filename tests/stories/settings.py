"""The sandbox store as some stories run it: mails that can be held up, SQLite as Django leaves it."""

import os

from sandbox.settings import *  # noqa: F403

EMAIL_BACKEND = "tests.stories.held_mail.HeldBackend"

if os.environ.get("STORY_SQLITE") == "deferred":
    DATABASES["default"]["OPTIONS"] = {}  # noqa: F405
