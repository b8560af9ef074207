"""The topics extension has Apple's form, and is read back as it was meant."""

import pytest
from pyasn1.codec.der import decoder

from pusher.simulators.apple_certificate import ENVIRONMENTS, TOPICS, CertificateScope, read_scope
from pusher.simulators.authority import Authority, ClientCertificate


def test_topics_extension_is_a_sequence_of_topics_and_their_kinds(certificate: ClientCertificate) -> None:
    extension = certificate.certificate.extensions.get_extension_for_oid(TOPICS)
    value, rest = decoder.decode(extension.value.public_bytes())

    assert rest == b""
    assert [type(value[at]).__name__ for at in range(len(value))] == ["UTF8String", "SequenceOf"] * 2
    assert [str(item) for item in value[::2]] == ["com.example.phone", "com.example.phone.voip"]
    assert [str(item[0]) for item in value[1::2]] == ["app", "voip"]


def test_environment_extensions_hold_an_asn1_null(certificate: ClientCertificate) -> None:
    for oid in ENVIRONMENTS.values():
        extension = certificate.certificate.extensions.get_extension_for_oid(oid)
        assert extension.value.public_bytes() == b"\x05\x00"


def test_long_topics_survive_the_long_form_of_der_lengths(authority: Authority) -> None:
    topics = tuple(f"com.example.{'x' * 120}{number}" for number in range(3))
    made = authority.client_certificate(topics=topics, bundle_id=topics[0], key="ec")
    value, _ = decoder.decode(made.certificate.extensions.get_extension_for_oid(TOPICS).value.public_bytes())

    assert [str(item) for item in value[::2]] == list(topics)
    assert read_scope(made.certificate) == CertificateScope(
        topics=topics, environments=frozenset({"production", "development"})
    )


@pytest.mark.parametrize("environment", ["production", "development"])
def test_certificate_for_one_environment_is_good_for_no_other(authority: Authority, environment: str) -> None:
    made = authority.client_certificate(topics=("a.b",), bundle_id="a.b", environment=environment, key="ec")
    scope = read_scope(made.certificate)

    assert scope == CertificateScope(topics=("a.b",), environments=frozenset({environment}))


def test_certificate_without_topics_is_good_for_its_uid(authority: Authority) -> None:
    made = authority.client_certificate(topics=(), bundle_id="com.example.phone.voip", key="ec")
    scope = read_scope(made.certificate)

    assert scope is not None
    assert scope.topics == ("com.example.phone.voip",)
