"""The ledger reconciles after some seconds of calls and faults; `scripts/soak` goes on for as long as you like."""

from tests.soak.ledger import reconcile
from tests.soak.plan import Fault, Plan
from tests.soak.report import Summary
from tests.soak.world import running_world

#: A seed whose plan has servers, processes and providers struck within these seconds.
SEED, SECONDS = 6361, 14.0
STRUCK = {
    Fault.APPLE_AWAY,
    Fault.BROKER_RESTARTED,
    Fault.DOCUMENTS_AWAY,
    Fault.LISTENER_KILLED,
    Fault.REDIS_FLUSHED,
    Fault.WORKER_KILLED,
}


def test_every_push_is_accounted_for_while_workers_servers_and_providers_fail(
    tmp_path, rabbitmq, redis_server, couchdb_server
):
    for server in (rabbitmq, redis_server, couchdb_server):
        server.start()
    redis_server.flush()
    couchdb_server.reset()
    plan = Plan.of(SEED, SECONDS, fault_every_s=1.8)
    assert {strike.fault for strike in plan.strikes} >= STRUCK
    summary = Summary()
    with running_world(tmp_path, rabbitmq, redis_server, couchdb_server, window_s=4.0) as world:
        record = world.round(plan, print)
    summary.add(record, reconcile(record))
    assert len(record.faults) == len(plan.strikes)
    assert summary.counts["accepted"] > 50
    assert not summary.found, "\n".join(summary.lines())
