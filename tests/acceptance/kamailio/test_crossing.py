"""A REGISTER between Kamailio's look for the phone's binding and the suspension of the call resumes it all the same."""

from pusher.simulators.sip_handset import SIPHandset
from tests.acceptance.kamailio.lab import PASSWORD, REALM, Flavour, configuration, on_the_bus
from tests.acceptance.kamailio.scenario import TALKS
from tests.support.kamailio import Kamailio
from tests.support.sipp import Call
from tests.support.until import until

#: The value of a setting that the request is built with, and a pause: the look is over, the call does not wait yet. It
#: is shorter than what it takes sipp to send its INVITE again, which would find the binding.
_PAUSES = (
    'loadmodule "/usr/lib/x86_64-linux-gnu/kamailio/modules/cfgutils.so"',
    '#!define PUSH_SOUND "ring.caf", "$var(json)"); xlog("L_NOTICE", "pausing\\n"); usleep("400000"); '
    'jansson_set("string", "Sound", "ring.caf"',
)


def test_a_phone_that_registers_while_its_call_is_being_suspended_gets_it(tmp_path, rabbitmq):
    rabbitmq.start()
    with rabbitmq.vhost() as bus_url:
        lines = [*_PAUSES, *configuration(Flavour.RESUMES_ON_REGISTER, bus_url)]
        kamailio = Kamailio(tmp_path, lines, ready=lambda: on_the_bus(rabbitmq, bus_url))
        kamailio.start()
        identity = {"token": "t0", "token_type": "firebase", "app_id": "com.example.softphone"}
        phone = SIPHandset(proxy=kamailio.address, user="u0", realm=REALM, password=PASSWORD, **identity).start()
        keys = {
            "aor": f"u0@{REALM}",
            "caller": '"Bob"',
            "caller_uri": "sip:+15551230000@freeswitch.example.com",
            "token_id": phone.token,
            "token_type": phone.token_type,
            "token_app": phone.app_id,
            "wake_window_ms": "5000",
        }
        call = Call(tmp_path / "call", TALKS, kamailio.address, keys, pause_s=0.1)
        try:
            until(lambda: "pausing" in kamailio.log)
            assert phone.register() == 200
            assert call.outcome().status == 200
            assert phone.violations == []
            assert kamailio.complaints() == []
        finally:
            call.close()
            phone.close()
            kamailio.close()
