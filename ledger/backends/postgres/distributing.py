"""The tables of a schema, spread by bucket over the servers of a Citus cluster."""

from __future__ import annotations

from ...errors import InvalidArgument
from ...plans import Plan
from ..base import OpenOptions
from . import migrations
from .connecting import Target
from .migrations import Execute
from .statements import OpeningStatements
from .transacting import transact


def distribute_tables(url: str, options: OpenOptions, shards: int) -> bool:
    """Do what `ledger.distribute` says, in one transaction."""
    migrations.check_options(options)
    target = Target(url, options)
    return transact(target, lambda execute: _distributed(execute, options, shards))


def _distributed(execute: Execute, options: OpenOptions, shards: int) -> Plan[bool]:
    statements = OpeningStatements(options.schema)
    name = {"schema": options.schema}
    yield execute(statements["isolation"], None)
    yield execute(statements["patience"], None)
    yield execute(statements["lock"], name)
    [[_, has_citus]] = yield execute(statements["database"], None)
    if not has_citus:
        raise InvalidArgument("url", "the database has no Citus: CREATE EXTENSION citus there")
    [[is_coordinator]] = yield execute(statements["is_coordinator"], None)
    if not is_coordinator:
        raise InvalidArgument("url", "it names a worker of the cluster: name its coordinator")
    found = yield from migrations.opened(execute, options)
    if found.distributed:
        return False
    yield execute(statements["distribution_settings"], None)
    yield execute(statements["distribute_info"], name)
    yield execute(statements["distribute_buckets"], {**name, "shards": shards})
    yield execute(statements["distribute_others"], name)
    for function in statements.functions(distributed=True):
        yield execute(function, None)
    yield execute(statements["distribute_append"], name)
    return True
