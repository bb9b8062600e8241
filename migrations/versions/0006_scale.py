"""What keeps a run cheap among a million files: kept counts, marks of folders, digests of lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what the fifth schema lacks."""
    op.add_column(
        "profile",
        sa.Column(
            "batch", sa.Integer(), comment="observations in a product question that was answered in good time"
        ),
    )
    op.add_column(
        "interest",
        sa.Column(
            "digest",
            sa.String(64),
            comment="of its product list and of what judged it; null: judge it anew",
        ),
    )
    op.add_column(
        "interest",
        sa.Column("planned", sa.Integer(), comment="files of the profile that this list asked for"),
    )
    op.create_index(op.f("ix_file_attempted_by"), "file", ["attempted_by"])
    op.create_index(
        op.f("ix_file_unselected"), "file", ["unselected"], sqlite_where=sa.text("unselected = 1")
    )
    op.create_index(
        op.f("ix_product_sampled_at"),
        "product",
        ["sampled_at"],
        sqlite_where=sa.text("sampled_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_version_ended_at"), "version", ["ended_at"], sqlite_where=sa.text("why LIKE 'http.%'")
    )
    op.create_index(op.f("ix_run_profile_id"), "run", ["profile", "id"])
    op.create_index(op.f("ix_run_outcome_profile"), "run", ["outcome", "profile"])
    _add_folders()
    _add_tallies()
    _count()
    for statement in _SQLITE if _is_sqlite() else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Take it away again."""
    _drop_triggers()
    op.drop_column("root", "copies")
    op.drop_table("tally")
    op.drop_table("folder")
    op.drop_index(op.f("ix_run_outcome_profile"), table_name="run")
    op.drop_index(op.f("ix_run_profile_id"), table_name="run")
    op.drop_index(op.f("ix_version_ended_at"), table_name="version")
    op.drop_index(op.f("ix_product_sampled_at"), table_name="product")
    op.drop_index(op.f("ix_file_unselected"), table_name="file")
    op.drop_index(op.f("ix_file_attempted_by"), table_name="file")
    op.drop_column("interest", "planned")
    op.drop_column("interest", "digest")
    op.drop_column("profile", "batch")


def _add_folders() -> None:
    op.create_table(
        "folder",
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column(
            "path", sa.Text(), nullable=False, comment="relative to the root, empty for the root itself"
        ),
        sa.Column(
            "mark",
            sa.Text(),
            comment="what a look at it said when its files were compared; null: compare them",
        ),
        sa.Column("looked_at", _TIME, nullable=False, comment="when its files were compared last"),
        sa.ForeignKeyConstraint(
            ["root_id"], ["root.id"], name=op.f("fk_folder_root_id_root"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile", "root_id", "path", name=op.f("pk_folder")),
        comment="a folder in which a profile has copies, so that an unchanged one need not be listed",
    )
    op.create_index(op.f("ix_folder_root_id"), "folder", ["root_id"])


def _add_tallies() -> None:
    total = sa.Numeric(30, 0).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "tally",
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("declined", sa.Boolean(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column(
            "kept", sa.Boolean(), nullable=False, comment="the profile keeps the older revision that is there"
        ),
        sa.Column("files", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "present", total, server_default="0", nullable=False, comment="bytes of the copies on disk"
        ),
        sa.Column("listed", total, server_default="0", nullable=False, comment="bytes of the products"),
        sa.PrimaryKeyConstraint("profile", "state", "declined", "superseded", "kept", name=op.f("pk_tally")),
        sqlite_with_rowid=False,
        comment="how many files each profile wants in which state; kept by triggers (`store/triggers.py`)",
    )
    op.add_column(
        "root",
        sa.Column("copies", sa.BigInteger(), server_default="0", nullable=False, comment="kept by triggers"),
    )


def _count() -> None:
    """Count once what is there; from then on the triggers do. A plain sum of odd sizes may be too large."""
    op.execute(
        """INSERT INTO tally (profile, state, declined, superseded, kept, files, present, listed)
        SELECT want.profile, file.state, file.declined, file.superseded,
            want.keeps AND file.state = 'stale' AND file.revision IS NOT NULL, count(*),
            coalesce(sum(file.size >> 20) * 1048576 + sum(file.size & 1048575), 0),
            coalesce(sum(product.size >> 20) * 1048576 + sum(product.size & 1048575), 0)
        FROM want JOIN file ON file.id = want.file_id JOIN product ON product.id = file.product_id
        GROUP BY 1, 2, 3, 4, 5"""
    )
    op.execute(
        """UPDATE root SET copies = (SELECT count(*) FROM file WHERE file.root_id = root.id
        AND (file.state IN ('present', 'stale') OR file.state = 'gone' AND file.size IS NOT NULL))"""
    )


def _drop_triggers() -> None:
    for statement in reversed(_SQLITE if _is_sqlite() else _POSTGRESQL):
        _, kind, name, *_ = statement.split()
        if kind == "FUNCTION":
            # Its trigger goes with it.
            op.execute(f"DROP FUNCTION {name} CASCADE")
        elif _is_sqlite():
            op.execute(f"DROP TRIGGER {name}")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


# -- triggers, as they are with this schema

_SQLITE = (
    """CREATE TRIGGER tally_want_inserted AFTER INSERT ON want BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT NEW.profile, file.state, file.declined,
        file.superseded, NEW.keeps AND file.state = 'stale' AND file.revision IS NOT NULL AS kept, 1 AS
        files, coalesce(file.size, 0) AS present, coalesce(product.size, 0) AS listed FROM file JOIN
        product ON product.id = file.product_id WHERE file.id = NEW.file_id ON CONFLICT (profile, state,
        declined, superseded, kept) DO UPDATE SET files = tally.files + excluded.files, present =
        tally.present + excluded.present, listed = tally.listed + excluded.listed; END""",
    """CREATE TRIGGER tally_want_deleted BEFORE DELETE ON want BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT OLD.profile, file.state, file.declined,
        file.superseded, OLD.keeps AND file.state = 'stale' AND file.revision IS NOT NULL AS kept, -1 AS
        files, -coalesce(file.size, 0) AS present, -coalesce(product.size, 0) AS listed FROM file JOIN
        product ON product.id = file.product_id WHERE file.id = OLD.file_id ON CONFLICT (profile, state,
        declined, superseded, kept) DO UPDATE SET files = tally.files + excluded.files, present =
        tally.present + excluded.present, listed = tally.listed + excluded.listed; END""",
    """CREATE TRIGGER tally_want_updated AFTER UPDATE OF profile, file_id, keeps ON want WHEN OLD.profile
        <> NEW.profile OR OLD.file_id <> NEW.file_id OR OLD.keeps <> NEW.keeps BEGIN INSERT INTO tally
        (profile, state, declined, superseded, kept, files, present, listed) SELECT OLD.profile,
        file.state, file.declined, file.superseded, OLD.keeps AND file.state = 'stale' AND file.revision
        IS NOT NULL AS kept, -1 AS files, -coalesce(file.size, 0) AS present, -coalesce(product.size, 0)
        AS listed FROM file JOIN product ON product.id = file.product_id WHERE file.id = OLD.file_id ON
        CONFLICT (profile, state, declined, superseded, kept) DO UPDATE SET files = tally.files +
        excluded.files, present = tally.present + excluded.present, listed = tally.listed +
        excluded.listed; INSERT INTO tally (profile, state, declined, superseded, kept, files, present,
        listed) SELECT NEW.profile, file.state, file.declined, file.superseded, NEW.keeps AND file.state =
        'stale' AND file.revision IS NOT NULL AS kept, 1 AS files, coalesce(file.size, 0) AS present,
        coalesce(product.size, 0) AS listed FROM file JOIN product ON product.id = file.product_id WHERE
        file.id = NEW.file_id ON CONFLICT (profile, state, declined, superseded, kept) DO UPDATE SET files
        = tally.files + excluded.files, present = tally.present + excluded.present, listed = tally.listed
        + excluded.listed; END""",
    """CREATE TRIGGER tally_file_updated AFTER UPDATE OF state, size, revision, declined, superseded,
        product_id ON file WHEN OLD.state IS NOT NEW.state OR OLD.size IS NOT NEW.size OR OLD.declined IS
        NOT NEW.declined OR OLD.superseded IS NOT NEW.superseded OR OLD.product_id IS NOT NEW.product_id
        OR (OLD.revision IS NULL) <> (NEW.revision IS NULL) BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT want.profile, OLD.state, OLD.declined,
        OLD.superseded, want.keeps AND OLD.state = 'stale' AND OLD.revision IS NOT NULL AS kept, -1 AS
        files, -coalesce(OLD.size, 0) AS present, -coalesce(product.size, 0) AS listed FROM want JOIN
        product ON product.id = OLD.product_id WHERE want.file_id = OLD.id ON CONFLICT (profile, state,
        declined, superseded, kept) DO UPDATE SET files = tally.files + excluded.files, present =
        tally.present + excluded.present, listed = tally.listed + excluded.listed; INSERT INTO tally
        (profile, state, declined, superseded, kept, files, present, listed) SELECT want.profile,
        NEW.state, NEW.declined, NEW.superseded, want.keeps AND NEW.state = 'stale' AND NEW.revision IS
        NOT NULL AS kept, 1 AS files, coalesce(NEW.size, 0) AS present, coalesce(product.size, 0) AS
        listed FROM want JOIN product ON product.id = NEW.product_id WHERE want.file_id = NEW.id ON
        CONFLICT (profile, state, declined, superseded, kept) DO UPDATE SET files = tally.files +
        excluded.files, present = tally.present + excluded.present, listed = tally.listed +
        excluded.listed; END""",
    """CREATE TRIGGER tally_file_deleted BEFORE DELETE ON file BEGIN DELETE FROM want WHERE file_id =
        OLD.id; END""",
    """CREATE TRIGGER tally_product_updated AFTER UPDATE OF size ON product WHEN OLD.size IS NOT NEW.size
        BEGIN UPDATE tally SET listed = tally.listed + change.files * (coalesce(NEW.size, 0) -
        coalesce(OLD.size, 0)) FROM (SELECT want.profile, file.state, file.declined, file.superseded,
        want.keeps AND file.state = 'stale' AND file.revision IS NOT NULL AS kept, count(*) AS files FROM
        file JOIN want ON want.file_id = file.id WHERE file.product_id = NEW.id GROUP BY 1, 2, 3, 4, 5) AS
        change WHERE tally.profile = change.profile AND tally.state = change.state AND tally.declined =
        change.declined AND tally.superseded = change.superseded AND tally.kept = change.kept; END""",
    """CREATE TRIGGER root_file_inserted AFTER INSERT ON file WHEN (NEW.state IN ('present', 'stale') OR
        (NEW.state = 'gone' AND NEW.size IS NOT NULL)) BEGIN UPDATE root SET copies = copies + 1 WHERE id
        = NEW.root_id; END""",
    """CREATE TRIGGER root_file_deleted AFTER DELETE ON file WHEN (OLD.state IN ('present', 'stale') OR
        (OLD.state = 'gone' AND OLD.size IS NOT NULL)) BEGIN UPDATE root SET copies = copies - 1 WHERE id
        = OLD.root_id; END""",
    """CREATE TRIGGER root_file_updated AFTER UPDATE OF state, size, root_id ON file WHEN (OLD.state IN
        ('present', 'stale') OR (OLD.state = 'gone' AND OLD.size IS NOT NULL)) <> (NEW.state IN
        ('present', 'stale') OR (NEW.state = 'gone' AND NEW.size IS NOT NULL)) OR OLD.root_id <>
        NEW.root_id BEGIN UPDATE root SET copies = copies - 1 WHERE id = OLD.root_id AND (OLD.state IN
        ('present', 'stale') OR (OLD.state = 'gone' AND OLD.size IS NOT NULL)); UPDATE root SET copies =
        copies + 1 WHERE id = NEW.root_id AND (NEW.state IN ('present', 'stale') OR (NEW.state = 'gone'
        AND NEW.size IS NOT NULL)); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION tally_want_inserted() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT profile, state, declined, superseded,
        kept, sum(files) AS files, sum(present) AS present, sum(listed) AS listed FROM (SELECT
        want.profile, file.state, file.declined, file.superseded, want.keeps AND file.state = 'stale' AND
        file.revision IS NOT NULL AS kept, 1 AS files, coalesce(file.size, 0) AS present,
        coalesce(product.size, 0) AS listed FROM latter AS want JOIN file ON file.id = want.file_id JOIN
        product ON product.id = file.product_id) AS one GROUP BY profile, state, declined, superseded,
        kept HAVING sum(files) <> 0 OR sum(present) <> 0 OR sum(listed) <> 0 ON CONFLICT (profile, state,
        declined, superseded, kept) DO UPDATE SET files = tally.files + excluded.files, present =
        tally.present + excluded.present, listed = tally.listed + excluded.listed; RETURN NULL; END $$""",
    """CREATE TRIGGER tally_want_inserted AFTER INSERT ON want REFERENCING NEW TABLE AS latter FOR EACH
        STATEMENT EXECUTE FUNCTION tally_want_inserted()""",
    """CREATE FUNCTION tally_want_deleted() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT profile, state, declined, superseded,
        kept, sum(files) AS files, sum(present) AS present, sum(listed) AS listed FROM (SELECT
        want.profile, file.state, file.declined, file.superseded, want.keeps AND file.state = 'stale' AND
        file.revision IS NOT NULL AS kept, -1 AS files, -coalesce(file.size, 0) AS present,
        -coalesce(product.size, 0) AS listed FROM former AS want JOIN file ON file.id = want.file_id JOIN
        product ON product.id = file.product_id) AS one GROUP BY profile, state, declined, superseded,
        kept HAVING sum(files) <> 0 OR sum(present) <> 0 OR sum(listed) <> 0 ON CONFLICT (profile, state,
        declined, superseded, kept) DO UPDATE SET files = tally.files + excluded.files, present =
        tally.present + excluded.present, listed = tally.listed + excluded.listed; RETURN NULL; END $$""",
    """CREATE TRIGGER tally_want_deleted AFTER DELETE ON want REFERENCING OLD TABLE AS former FOR EACH
        STATEMENT EXECUTE FUNCTION tally_want_deleted()""",
    """CREATE FUNCTION tally_want_updated() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN INSERT INTO tally (profile, state,
        declined, superseded, kept, files, present, listed) SELECT profile, state, declined, superseded,
        kept, sum(files) AS files, sum(present) AS present, sum(listed) AS listed FROM (SELECT
        want.profile, file.state, file.declined, file.superseded, want.keeps AND file.state = 'stale' AND
        file.revision IS NOT NULL AS kept, -1 AS files, -coalesce(file.size, 0) AS present,
        -coalesce(product.size, 0) AS listed FROM former AS want JOIN file ON file.id = want.file_id JOIN
        product ON product.id = file.product_id UNION ALL SELECT want.profile, file.state, file.declined,
        file.superseded, want.keeps AND file.state = 'stale' AND file.revision IS NOT NULL AS kept, 1 AS
        files, coalesce(file.size, 0) AS present, coalesce(product.size, 0) AS listed FROM latter AS want
        JOIN file ON file.id = want.file_id JOIN product ON product.id = file.product_id) AS one GROUP BY
        profile, state, declined, superseded, kept HAVING sum(files) <> 0 OR sum(present) <> 0 OR
        sum(listed) <> 0 ON CONFLICT (profile, state, declined, superseded, kept) DO UPDATE SET files =
        tally.files + excluded.files, present = tally.present + excluded.present, listed = tally.listed +
        excluded.listed; RETURN NULL; END $$""",
    """CREATE TRIGGER tally_want_updated AFTER UPDATE ON want REFERENCING OLD TABLE AS former NEW TABLE
        AS latter FOR EACH STATEMENT EXECUTE FUNCTION tally_want_updated()""",
    """CREATE FUNCTION tally_file_updated() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN IF NOT EXISTS (SELECT id, root_id,
        state, size, declined, superseded, product_id, revision FROM latter EXCEPT SELECT id, root_id,
        state, size, declined, superseded, product_id, revision FROM former) THEN RETURN NULL; END IF;
        INSERT INTO tally (profile, state, declined, superseded, kept, files, present, listed) SELECT
        profile, state, declined, superseded, kept, sum(files) AS files, sum(present) AS present,
        sum(listed) AS listed FROM (SELECT want.profile, side.state, side.declined, side.superseded,
        want.keeps AND side.state = 'stale' AND side.revision IS NOT NULL AS kept, -1 AS files,
        -coalesce(side.size, 0) AS present, -coalesce(product.size, 0) AS listed FROM (SELECT id, root_id,
        state, size, declined, superseded, product_id, revision FROM former EXCEPT SELECT id, root_id,
        state, size, declined, superseded, product_id, revision FROM latter) AS side JOIN want ON
        want.file_id = side.id JOIN product ON product.id = side.product_id UNION ALL SELECT want.profile,
        side.state, side.declined, side.superseded, want.keeps AND side.state = 'stale' AND side.revision
        IS NOT NULL AS kept, 1 AS files, coalesce(side.size, 0) AS present, coalesce(product.size, 0) AS
        listed FROM (SELECT id, root_id, state, size, declined, superseded, product_id, revision FROM
        latter EXCEPT SELECT id, root_id, state, size, declined, superseded, product_id, revision FROM
        former) AS side JOIN want ON want.file_id = side.id JOIN product ON product.id = side.product_id)
        AS one GROUP BY profile, state, declined, superseded, kept HAVING sum(files) <> 0 OR sum(present)
        <> 0 OR sum(listed) <> 0 ON CONFLICT (profile, state, declined, superseded, kept) DO UPDATE SET
        files = tally.files + excluded.files, present = tally.present + excluded.present, listed =
        tally.listed + excluded.listed; UPDATE root SET copies = root.copies + change.files FROM (SELECT
        root_id, sum(files) AS files FROM (SELECT root_id, 1 AS files FROM latter WHERE (latter.state IN
        ('present', 'stale') OR (latter.state = 'gone' AND latter.size IS NOT NULL)) UNION ALL SELECT
        root_id, -1 AS files FROM former WHERE (former.state IN ('present', 'stale') OR (former.state =
        'gone' AND former.size IS NOT NULL))) AS one GROUP BY root_id HAVING sum(files) <> 0) AS change
        WHERE root.id = change.root_id; RETURN NULL; END $$""",
    """CREATE TRIGGER tally_file_updated AFTER UPDATE ON file REFERENCING OLD TABLE AS former NEW TABLE
        AS latter FOR EACH STATEMENT EXECUTE FUNCTION tally_file_updated()""",
    """CREATE FUNCTION tally_file_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM want
        WHERE file_id = OLD.id; RETURN OLD; END $$""",
    """CREATE TRIGGER tally_file_deleted BEFORE DELETE ON file FOR EACH ROW EXECUTE FUNCTION
        tally_file_deleted()""",
    """CREATE FUNCTION tally_product_updated() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN UPDATE tally SET listed =
        tally.listed + change.listed FROM (SELECT want.profile, file.state, file.declined,
        file.superseded, want.keeps AND file.state = 'stale' AND file.revision IS NOT NULL AS kept,
        sum(side.size) AS listed FROM (SELECT id, CAST(coalesce(size, 0) AS numeric) AS size FROM (SELECT
        id, size FROM latter EXCEPT SELECT id, size FROM former) AS now UNION ALL SELECT id, -
        CAST(coalesce(size, 0) AS numeric) FROM (SELECT id, size FROM former EXCEPT SELECT id, size FROM
        latter) AS once) AS side JOIN file ON file.product_id = side.id JOIN want ON want.file_id =
        file.id GROUP BY 1, 2, 3, 4, 5) AS change WHERE tally.profile = change.profile AND tally.state =
        change.state AND tally.declined = change.declined AND tally.superseded = change.superseded AND
        tally.kept = change.kept; RETURN NULL; END $$""",
    """CREATE TRIGGER tally_product_updated AFTER UPDATE ON product REFERENCING OLD TABLE AS former NEW
        TABLE AS latter FOR EACH STATEMENT EXECUTE FUNCTION tally_product_updated()""",
    """CREATE FUNCTION root_file_inserted() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off
        SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN UPDATE root SET copies =
        root.copies + change.files FROM (SELECT root_id, sum(files) AS files FROM (SELECT root_id, 1 AS
        files FROM latter WHERE (latter.state IN ('present', 'stale') OR (latter.state = 'gone' AND
        latter.size IS NOT NULL))) AS one GROUP BY root_id HAVING sum(files) <> 0) AS change WHERE root.id
        = change.root_id; RETURN NULL; END $$""",
    """CREATE TRIGGER root_file_inserted AFTER INSERT ON file REFERENCING NEW TABLE AS latter FOR EACH
        STATEMENT EXECUTE FUNCTION root_file_inserted()""",
    """CREATE FUNCTION root_file_deleted() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off SET
        enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN UPDATE root SET copies = root.copies +
        change.files FROM (SELECT root_id, sum(files) AS files FROM (SELECT root_id, -1 AS files FROM
        former WHERE (former.state IN ('present', 'stale') OR (former.state = 'gone' AND former.size IS
        NOT NULL))) AS one GROUP BY root_id HAVING sum(files) <> 0) AS change WHERE root.id =
        change.root_id; RETURN NULL; END $$""",
    """CREATE TRIGGER root_file_deleted AFTER DELETE ON file REFERENCING OLD TABLE AS former FOR EACH
        STATEMENT EXECUTE FUNCTION root_file_deleted()""",
)
