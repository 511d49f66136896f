"""Delete rows as somebody with a database client would: no signal is sent, and nothing refuses it."""

from typing import Any

from django.db import transaction
from django.db.models.deletion import Collector


def delete_in_sql(*rows: Any) -> None:
    """Delete rows with all that refers to them, in one transaction."""
    with transaction.atomic():
        collector: Any = Collector(using="default")
        for row in rows:
            collector.collect([row])
        for queryset in collector.fast_deletes:
            queryset._raw_delete("default")
        for (field, value), found in collector.field_updates.items():
            pks = [row.pk for rows_of_one in found for row in rows_of_one]
            field.model._base_manager.filter(pk__in=pks).update(**{field.name: value})
        for model, found in collector.data.items():
            model._base_manager.filter(pk__in=[row.pk for row in found])._raw_delete("default")
