"""A throw-away certificate authority, and the credentials that Apple, Google and their customers would hold.

Everything lies in one folder, `ca_file` (for PUSHER_CA_FILE) too; keys are readable by their owner only.
"""

import ipaddress
import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pusher.clock import utcnow
from pusher.simulators.apple_certificate import Environment, scope_extensions

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_ENVIRONMENTS: dict[str, tuple[Environment, ...]] = {
    "both": ("development", "production"),
    "production": ("production",),
    "development": ("development",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """An APNs client certificate with its key."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    #: Both as `openssl pkcs12 -nodes` prints them, certificate first, "Bag Attributes" around them.
    pem: str = field(repr=False)
    #: The same in a file, as `add-apple-app` takes it.
    path: Path

    def pkcs12(self, password: str | None) -> bytes:
        """Return the `.p12` file that Keychain exports, encrypted with `password` where one is given."""
        if password is None:
            encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        else:
            encryption = serialization.BestAvailableEncryption(password.encode())
        name = _common_name(self.certificate).encode()
        return pkcs12.serialize_key_and_certificates(name, self.private_key, self.certificate, None, encryption)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthKey:
    """An APNs authentication key, the `.p8` file of the developer portal."""

    key_id: str
    team_id: str
    pem: str = field(repr=False)
    path: Path
    #: What Apple keeps of it.
    public_key: ec.EllipticCurvePublicKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A Google service account with its key."""

    #: The JSON that Google's console exports.
    fields: dict[str, str] = field(repr=False)
    #: The same in a file, as `add-firebase-app` takes it.
    path: Path
    #: What Google keeps of it.
    public_key: rsa.RSAPublicKey = field(repr=False)


class Authority:
    """Makes a new authority and a server certificate for this machine at once, the rest when asked."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._count = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pusher throw-away authority")])
        self.certificate = self._sign(
            self._name,
            self._key,
            [(x509.BasicConstraints(ca=True, path_length=0), True), (_key_usage(authority=True), True)],
        )
        #: The authority's certificate, for clients to trust.
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        #: Certificate and key of a server on this machine.
        self.server_file = self.server_certificate("localhost", "127.0.0.1", "::1")

    def server_certificate(self, *names: str, not_before: datetime | None = None, days: int = 365) -> Path:
        """Return the file of a certificate for a server with these host names and IP addresses, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]),
            key,
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_key_usage(authority=False), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
            ],
            not_before=not_before,
            days=days,
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode() + _private_pem(key)
        return self._write_secret(f"server-{next(self._count)}.pem", pem)

    def client_certificate(
        self,
        *,
        topics: tuple[str, ...],
        bundle_id: str,
        days: int = 365,
        not_before: datetime | None = None,
        environment: Literal["both", "production", "development"] = "both",
        key: Literal["rsa", "ec"] = "rsa",
    ) -> ClientCertificate:
        """Return a push certificate for `topics`, valid for `days` from `not_before` or from just now.

        Without topics it is of the old kind, where the subject's UID names the only one.
        """
        private_key: PrivateKey = _new_rsa_key() if key == "rsa" else ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, bundle_id),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {bundle_id}"[:64]),
                x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            ]
        )
        scope = scope_extensions(topics, _ENVIRONMENTS[environment])
        certificate = self._sign(
            name,
            private_key,
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_key_usage(authority=False), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
                *((extension, False) for extension in scope),
            ],
            not_before=not_before,
            days=days,
        )
        pem = _with_bag_attributes(certificate, private_key)
        path = self._write_secret(f"apns-certificate-{next(self._count)}.pem", pem)
        return ClientCertificate(certificate=certificate, private_key=private_key, pem=pem, path=path)

    def auth_key(self, key_id: str, team_id: str) -> AuthKey:
        """Return a new APNs key; hand it to `APNsSimulator.add_key` for Apple to know it."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = _private_pem(key)
        path = self._write_secret(f"AuthKey_{key_id}.p8", pem)
        return AuthKey(key_id=key_id, team_id=team_id, pem=pem, path=path, public_key=key.public_key())

    def service_account(self, project_id: str, token_uri: str) -> ServiceAccount:
        """Return a new service account; hand it to `TokenServer.add_account` for Google to know it."""
        key = _new_rsa_key()
        number = next(self._count)
        fields = {
            "type": "service_account",
            "project_id": project_id,
            "private_key_id": f"{x509.random_serial_number():040x}",
            "private_key": _private_pem(key),
            "client_email": f"pusher-{number}@{project_id}.iam.gserviceaccount.com",
            "client_id": f"{number:021d}",
            "token_uri": token_uri,
        }
        path = self._write_secret(f"service-account-{number}.json", json.dumps(fields, indent=2))
        return ServiceAccount(fields=fields, path=path, public_key=key.public_key())

    def _sign(
        self,
        subject: x509.Name,
        key: PrivateKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
        *,
        not_before: datetime | None = None,
        days: int = 365,
    ) -> x509.Certificate:
        start = utcnow() - timedelta(minutes=5) if not_before is None else not_before
        public_key = key.public_key()
        builder = (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self._name, public_key=public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())

    def _write_secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        # A file left over from an earlier run keeps its old mode, whatever `touch` was told.
        path.chmod(0o600)
        path.write_text(text)
        return path


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _private_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return what strict verifiers (Python 3.13's default) want to see."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _with_bag_attributes(certificate: x509.Certificate, key: PrivateKey) -> str:
    name = _common_name(certificate)
    local_key_id = certificate.fingerprint(hashes.SHA1()).hex(" ").upper()  # noqa: S303
    bag = f"Bag Attributes\n    friendlyName: {name}\n    localKeyID: {local_key_id} \n"
    names = f"subject={certificate.subject.rfc4514_string()}\nissuer={certificate.issuer.rfc4514_string()}\n"
    block = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return f"{bag}{names}{block}{bag}Key Attributes: <No Attributes>\n{_private_pem(key)}"
