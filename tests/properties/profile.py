"""How the properties are run: seeded, so that a failure can be replayed by anybody."""

import os

from hypothesis import HealthCheck, settings

#: Another number gives other examples: LEDGER_TEST_SEED=7 pytest tests/properties
SEED = int(os.environ.get("LEDGER_TEST_SEED", "1"))


def examples(count: int, **more: int) -> settings:
    """Return the settings of a property with so many examples."""
    return settings(
        max_examples=count,
        deadline=None,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
