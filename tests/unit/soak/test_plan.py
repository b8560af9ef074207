"""The plan of a soak: a function of the seed."""

from collections import Counter

from tests.soak.plan import BEHAVIOURS, LASTS, PHONES, Do, Fault, Plan


def test_the_same_seed_makes_the_same_plan_and_another_seed_another():
    assert Plan.of(7, 60.0) == Plan.of(7, 60.0)
    assert Plan.of(7, 60.0) != Plan.of(8, 60.0)
    assert Plan.of(7, 60.0) != Plan.of(7, 60.0, round_number=1)


def test_every_kind_of_fault_strikes_before_any_strikes_often():
    struck = Counter(strike.fault for strike in Plan.of(1, 180.0).strikes)
    assert set(struck) == set(Fault)
    assert max(struck.values()) - min(struck.values()) <= 2


def test_nothing_is_struck_again_before_it_had_time_to_recover():
    for seed in range(20):
        free_at: dict[str, float] = {}
        for strike in Plan.of(seed, 120.0).strikes:
            target = LASTS[strike.fault][0]
            assert strike.at >= free_at.get(target, 0.0)
            free_at[target] = strike.at + strike.lasts_s


def test_a_plan_holds_every_kind_of_step_and_of_behaviour_and_ends_in_time():
    plan = Plan.of(3, 180.0)
    assert {step.do for step in plan.steps} == set(Do)
    assert {step.behaviour for step in plan.steps} == {None, *BEHAVIOURS}
    assert {step.phone for step in plan.steps} == set(range(PHONES))
    assert all(0.0 < step.at < 180.0 for step in plan.steps)
    assert all(strike.at + strike.lasts_s <= 180.0 for strike in plan.strikes)
