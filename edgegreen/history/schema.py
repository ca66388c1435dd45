"""The history's tables, as they are after the last migration; a test compares the two.

The whole record of a run, a result and a failure is the JSON that pydantic writes, kept as text, so that it
comes back as it was. The other columns are what one filters by, and are made from it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

REVISION = "0001"
"""The last migration; a history that is at another one is migrated, or refused."""

METADATA = sa.MetaData()

# Names are compared byte by byte on every database: runs are sorted, and found, by the beginning of their id.
Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Record(sa.types.UserDefinedType[str]):
    """JSON, as the text that it is: pydantic writes and reads it.

    Not JSONB, which forgets the order of keys, and takes neither all numbers nor all texts.
    """

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """What the column's type is called."""
        return "JSON"

    def column_expression(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
        """Read as text, or drivers would parse it."""
        return sa.cast(column, sa.Text)


class Utc(sa.types.TypeDecorator[datetime]):
    """A moment, which SQLite keeps without its zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Any) -> datetime | None:
        """In UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Any) -> datetime | None:
        """In UTC."""
        if value is None or value.tzinfo is None:
            return value and value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


def _of_run() -> sa.Column[str]:
    return sa.Column("run_id", Name, sa.ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True)


run = sa.Table(
    "run",
    METADATA,
    sa.Column("run_id", Name, primary_key=True),
    sa.Column("recipe", Name, nullable=False),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("edgegreen", sa.Text, nullable=False),
    sa.Column("git_commit", Name),
    sa.Column("git_modified", sa.Boolean),
    sa.Column("recipe_text", sa.Text),
    sa.Column("origin", Record),  # with the digests, the tools and the recipe
    sa.Column("record", Record, nullable=False),  # all of it but origin, results and failures
    sa.Index("run_by_recipe", "recipe", "run_id"),
    sa.Index("run_by_time", "started_at"),
    sa.Index("run_by_commit", "git_commit"),
)

variant = sa.Table(
    "variant",
    METADATA,
    _of_run(),
    sa.Column("name", Name, primary_key=True),
    sa.Column("format", sa.Text),  # none where it failed everywhere
    sa.Column("precision", sa.Text),
    sa.Column("passes", sa.Text),
    sa.Index("variant_by_name", "name", "run_id"),
)

target = sa.Table(
    "target",
    METADATA,
    _of_run(),
    sa.Column("name", Name, primary_key=True),
    sa.Column("machine", sa.Text),  # none where it failed altogether
    sa.Column("emulated", sa.Boolean),
    sa.Index("target_by_name", "name", "run_id"),
)

result = sa.Table(
    "result",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("trial", sa.Text, nullable=False),  # what its series are found by
    sa.Column("target", Name, nullable=False),
    sa.Column("variant", Name, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("precision", sa.Text),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("runtime_version", sa.Text, nullable=False),
    sa.Column("delegate", sa.Text),
    sa.Column("threads", sa.Integer),
    sa.Column("governor", sa.Text),
    sa.Column("power_mode", sa.Text),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("latency_p50_ms", sa.Double),
    sa.Column("latency_p95_ms", sa.Double),
    sa.Column("latency_p99_ms", sa.Double),
    sa.Column("first_inference_ms", sa.Double),
    sa.Column("peak_rss_bytes", sa.BigInteger),
    sa.Column("metric", sa.Text),
    sa.Column("accuracy", sa.Double),
    sa.Column("power_active_w", sa.Double),
    sa.Column("energy_mj", sa.Double),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("record", Record, nullable=False),  # with the conditions
    # With the run's id, or asking each run for such a result would go through all of them.
    sa.Index("result_by_variant", "variant", "run_id"),
    sa.Index("result_by_target", "target", "run_id"),
    sa.Index("result_by_verdict", "verdict", "run_id"),
)

failure = sa.Table(
    "failure",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("target", Name),
    sa.Column("variant", Name),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("exit_code", sa.Integer, nullable=False),  # which the record leaves out
    sa.Column("record", Record, nullable=False),
)

series = sa.Table(
    "series",
    METADATA,
    _of_run(),
    sa.Column("trial", sa.Text, primary_key=True),
    sa.Column("npz", sa.LargeBinary, nullable=False),  # compressed, as `series.pack` makes it
)
