"""A router of a shop that reads all it can from a replica: everything but sessions."""

from typing import Any

from django.db import models


class ReadsReplica:
    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return None if model._meta.app_label == "sessions" else "replica"

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, first: models.Model, second: models.Model, **hints: Any) -> bool:
        return True
