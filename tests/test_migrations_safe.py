"""R9: the version before works on the schema of every later one, because migrations only ever add.

While a new version is deployed, workers of the version before run on the migrated database, and after a rollback they
run there again. What is not safe by itself is listed here with the reason why it is. CONTRIBUTING.md, "Migrations".
"""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.migrations import operations as ops
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

APP = "loyalink_khalti"
BASELINE = "0004_default_groups"
"""The newest migration of ``schema-baseline``."""

SAFE = {
    "0006_received_money: constraint loyalink_purchase_received": "the new columns are 0 where they are not written",
    "0011_refunds_by_part: constraint loyalink_award_shipping": "the new columns are 0 where they are not written",
    "0011_refunds_by_part: constraint loyalink_redemption_shipping": "the new column is 0 where it is not written",
    "0017_flags_of_a_site: constraint loyalink_flag_once_per_site": "only of flags with a site_key, a new column",
    "0024_refunds_taken_back: constraint loyalink_entry_transfer": "allows more than before",
    "0024_refunds_taken_back: constraint loyalink_refund_adds_up": "allows more than before",
    "0024_refunds_taken_back: constraint loyalink_refund_of_shipping": "allows more than before",
    "0024_refunds_taken_back: constraint loyalink_refund_cumulative": "allows more than before",
    "0025_merged_and_erased_accounts: constraint loyalink_entry_transfer": "allows more than before",
    "0007_received_money_rows: write_rows": "a new table; staff need a new permission only in the new version",
    "0007_received_money_rows: grant": "a new permission, which the version before does not ask for",
    "0008_received_money_append_only: refuse": "a new table",
    "0009_import_rows_by_contents: add_keys": "more keys that are taken; the version before looks up its own",
    "0010_phones_as_typed: correct": "a phone is text in both",
    "0012_refunds_and_rounding_of_old_rows: refund_delivery_of_closed_orders": "a new column",
    "0012_refunds_and_rounding_of_old_rows: round_the_base_too": "the version before ignores a rule it does not know",
    "0015_keys_of_sites: add_keys": "the keys are those under which the version before stores its rows",
    "0018_count_open_flags: count": "resolved flags; the version before raises new ones",
    "0020_rules_by_category_identity: forwards": "bonuses by category pause in the version before: docs/operations.md",
    "0026_count_merged_accounts: fill_in": "new columns",
    "0029_next_poll_or_never: never_is_null": "it reads null as at once, but polls none that is finished; what it"
    " writes is read by polling.schedule_unscheduled",
    "0033_mark_inferred_refunds: mark": "a new column",
    "0057_approve_refunds_permission: grant": "a new permission, which the version before does not ask for",
    "0047_shop_details_permission: grant": "a new permission, which the version before does not ask for",
    "0049_counter_permissions: grant": "a new permission, which the version before does not ask for",
    "0062_statement_permission: grant": "a new permission, which the version before does not ask for",
    "0051_invoice_permissions: grant": "new permissions, which the version before does not ask for",
    "0055_note_permission: grant": "a new permission, which the version before does not ask for",
    "0060_close_permission: grant": "a new permission, which the version before does not ask for",
}
"""Every operation that is not safe by itself, and why the version before works all the same."""


ALL = "*"
"""In place of the columns of a table that the same migration creates: the version before does not write to it."""
HARMLESS = (
    ops.CreateModel, ops.AddIndex, ops.RemoveIndex, ops.RenameIndex, ops.RemoveConstraint, ops.AlterModelOptions,
    ops.AlterModelManagers, ops.AlterModelTableComment,
)  # fmt: skip


def unsafe_operations() -> Iterator[str]:
    """Yield the operations since the baseline that the version before may not survive."""
    loader = MigrationLoader(None)
    ours = [key for key in loader.graph.forwards_plan(loader.graph.leaf_nodes(APP)[0]) if key[0] == APP]
    for key in ours[ours.index((APP, BASELINE)) + 1 :]:
        migration = loader.graph.nodes[key]
        state = loader.project_state(key, at_end=False)
        new: dict[str, set[str]] = {}
        for operation in flattened(migration.operations):
            name = unsafe(operation, state, new)
            if name:
                yield f"{migration.name}: {name}"
            operation.state_forwards(APP, state)


def flattened(operations: Any) -> Iterator[Any]:
    """What is done to the database, also by ``SeparateDatabaseAndState``."""
    for operation in operations:
        if isinstance(operation, ops.SeparateDatabaseAndState):
            yield from flattened(operation.database_operations)
        else:
            yield operation


