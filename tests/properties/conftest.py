"""The fixtures of the contract: every backend, sync and async."""

from tests.contract.conftest import loop, open_ledger, url

__all__ = ["loop", "open_ledger", "url"]
