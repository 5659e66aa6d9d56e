"""The fixtures of the contract: every backend, sync and async."""

from tests.contract.conftest import (
    contract_database,
    loop,
    open_ledger,
    postgres_url,
    url,
)

__all__ = ["contract_database", "loop", "open_ledger", "postgres_url", "url"]
