"""The first tables: runs, their variants, targets, results, failures and series."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
RECORD = sa.JSON()


def of_run() -> sa.Column[str]:
    """The key of a table whose rows go with their run."""
    return sa.Column("run_id", NAME, sa.ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "run",
        sa.Column("run_id", NAME, primary_key=True),
        sa.Column("recipe", NAME, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edgegreen", sa.Text, nullable=False),
        sa.Column("git_commit", NAME),
        sa.Column("git_modified", sa.Boolean),
        sa.Column("recipe_text", sa.Text),
        sa.Column("origin", RECORD),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_index("run_by_recipe", "run", ["recipe", "run_id"])
    op.create_index("run_by_time", "run", ["started_at"])
    op.create_index("run_by_commit", "run", ["git_commit"])
    op.create_table(
        "variant",
        of_run(),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("format", sa.Text),
        sa.Column("precision", sa.Text),
        sa.Column("passes", sa.Text),
    )
    op.create_index("variant_by_name", "variant", ["name", "run_id"])
    op.create_table(
        "target",
        of_run(),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("machine", sa.Text),
        sa.Column("emulated", sa.Boolean),
    )
    op.create_index("target_by_name", "target", ["name", "run_id"])
    op.create_table(
        "result",
        of_run(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("trial", sa.Text, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("variant", NAME, nullable=False),
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
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_index("result_by_variant", "result", ["variant", "run_id"])
    op.create_index("result_by_target", "result", ["target", "run_id"])
    op.create_index("result_by_verdict", "result", ["verdict", "run_id"])
    op.create_table(
        "failure",
        of_run(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("target", NAME),
        sa.Column("variant", NAME),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_table(
        "series",
        of_run(),
        sa.Column("trial", sa.Text, primary_key=True),
        sa.Column("npz", sa.LargeBinary, nullable=False),
    )
