"""The tables of the log, in SQL that SQLite and PostgreSQL share.

Times are microseconds since 1970 UTC. One counter numbers predictions and outcomes in the order
in which they were drained, whatever the clocks said. Whoever changes a table raises
:data:`SCHEMA`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
)

SCHEMA = 1

# the states of an outcome
WAITING, UNKNOWN, COUNTED, REPEATED, REPLACED, STRANGE = range(6)
STATES = ("waiting", "unknown", "counted", "repeated", "replaced", "strange")

tables = MetaData()

# only INTEGER is SQLite's own row number
_Number = BigInteger().with_variant(Integer, "sqlite")

state = Table(
    "log_state",
    tables,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# models and arms, so that a row holds a small number for each
name = Table(
    "log_name",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)

# how far each segment of a spool was drained: committed together with its rows
segment = Table(
    "log_segment",
    tables,
    Column("id", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("done_us", BigInteger),
)

# `of` and `root` are of shadows only: the id and the number of the prediction they repeat
prediction = Table(
    "log_prediction",
    tables,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("of", Text),
    Column("root", BigInteger),
    Column("model", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("arm", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("key", Text),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)
Index("log_prediction_id", prediction.c.id)
_keyed = prediction.c.key.is_not(None)
Index(
    "log_prediction_key",
    prediction.c.model,
    prediction.c.key,
    prediction.c.seq,
    sqlite_where=_keyed,
    postgresql_where=_keyed,
)
astray = prediction.c.of.is_not(None) & prediction.c.root.is_(None)
Index(
    "log_prediction_astray",
    prediction.c.seq,
    sqlite_where=astray,
    postgresql_where=astray,
)

# `prediction` is the number of the prediction it tells of, once that is found
outcome = Table(
    "log_outcome",
    tables,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("receipt", Text, nullable=False),
    Column("model", Integer, nullable=False),
    Column("id", Text),
    Column("key", Text),
    Column("value", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("arrived_us", BigInteger, nullable=False),
    Column("prediction", BigInteger),
    Column("state", SmallInteger, nullable=False),
)
Index("log_outcome_receipt", outcome.c.receipt)
Index("log_outcome_prediction", outcome.c.prediction)
# written out: a database uses a partial index only for a number that it can see
waiting = outcome.c.state == literal_column(str(WAITING))
unknown = outcome.c.state == literal_column(str(UNKNOWN))
Index("log_outcome_waiting", outcome.c.seq, sqlite_where=waiting, postgresql_where=waiting)
Index("log_outcome_unknown", outcome.c.seq, sqlite_where=unknown, postgresql_where=unknown)
Index(
    "log_outcome_key",
    outcome.c.model,
    outcome.c.key,
    sqlite_where=outcome.c.key.is_not(None),
    postgresql_where=outcome.c.key.is_not(None),
)

# files that hold what has left the tables; for outcomes, `low` and `high` bound `prediction`
sealed = Table(
    "log_sealed",
    tables,
    Column("path", Text, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("model", Integer, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("min_at_us", BigInteger, nullable=False),
    Column("max_at_us", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
    Column("arms", Text, nullable=False),
    Index("log_sealed_order", "model", "kind", "last_seq"),
)

# that somebody was forgotten, without saying who
forgotten = Table(
    "log_forgotten",
    tables,
    Column("id", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("predictions", Integer, nullable=False),
    Column("outcomes", Integer, nullable=False),
)
