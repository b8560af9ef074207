"""Answers to digest challenges, held against the examples of the RFCs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.simulators.sip_digest import digest_answer, is_stale

#: RFC 2617 3.5.
RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
    ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
#: RFC 7616 3.9.1.
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={},'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
SHA_256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def answer(*challenges: str, cnonce: str | None = None, password: str = "Circle of Life") -> str:
    return digest_answer(
        challenges, method="GET", uri="/dir/index.html", user="Mufasa", password=password, cnonce=cnonce
    )


def test_the_example_of_rfc_2617():
    assert answer(RFC_2617, cnonce="0a4f113b", password="Circle Of Life") == (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
        ' uri="/dir/index.html", response="6629fae49393a05397450978507c4ef1", qop=auth, nc=00000001,'
        ' cnonce="0a4f113b", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )


@pytest.mark.parametrize(("algorithm", "response"), [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", SHA_256)])
def test_the_examples_of_rfc_7616(algorithm: str, response: str):
    said = answer(RFC_7616.format(algorithm), cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert f'response="{response}"' in said
    assert f"algorithm={algorithm}" in said


def test_without_qop_neither_count_nor_client_nonce_is_used():
    """RFC 2069's example with the response that RFC 2617's errata computes."""
    said = answer(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"', password="CircleOfLife"
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in said
    assert "cnonce" not in said
    assert "nc=" not in said


def test_the_first_challenge_that_is_understood_is_answered():
    others = (
        'Basic realm="x"',
        RFC_7616.format("SHA-512-256"),
        'Digest realm="x"',
        'Digest realm="x", nonce="y", qop="auth-int"',
    )
    assert "algorithm=SHA-256" in answer(*others, RFC_7616.format("SHA-256"), RFC_7616.format("MD5"))


def test_quotes_in_a_realm_are_escaped():
    assert r'realm="a \"b\", c"' in answer(r'Digest realm="a \"b\", c", nonce="n"')


def test_every_answer_has_a_nonce_of_its_own():
    assert answer(RFC_2617) != answer(RFC_2617)


@pytest.mark.parametrize("challenge", ["", "Digest", "Negotiate x", 'Digest realm="r", nonce="n", algorithm=MD5-sess'])
def test_a_challenge_that_is_not_understood_is_refused(challenge: str):
    with pytest.raises(MessageInvalid, match="challenge"):
        answer(challenge)


def test_stale_tells_an_old_nonce_from_a_wrong_password():
    assert is_stale([RFC_2617 + ", stale=TRUE"])
    assert not is_stale([RFC_2617 + ", stale=false"])
    assert not is_stale([RFC_2617])


@given(st.text())
def test_garbage_raises_nothing_but_the_parsers_error(text: str):
    for challenge in (text, f"Digest {text}", f'Digest realm="r", nonce="n", {text}'):
        try:
            answer(challenge)
        except MessageInvalid:
            continue
