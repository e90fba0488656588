"""Certificates and keys for TLS, read from PEM files; what is wrong with one is told in a line."""

import contextlib
import ssl
from pathlib import Path
from typing import NamedTuple

from footfall.errors import ConfigError


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """What a server answers TLS with, 1.2 or newer.

    Args:
        cert: File of the server's certificate, followed by those that lead to its authority.
        key: File of the certificate's private key, not encrypted.

    Raises:
        ConfigError: One cannot be read, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load(context, cert, key)
    return context


def client_context(ca: str, cert: str = "", key: str = "") -> ssl.SSLContext:
    """What a client asks TLS with, 1.2 or newer: the server's certificate and its name are always checked.

    Args:
        ca: File of the authorities that are trusted; empty: those of the system.
        cert: File of the client's own certificate, if the server asks for one.
        key: File of its private key.

    Raises:
        ConfigError: One cannot be read, or they do not belong together.
    """
    if ca:
        _check_readable(ca)
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{ca} holds no certificates in PEM: {_said(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert:
        load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Take a certificate and its key into a context: handshakes from now on use it.

    Raises:
        ConfigError: One cannot be read, or they do not belong together; the context is as it was.
    """
    # Into a trial first: a context would take the certificate, and then find that the key is another one's.
    for one in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
        for path in (cert, key):
            _check_readable(path)
        try:
            one.load_cert_chain(cert, key, password=_no_password)
        except _EncryptedError:
            raise ConfigError(
                f"the key in {key} is encrypted; give one that is not, readable by this user alone"
            ) from None
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigError(f"the key in {key} does not belong to the certificate in {cert}") from None
            raise ConfigError(f"{cert} and {key} are not a certificate and its key in PEM: {_said(error)}") from None
        except OSError as error:
            raise ConfigError(f"{cert} or {key} cannot be read: {error}") from None


class Life(NamedTuple):
    """From when to when a certificate is good, in Unix time."""

    begin_s: float
    end_s: float


def life_of(context: ssl.SSLContext, cert: str) -> Life | str:
    """How long the certificate of a server is good; or why no client can take it now, whomever he trusts.

    It is asked for over no wire, by a client who trusts it as it stands. So what he finds is about it alone.

    Args:
        context: Answers handshakes with it.
        cert: Its file.
    """
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        asking.load_verify_locations(cert)
        client, server = asking.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
        for side in (client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        told = client.getpeercert() or {}
        return Life(*(float(ssl.cert_time_to_seconds(str(told[name]))) for name in ("notBefore", "notAfter")))
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except (ssl.SSLError, OSError, ValueError, KeyError) as error:
        return _said(error) if isinstance(error, OSError) else repr(error)


class _EncryptedError(Exception):
    """A key asks for a password, and there is nobody to ask."""


def _no_password() -> str:
    raise _EncryptedError


def _check_readable(path: str) -> None:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _said(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error)
