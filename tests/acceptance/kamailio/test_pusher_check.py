"""`pusher check` beside waiting calls: Kamailio takes its message as one that is not for it."""

from pusher.simulators.stage import AppKind
from tests.support.until import until


def test_a_check_while_a_call_waits_disturbs_nobody(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False)
    call = lab.call(phone)
    until(lambda: phone.pushed_at)
    assert "waiting calls: 1 wait now, and every proxy can be answered" in lab.system.run("pusher", "check").stdout
    assert phone.register() == 200
    assert call.outcome().status == 200
    assert lab.kamailio.complaints() == []
