"""Tenants beside a tenant, for what no list of its sessions is to show. Pure."""

from __future__ import annotations

from hashlib import sha256

from ledger.limits import TENANT_BYTES_MAX


def side_tenant(tenant: str, suffix: str) -> str:
    """Return the tenant of that suffix; where a name would get too long, its digest stands for it."""
    if len((tenant + suffix).encode()) <= TENANT_BYTES_MAX:
        return tenant + suffix
    return f"\x1f#{sha256(tenant.encode()).hexdigest()}{suffix}"
