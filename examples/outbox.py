"""Append in the transaction of one's own tables: both are stored, or neither."""

from tempfile import TemporaryDirectory

import apsw

from ledger import Ledger, NewEvent

with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/shop.db") as ledger:
    # The caller's own connection to the same file, with its own table in it.
    connection = apsw.Connection(f"{folder}/shop.db")
    connection.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, state TEXT)")

    def pay(order: str, *, fail: bool = False) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("INSERT OR REPLACE INTO orders VALUES (?, 'paid')", (order,))
            event = NewEvent({"order": order}, "order.paid", event_id=f"paid:{order}")
            ledger.append("orders", event, connection=connection)
            if fail:
                raise RuntimeError("the payment was declined")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    pay("4711")
    try:
        pay("4712", fail=True)
    except RuntimeError as error:
        print("rolled back:", error)

    orders = [order for (order,) in connection.execute("SELECT id FROM orders")]
    events = [event.data["order"] for event in ledger.read("orders")]
    print("orders:", orders, "events:", events)
    assert orders == events == ["4711"]
    connection.close()
