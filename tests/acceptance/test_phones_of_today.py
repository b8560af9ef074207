"""Phones that speak RFC 8599 and match no rule, on the real processes."""

from pusher.registration.device import Device
from pusher.simulators.stage import AppKind
from tests.support.until import until


def today(token, *, param=f"TEAM123456.{AppKind.APPLE_KEY.topic}"):
    """What such a phone's registration says instead of the handset's own."""
    contact = f"<sip:2001@127.0.0.1:15090;pn-provider=apns;pn-param={param}&remote;pn-prid={'1b' * 32}&{token}:voip>"
    return {"User-Agent": "Acme/1", "Contact": contact}


def learned(system, handset):
    """The push object in the handset's device document, empty where there is none."""
    device = Device(account_id=handset.account_id, device_id=handset.device_id)
    if f"device={handset.device_id}" not in system.log("worker"):
        return {}
    return system.documents.read(device.database, device.device_id)["push"]


def test_a_phone_of_today_is_learned_and_answers_with_a_new_token_who_called_the_old_one(system):
    handset = system.stage.handset(AppKind.APPLE_KEY, wakes=False)
    handset.register(**today(handset.token))
    until(lambda: learned(system, handset))
    assert learned(system, handset) == {
        "Token-App": AppKind.APPLE_KEY,
        "Token-Type": "apple",
        "Token-ID": handset.token,
        "Token-Proxy": "sip:127.0.0.1:5060;transport=udp",
    }
    call = system.call(handset)
    until(lambda: handset.pushed_at)
    handset.register(**today("2c" * 32))
    assert call.answer(5.0)["Push-Status"] == "registered"
    until(lambda: learned(system, handset)["Token-ID"] == "2c" * 32)


def test_a_stranger_s_phone_is_not_learned_and_the_log_says_why_without_its_token(system):
    handset = system.stage.handset(AppKind.APPLE_KEY, wakes=False)
    handset.register(**today(handset.token, param="ABCD1234.org.stranger.voip"))
    until(lambda: "phone not learned reason=unknown_app" in system.log("listener"))
    assert "app=org.stranger.voip" in system.log("listener")
    assert handset.token not in system.log("listener")
    assert learned(system, handset) == {}
