"""An application that knows nothing of the ledger, moved onto it by its environment."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.dcb.application import DCBApplication
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    IntegrityError,
    ProgrammingError,
)
from eventsourcing.tests.application import BankAccounts
from eventsourcing.utils import get_topic

from ledger import Ledger
from projections.eventsourcing import LedgerFactory
from tests.eventsourcing.homes import MODULE
from tests.support.builders import note, on_durable, on_postgres, sequences


def history(app: BankAccounts) -> tuple[UUID, list[Any]]:
    """Use an application and return an account and what its log says, without ids and times."""
    account = app.open_account("Alice", "alice@example.com")
    app.credit_account(account, Decimal("10.00"))
    app.credit_account(account, Decimal("25.00"))
    app.take_snapshot(account)
    app.credit_account(account, Decimal("30.00"))
    log = [(n.id, n.originator_version, n.topic) for n in app.notification_log.select(1, 10)]
    return account, [app.get_balance(account), log]


@pytest.fixture
def app(url: str) -> Iterator[BankAccounts]:
    with BankAccounts(env={"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}) as app:
        yield app


def ledger_of(app: BankAccounts) -> Ledger:
    assert isinstance(app.factory, LedgerFactory)
    return app.factory.ledger


def test_an_application_moves_by_its_environment_alone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BankAccounts() as in_memory_of_the_library:
        _, expected = history(in_memory_of_the_library)
    monkeypatch.setenv("PERSISTENCE_MODULE", MODULE)
    monkeypatch.setenv("LEDGER_URL", url)
    with BankAccounts() as app:
        assert history(app)[1] == expected


def test_its_aggregates_are_sessions_of_its_name(app: BankAccounts) -> None:
    account, _ = history(app)
    events = ledger_of(app).read(str(account), tenant="BankAccounts")
    assert [(e.sequence, e.position, e.type.rpartition(".")[2]) for e in events] == [
        (1, 1, "Opened"),
        (2, 2, "TransactionAppended"),
        (3, 3, "TransactionAppended"),
        (4, 4, "TransactionAppended"),
    ]
    assert [e.data.get("amount") for e in events] == [
        None,
        {"_type_": "decimal_str", "_data_": "10.00"},
        {"_type_": "decimal_str", "_data_": "25.00"},
        {"_type_": "decimal_str", "_data_": "30.00"},
    ]


def test_the_whole_log_verifies(app: BankAccounts) -> None:
    history(app)
    report = ledger_of(app).verify()
    assert (report.events, report.sessions, report.findings) == (4, 1, ())


@on_durable
def test_it_finds_everything_again(url: str) -> None:
    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
    with BankAccounts(env=env) as app:
        account, expected = history(app)
    with BankAccounts(env=env) as app:
        assert app.get_balance(account) == expected[0]
        assert app.recorder.max_notification_id() == 4


def test_compressed_and_encrypted_states_come_back(url: str) -> None:
    from eventsourcing.cipher import AESCipher

    env = {
        "PERSISTENCE_MODULE": MODULE,
        "LEDGER_URL": url,
        "COMPRESSOR_TOPIC": get_topic(ZlibCompressor),
        "CIPHER_KEY": AESCipher.create_key(16),
    }
    with BankAccounts(env=env) as app:
        account, expected = history(app)
        assert expected[0] == Decimal("65.00")
        events = ledger_of(app).read(str(account), tenant="BankAccounts")
        assert not any(b"Alice" in event.data for event in events)


@on_durable
def test_applications_that_share_a_ledger_do_not_see_each_other(url: str) -> None:
    class Others(BankAccounts):
        name = "Others"

    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
    with BankAccounts(env=env) as app, Others(env=env) as others:
        account, _ = history(app)
        history(others)
        with pytest.raises(BankAccounts.AccountNotFoundError):
            others.get_account(account)
        # One log: the ids of the one are gaps in those of the other.
        assert [n.id for n in others.notification_log.select(1, 10)] == [5, 6, 7, 8]
        assert (app.recorder.max_notification_id(), others.recorder.max_notification_id()) == (4, 8)


def test_other_facts_may_join_an_aggregate(app: BankAccounts) -> None:
    account, _ = history(app)
    ledger_of(app).append(str(account), note("a call from Alice"), tenant="BankAccounts")
    app.credit_account(account, Decimal("1.00"))
    assert app.get_balance(account) == Decimal("66.00")
    assert sequences(ledger_of(app).read(str(account), tenant="BankAccounts")) == [1, 2, 3, 4, 5, 6]
    assert [n.id for n in app.notification_log.select(1, 10)] == [1, 2, 3, 4, 6]


def test_what_the_ledger_deleted_is_gone_from_the_application(app: BankAccounts) -> None:
    account, _ = history(app)
    stale = app.get_account(account)
    ledger_of(app).delete(str(account), tenant="BankAccounts")
    with pytest.raises(BankAccounts.AccountNotFoundError):  # its snapshot is no way back
        app.get_account(account)
    stale.append_transaction(Decimal("1.00"))
    with pytest.raises(IntegrityError):
        app.save(stale)
    with pytest.raises(AggregateNotFoundError):
        app.repository.get(account)


@on_postgres
@pytest.mark.usefixtures("new_database")
def test_a_ledger_of_several_buckets_is_refused(url: str) -> None:
    Ledger.open(url, buckets=64).close()
    with pytest.raises(ProgrammingError, match="LEDGER_SCHEMA"):
        LedgerFactory({"LEDGER_URL": url})
    LedgerFactory({"LEDGER_URL": url, "LEDGER_SCHEMA": "bank"}).close()


def test_an_environment_without_a_ledger_is_refused() -> None:
    with pytest.raises(OSError, match="BANKACCOUNTS_LEDGER_URL"):
        BankAccounts(env={"PERSISTENCE_MODULE": MODULE})


def test_an_application_without_aggregates_is_told_that_this_is_no_place_for_it() -> None:
    with pytest.raises(InfrastructureFactoryError, match="expected 1"):
        DCBApplication(env={"PERSISTENCE_MODULE": MODULE})
