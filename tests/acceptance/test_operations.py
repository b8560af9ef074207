"""What operators do while calls come in."""

import signal
import subprocess
from pathlib import Path

import pytest

from pusher.simulators.stage import AppKind
from tests.acceptance.system import PATIENCE_S
from tests.support.until import until

SUP = Path(__file__).parents[2] / "scripts" / "sup"


def test_an_app_added_while_everything_runs_is_used_by_the_next_push(system):
    app_id = "org.example.added.voip.prod"
    certificate = system.stage.authority.client_certificate(
        topics=("org.example.added.voip",), bundle_id="org.example.added"
    )
    handset = system.stage.handset(AppKind.APPLE_CERTIFICATE)
    system.stage.apns.register_token(handset.token, "org.example.added.voip")
    assert system.call(handset, **{"Token-App": app_id}).answer(5.0)["Push-Reason"] == "unknown_app"
    added = subprocess.run(
        [SUP, "pusher_maintenance", "add_apple_app", app_id, certificate.path, system.stage.apns.host],
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert added.returncode == 0, added.stderr
    assert "org.example.added.voip" in added.stdout
    assert "days left" in added.stdout
    assert system.call(handset, **{"Token-App": app_id}).answer(5.0)["Push-Status"] == "registered"


def test_a_test_push_reaches_a_known_device(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    handset.register()
    until(lambda: f"device={handset.device_id}" in system.log("worker"))
    done = system.run("pusher", "push", handset.account_id, handset.device_id)
    assert "Accepted" in done.stdout
    assert len(handset.pushed_at) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PUSHER_CA_FILE", "empty.pem"),
        ("PUSHER_CA_FILE", "missing.pem"),
        ("PUSHER_BUS_URL", "x"),
        ("PUSHER_SECRET_KEY", "x"),
    ],
)
def test_a_worker_that_cannot_work_ends_with_one_line_instead_of_taking_pushes(system, variable, value, monkeypatch):
    (system.folder / "empty.pem").touch()
    monkeypatch.setitem(system.environment, variable, value)
    done = system.run("celery", "-A", "tasks.app", "worker", "-P", "threads", "-c", "2", check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"Error: {variable}")


def test_check_finds_everything_well(system):
    done = system.run("pusher", "check")
    assert [line for line in done.stdout.splitlines() if not line.startswith("ok ")] == []
    assert "canary: the listener answered a test request" in done.stdout
    apps = [line for line in done.stdout.splitlines() if " app " in line]
    assert len(apps) >= len(AppKind)
    assert all("verified live" in line for line in apps)
    assert done.stderr == ""


def test_a_broker_restart_between_two_calls_loses_neither(system, rabbitmq):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    assert system.call(handset).answer(5.0)
    consuming = system.log("listener").count(" INFO consuming ")
    rabbitmq.restart()
    until(lambda: system.log("listener").count(" INFO consuming ") >= consuming + 3, seconds=PATIENCE_S)
    until(lambda: system.proxy.consuming, seconds=PATIENCE_S)
    assert system.call(handset).answer(PATIENCE_S)["Push-Status"] == "registered"


def test_redis_away_pushes_go_out_and_answers_are_back_with_it(system, redis_server):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    redis_server.stop()
    try:
        system.call(handset)
        until(lambda: handset.pushed_at)
    finally:
        redis_server.start()
    until(lambda: (system.call(handset).answer(3.0) or {}).get("Push-Status") == "registered", seconds=PATIENCE_S)


@pytest.mark.parametrize("name", ["listener", "worker"])
def test_a_restart_under_load_loses_no_call(system, name):
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE, wake_delay_s=0.2) for _ in range(60)]
    calls = [system.call(handset) for handset in handsets[:30]]
    assert system.stop(name, signal.SIGTERM) == 0
    calls += [system.call(handset) for handset in handsets[30:]]
    if name == "listener":
        system.start_listener()
    else:
        system.start_worker()
    answers = [call.answer(PATIENCE_S) for call in calls]
    assert [answer and answer["Push-Status"] for answer in answers] == ["registered"] * 60
    assert [len(call.answers) for call in calls] == [1] * 60


def test_a_killed_worker_s_pushes_go_to_the_next_one(system):
    handsets = [system.stage.handset(AppKind.FIREBASE) for _ in range(40)]
    calls = [system.call(handset) for handset in handsets]
    system.stop("worker", signal.SIGKILL)
    system.start_worker()
    assert all(call.answer(PATIENCE_S)["Push-Status"] == "registered" for call in calls)
