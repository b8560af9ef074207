"""Apps are kept warm, and those whose connection does not hold are left alone ever longer."""

from collections.abc import Iterator

import pytest

from pusher.clock import Deadline
from pusher.errors import DocumentsUnavailable
from pusher.flows import keep_warm
from pusher.flows.keep_warm import KeepWarm
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName, TokenKey
from tests.support.until import until

KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key="key")
ONE = AppleApp(app_id="one", token_key=KEY)
TWO = AppleApp(app_id="two", token_key=KEY)
ANDROID = FirebaseApp(app_id="one", service_account={})


class Provider:
    """Notes who was warmed; what `begins` names has no connection yet."""

    def __init__(self) -> None:
        self.warmed: list[str] = []
        self.begins: set[str] = set()

    def warm(self, app: App, deadline: Deadline) -> bool:
        assert 0 < deadline.remaining_s() <= keep_warm.LOOK_LIMIT_S
        self.warmed.append(app.app_id)
        return app.app_id not in self.begins


class World:
    """A keeper whose time stands still until it is moved."""

    def __init__(self) -> None:
        self.apple, self.firebase = Provider(), Provider()
        self.apps: tuple[App, ...] = (ONE, TWO, ANDROID)
        self.away = False
        self.now = 1000.0
        self.keeper = KeepWarm(
            list_apps=self.list_apps,
            providers={ProviderName.APPLE: self.apple, ProviderName.FIREBASE: self.firebase},
            monotonic=lambda: self.now,
        )

    def list_apps(self) -> tuple[App, ...]:
        if self.away:
            raise DocumentsUnavailable("told to be away")
        return self.apps

    def looks(self, seconds: int) -> list[int]:
        """Look once a second, and return the seconds in which the first app was warmed."""
        found = []
        for second in range(seconds):
            before = len(self.apple.warmed)
            self.keeper.look()
            if "one" in self.apple.warmed[before:]:
                found.append(second)
            self.now += 1
        return found


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.keeper.stop()


def test_every_app_of_every_provider_is_warmed_at_each_look(world: World) -> None:
    for times in (1, 2):
        world.keeper.look()
        assert world.apple.warmed == ["one", "two"] * times
        assert world.firebase.warmed == ["one"] * times


def test_apps_that_are_disabled_or_have_no_credential_are_not_warmed(world: World) -> None:
    world.apps = (AppleApp(app_id="off", token_key=KEY, enabled=False), AppleApp(app_id="bare"), TWO)
    world.keeper.look()
    assert world.apple.warmed == ["two"]


def test_a_provider_whose_queue_is_served_elsewhere_is_left_alone(world: World) -> None:
    keeper = KeepWarm(list_apps=world.list_apps, providers={ProviderName.FIREBASE: world.firebase})
    keeper.look()
    assert (world.apple.warmed, world.firebase.warmed) == ([], ["one"])


def test_a_connection_that_does_not_hold_is_tried_ever_more_rarely(world: World) -> None:
    world.apple.begins = {"one"}
    assert world.looks(700) == [0, 5, 15, 35, 75, 155, 315, 615]
    # The others do not suffer.
    assert world.apple.warmed.count("two") == 700


def test_a_connection_that_holds_again_is_looked_after_as_before(world: World) -> None:
    world.apple.begins = {"one"}
    world.looks(20)
    world.apple.begins = set()
    assert world.looks(30) == list(range(15, 30))
    world.apple.begins = {"one"}
    assert world.looks(16) == [0, 5, 15]


def test_an_app_that_was_removed_and_comes_back_is_warmed_at_once(world: World) -> None:
    world.apple.begins = {"one"}
    world.keeper.look()
    world.apps = ()
    world.keeper.look()
    world.apps = (ONE,)
    world.keeper.look()
    assert world.apple.warmed.count("one") == 2


def test_nothing_is_warmed_while_the_settings_are_away_and_all_is_when_they_are_back(world: World) -> None:
    world.away = True
    world.keeper.look()
    assert world.apple.warmed == []
    world.away = False
    world.keeper.look()
    assert world.apple.warmed == ["one", "two"]


def test_more_apps_than_it_may_keep_are_left_to_their_first_push(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_warm, "MAX_APPS", 1)
    world.keeper.look()
    assert (world.apple.warmed, world.firebase.warmed) == (["one"], [])


def test_it_looks_at_once_and_again_until_it_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_warm, "INTERVAL_S", 0.01)
    world.keeper.start()
    until(lambda: len(world.apple.warmed) >= 4)
    world.keeper.stop()
    before = len(world.apple.warmed)
    assert not world.keeper._thread.is_alive()
    assert len(world.apple.warmed) == before
