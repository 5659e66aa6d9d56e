"""Systems of applications that share one ledger: each processes what the ones before it did."""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.system import (
    MultiThreadedRunner,
    NewMultiThreadedRunner,
    NewSingleThreadedRunner,
    ProcessApplication,
    SingleThreadedRunner,
    System,
)

from ledger import Ledger
from tests.eventsourcing.homes import MODULE
from tests.support.builders import eventually, on_durable

ORDERS = 12


class Order(Aggregate):
    def __init__(self, customer: str) -> None:
        self.customer = customer

    @event("Confirmed")
    def confirm(self) -> None:
        self.confirmed = True


class Account(Aggregate):
    def __init__(self, customer: str) -> None:
        self.orders = 0
        self.customer = customer

    @classmethod
    def create_id(cls, customer: str) -> UUID:
        return uuid5(NAMESPACE_URL, customer)

    @event("Charged")
    def charge(self) -> None:
        self.orders += 1


class Orders(Application[UUID]):
    def place(self, customer: str) -> UUID:
        order = Order(customer)
        self.save(order)
        order.confirm()
        self.save(order)
        return order.id


class Accounts(ProcessApplication[UUID]):
    is_snapshotting_enabled = True
    snapshotting_intervals = {Account: 3}  # noqa: RUF012 - as the library has it

    @singledispatchmethod
    def policy(self, domain_event: Any, processing_event: Any) -> None:
        """Charge whoever placed an order."""

    @policy.register
    def _(self, domain_event: Order.Created, processing_event: Any) -> None:
        customer = domain_event.customer
        try:
            account: Account = self.repository.get(Account.create_id(customer))
        except AggregateNotFoundError:
            account = Account(customer)
        account.charge()
        processing_event.collect_events(account)


class Mails(ProcessApplication[UUID]):
    @singledispatchmethod
    def policy(self, domain_event: Any, processing_event: Any) -> None:
        """Write a mail for every charge."""

    @policy.register
    def _(self, domain_event: Account.Charged, processing_event: Any) -> None:
        processing_event.collect_events(Aggregate())


RUNNERS = (
    SingleThreadedRunner,
    NewSingleThreadedRunner,
    MultiThreadedRunner,
    NewMultiThreadedRunner,
)


def run_orders(runner: Any) -> int:
    """Place orders, let the system come to rest, and return the last order's notification."""
    orders, accounts, mails = map(runner.get, (Orders, Accounts, Mails))
    for number in range(ORDERS):
        orders.place(f"customer {number % 2}")
    last: int = orders.recorder.max_notification_id()
    eventually(lambda: accounts.recorder.max_tracking_id("Orders") == last)
    done = accounts.recorder.max_notification_id()
    eventually(lambda: mails.recorder.max_tracking_id("Accounts") == done)
    return last


@on_durable
@pytest.mark.parametrize("runner_class", RUNNERS, ids=lambda one: one.__name__)
def test_a_system_processes_every_event_once_and_goes_on_after_a_restart(
    url: str, runner_class: Any
) -> None:
    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
    for run in (1, 2):
        with runner_class(System([[Orders, Accounts, Mails]]), env=env) as runner:
            last = run_orders(runner)
            accounts, mails = runner.get(Accounts), runner.get(Mails)
            for number in range(2):
                account = accounts.repository.get(Account.create_id(f"customer {number}"))
                assert account.orders == run * ORDERS // 2
            assert len(mails.recorder.select_notifications(None, 1_000)) == run * ORDERS
    with Ledger.open(url) as ledger:
        assert ledger.verify().ok
        created = ledger.read(str(Account.create_id("customer 0")), tenant="Accounts")[0]
        assert created.data["customer"] == "customer 0"
        tracked = ledger.read("Orders", tenant="Accounts/tracking", newest_first=True, limit=1)
        assert tracked[0].data == {"notification_id": last}
