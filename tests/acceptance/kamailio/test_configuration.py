"""The configuration that operators copy is accepted by Kamailio without a warning."""

import pytest

from tests.acceptance.kamailio.lab import Flavour, configuration
from tests.support.kamailio import COMPLAINT, check


@pytest.mark.parametrize("flavour", Flavour)
def test_kamailio_accepts_the_configuration_without_a_warning(tmp_path, flavour):
    path = tmp_path / "kamailio.cfg"
    path.write_text("\n".join(['#!substdef "!LAB_PORT!5999!g"', *configuration(flavour, "amqp://127.0.0.1/none")]))
    said = check(path)
    assert "config file ok" in said
    assert [line for line in said.splitlines() if COMPLAINT.search(line)] == []
