"""Moving an alias or the shares of traffic: compare and swap on a revision.

Moves of aliases have a log that is never changed; the shares are in the decision's own record.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from everfit.errors import ModelUnknown, Refused, UsageError
from everfit.records import Decision
from everfit.store import schema
from everfit.store.contract import RunHandle, Traffic
from everfit.store.ledger import aliases, traffic_of


def revisions(
    connection: Connection,
    model: str,
    run: RunHandle | None,
    seen: Mapping[str, int] | None,
) -> dict[str, int]:
    """The revision at which each alias must still be for a move to be allowed.

    What the caller has ``seen`` goes first. A run has seen what was there when it began and
    what was moved under its epoch. A caller without either takes things as they are now.
    """
    if seen is not None:
        return dict(seen)
    if run is None:
        return {name: alias.rev for name, alias in aliases(connection, model).items()}
    log, decision = schema.alias_log, schema.decision
    own = (
        select(log.c.name, func.max(log.c.rev).label("rev"))
        .join(decision, log.c.decision == decision.c.id)
        .where(log.c.model == model, decision.c.epoch == run.epoch)
        .group_by(log.c.name)
    )
    return dict(run.seen) | {row.name: row.rev for row in connection.execute(own)}


def move(
    connection: Connection,
    decision: Decision,
    name: str,
    number: int | None,
    expected: int,
    at: str,
) -> None:
    """Point alias ``name`` at version ``number`` when it is still at revision ``expected``.

    Raises
    ------
    Refused : another moved it meanwhile
    ModelUnknown : there is no such version
    """
    model, alias = decision.model, schema.alias
    _check_version(connection, model, number)
    before = aliases(connection, model).get(name)
    values = {"number": number, "rev": expected + 1, "decision": decision.id}
    if before is None and expected == 0:
        try:
            connection.execute(insert(alias).values(model=model, name=name, **values))
        except IntegrityError as error:
            raise _moved(model, name, None) from error
    else:
        here = (alias.c.model == model, alias.c.name == name, alias.c.rev == expected)
        done = connection.execute(update(alias).where(*here).values(**values))
        if done.rowcount != 1:
            raise _moved(model, name, before.number if before else None)
    row = {
        "model": model,
        "name": name,
        "from_number": before.number if before else None,
        "to_number": number,
        "rev": expected + 1,
        "decision": decision.id,
        "at": at,
    }
    connection.execute(insert(schema.alias_log).values(**row))


def share_out(connection: Connection, decision: Decision, traffic: Traffic) -> None:
    """Share out the requests of a model when nobody has changed that since ``traffic.rev``.

    Raises
    ------
    Refused : another changed it meanwhile
    UsageError : a share is not from 0 to 1
    """
    for name, share in (("share", traffic.share), ("holdout", traffic.holdout)):
        if not 0.0 <= share <= 1.0:
            raise UsageError(
                f"the {name} of traffic cannot be used",
                got=repr(share),
                expected="a number from 0 to 1",
                do="give 0.1 for a tenth of the keys",
            )
    table, model = schema.traffic, decision.model
    now = traffic_of(connection, model)
    if now.rev != traffic.rev:
        raise Refused(
            f"the traffic of {model!r} was changed while this was being decided",
            got=f"canary {now.share:g}, hold-out {now.holdout:g}",
            expected="the shares that the decision was about",
            do=f"everfit why {model} tells who changed it; then repeat the command",
        )
    values = {
        "canary_share": float(traffic.share),
        "holdout_share": float(traffic.holdout),
        "rev": now.rev + 1,
        "decision": decision.id,
    }
    if now.rev == 0:
        connection.execute(insert(table).values(model=model, **values))
    else:
        connection.execute(update(table).where(table.c.model == model).values(**values))


def _check_version(connection: Connection, model: str, number: int | None) -> None:
    if number is None:
        return
    table = schema.version
    asked = select(table.c.number).where(table.c.model == model, table.c.number == number)
    if connection.execute(asked).one_or_none() is None:
        raise ModelUnknown(
            f"model {model!r} has no version v{number}",
            got=f"v{number}",
            expected="a version that is in the store",
            do=f"everfit status {model} shows its versions",
        )


def _moved(model: str, name: str, number: int | None) -> Refused:
    return Refused(
        f"the {name} of {model!r} was changed while this was being decided",
        got=f"{name} is v{number} now" if number else f"there is a {name} now",
        expected=f"the {name} that the decision was about",
        do=f"everfit why {model} tells who changed it; then repeat the command",
    )
