"""An authority that signs certificates for tests, and users' NKEYs; all of it is made anew for every run."""

import base64
import datetime as dt
import ipaddress
import json
import os
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    cert: str
    key: str


class Authority:
    """Signs; ``ca`` is the file of its own certificate."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._certificate = made.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.ca = str(directory / f"{name}.pem")
        Path(self.ca).write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *hosts: str, begins: dt.timedelta = -DAY, ends: dt.timedelta = DAY) -> Pair:
        """A certificate for these hosts; 127.0.0.1 and localhost if none are named. It is good from then to then."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = []
        for host in hosts or ("127.0.0.1", "localhost"):
            is_address = host.replace(".", "").isdigit()
            names.append(x509.IPAddress(ipaddress.ip_address(host)) if is_address else x509.DNSName(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(subject, key, begins, ends)
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = made.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        pair = Pair(str(self._directory / f"{name}.cert.pem"), str(self._directory / f"{name}.key.pem"))
        Path(pair.cert).write_bytes(certificate.public_bytes(Encoding.PEM))
        Path(pair.key).touch(mode=0o600)
        Path(pair.key).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


class Nkey:
    """A key of NATS: an operator's (O), an account's (A) or a user's (U)."""

    def __init__(self, kind: str) -> None:
        self._kind = {"O": 14 << 3, "A": 0, "U": 20 << 3}[kind]
        self._raw = os.urandom(32)
        self._key = Ed25519PrivateKey.from_private_bytes(self._raw)
        self.public = _text(bytes([self._kind]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        """Its secret, as text."""
        return _text(bytes([18 << 3 | self._kind >> 5, (self._kind & 31) << 3]) + self._raw)

    def jwt(self, subject: str, name: str, nats: dict[str, object]) -> str:
        """What this key says of another."""
        claims = {
            "jti": name,
            "iat": 1,
            "iss": self.public,
            "name": name,
            "sub": subject,
            "nats": nats | {"version": 2},
        }
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, claims]
        signed = ".".join(_url(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_url(self._key.sign(signed.encode()))}"


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text(raw: bytes) -> str:
    checksum = 0
    for byte in raw:  # CRC-16/XMODEM, written out: the code under test takes it from a library
        checksum ^= byte << 8
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x1021 if checksum & 0x8000 else 0)) & 0xFFFF
    return base64.b32encode(raw + checksum.to_bytes(2, "little")).rstrip(b"=").decode()
