"""Rules about web addresses that collecting, importing and understanding share."""

from urls.canonical import canonical_url, host_of, same_site
from urls.domains import DomainError, normalise_domain, registrable_domain

__all__ = [
    "DomainError",
    "canonical_url",
    "host_of",
    "normalise_domain",
    "registrable_domain",
    "same_site",
]
