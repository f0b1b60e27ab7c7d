"""The keys of a run's gang: one pair by which its launcher logs in, one by which its members show who they are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Two pairs of ed25519 keys, in OpenSSH's format; what is private is left out where the object is shown.

    Attributes:
        private: The launcher's key.
        public: What members let in.
        host_private: The members' key, one for all.
        host_public: What the launcher takes for a member's.
    """

    private: str = field(repr=False)
    public: str
    host_private: str = field(repr=False)
    host_public: str


def make_keys() -> Keys:
    """Return new keys."""
    private, public = _make_pair()
    host_private, host_public = _make_pair()
    return Keys(private=private, public=public, host_private=host_private, host_public=host_public)


def _make_pair() -> tuple[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.decode("ascii"), public.decode("ascii")