def unsafe(operation: Any, state: Any, new: dict[str, set[str]]) -> str:
    """Return what is unsafe about an operation, "" if nothing is; ``new`` collects what this migration adds."""
    model = getattr(operation, "model_name", getattr(operation, "name", "")).lower()
    added = new.setdefault(model, set())
    match operation:
        case ops.CreateModel():
            added.add(ALL)
        case ops.AddField(field=field):
            added.add(operation.name)
            required = not field.many_to_many and not field.null and field.db_default is NOT_PROVIDED
            return f"{model}.{operation.name} is NOT NULL without db_default" if required and ALL not in added else ""
        case ops.AddConstraint(constraint=constraint):
            return "" if ALL in added or names(constraint) <= added else f"constraint {constraint.name}"
        case ops.AlterField(field=after):
            before = state.models[APP, model].fields[operation.name]
            return tightened(before, after, f"{model}.{operation.name}")
        case ops.RunPython(code=code):
            return str(getattr(code, "__name__", code))
    return "" if isinstance(operation, HARMLESS) else f"{type(operation).__name__}: {operation.describe()}"


def tightened(before: models.Field[Any, Any], after: models.Field[Any, Any], name: str) -> str:
    """Return what a changed column refuses, or is, that it did not before; "" where it is only described otherwise."""
    if before.null and not after.null:
        return f"{name} becomes NOT NULL"
    if after.null and not before.null:
        return f"{name} becomes null, which the version before does not expect"
    if before.db_default is not NOT_PROVIDED and after.db_default is NOT_PROVIDED and not after.null:
        return f"{name} loses its db_default"
    if after.unique and not before.unique:
        return f"{name} becomes unique"
    if column(before) != column(after):
        return f"{name} changes its type"
    return ""


def column(field: models.Field[Any, Any]) -> tuple[Any, ...]:
    return (
        field.get_internal_type(), field.db_column, field.max_length, getattr(field, "max_digits", None),
        getattr(field, "decimal_places", None), field.remote_field and field.remote_field.model,
    )  # fmt: skip


def names(constraint: Any) -> set[str]:
    """The fields that a constraint reads."""
    condition = getattr(constraint, "condition", None)
    found = set(getattr(constraint, "fields", ()))
    for node in condition.flatten() if condition is not None else ():
        found |= {child[0].split("__")[0] for child in getattr(node, "children", ()) if isinstance(child, tuple)}
        found |= {node.deconstruct()[1][0]} if isinstance(node, models.F) else set()
        found |= {
            child[1].deconstruct()[1][0] for child in getattr(node, "children", ())
            if isinstance(child, tuple) and isinstance(child[1], models.F)
        }  # fmt: skip
    return found


def test_every_migration_since_the_baseline_is_safe_for_the_version_before() -> None:
    """R9. A failure names what to do otherwise, or what to list in ``SAFE`` with the reason why it is safe."""
    assert sorted(set(unsafe_operations()) - SAFE.keys()) == []


def test_every_exception_is_needed() -> None:
    """R9"""
    assert sorted(SAFE.keys() - set(unsafe_operations())) == []


def operations_on(model: str, *operations: Any) -> list[str]:
    """What is unsafe about operations that a next migration would have."""
    loader = MigrationLoader(None)
    state = loader.project_state((APP, BASELINE))
    new: dict[str, set[str]] = {}
    found = []
    for operation in operations:
        found.append(unsafe(operation, state, new))
        operation.state_forwards(APP, state)
    return [each for each in found if each]


def test_mistakes_are_found() -> None:
    """R9: each of these has broken, or would break, the workers of the version before."""
    text, number = models.CharField(max_length=64), models.BigIntegerField()
    mistakes = [
        ops.AddField("purchase", "colour", models.CharField(max_length=10, default="")),
        ops.RemoveField("purchase", "network_of_old"),
        ops.RenameField("purchase", "number", "order_number"),
        ops.RenameModel("Refund", "Repayment"),
        ops.DeleteModel("Refund"),
        ops.AlterField("purchase", "member_id", text),
        ops.AlterField("purchase", "ref", models.CharField(max_length=128, null=True)),
        ops.AlterField("purchase", "number", models.CharField(max_length=64, unique=True)),
        ops.AlterField("purchase", "ref", number),
        ops.AddConstraint("purchase", models.CheckConstraint(condition=models.Q(total__gt=0), name="positive")),
        ops.RunSQL("UPDATE x SET y = 1"),
        ops.RunPython(lambda *_: None),
    ]
    for mistake in mistakes:
        loader = MigrationLoader(None)
        assert unsafe(mistake, loader.project_state((APP, BASELINE)), {}), mistake.describe()


def test_additions_are_safe() -> None:
    """R9"""
    colour = models.CharField(max_length=10, default="", db_default="")
    assert (
        operations_on(
            "purchase",
            ops.AddField("purchase", "colour", colour),
            ops.AddField("purchase", "seen_at", models.DateTimeField(null=True)),
            ops.AddConstraint("purchase", models.CheckConstraint(condition=~models.Q(colour="red"), name="not_red")),
            ops.AlterField("purchase", "ref", models.CharField(max_length=128, help_text="other words")),
            ops.AddIndex("purchase", models.Index("ref", name="by_ref")),
            ops.CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True)), ("name", colour)]),
            ops.AddField("shelf", "place", models.IntegerField()),
        )
        == []
    )
