"""What a Prefect server does by itself: it says that a run is dead, and has cleaned up after it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from windtunnel.engines.prefect.tags import JANITOR_TAG, TAG

SILENCE = timedelta(seconds=90)
"""Three heartbeats: a run that is silent so long is dead."""
CANCEL_SECONDS = 15
"""How long a cancelled run may be heard of no more before somebody looks whether it ever began."""
_ALL_RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
_OURS_AND_JANITORS = ResourceSpecification(
    {"prefect.resource.role": "tag", "prefect.resource.id": [f"prefect.tag.{tag}" for tag in (TAG, JANITOR_TAG)]}
)
_OUR_RUNS = ResourceSpecification({"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"})


def silent_is_crashed() -> AutomationCore:
    """Return what says that a run of ours, or of a janitor, has crashed which is heard of no more.

    A janitor that went on for ever would hold up those after it.
    """
    return AutomationCore(
        name="windtunnel: a silent run has crashed",
        description=f"No heartbeat for {SILENCE.seconds} s: its worker or its machine is gone.",
        trigger=_silence_after({"heartbeat"}, SILENCE, _OURS_AND_JANITORS),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {SILENCE.seconds} s")],
    )


def pending_is_crashed(pool: str, seconds: int) -> AutomationCore:
    """Return what says that a run of a pool has crashed which its worker submitted so long ago, and did not start."""
    return AutomationCore(
        name=f"{pool}: a run that does not start has crashed",
        description="Prefect's worker waits for ever for a pod that cannot start.",
        trigger=_silence_after(
            {"Pending", "Submitting", "InfrastructurePending"}, timedelta(seconds=seconds), _runs_of(pool)
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"not started within {seconds} s: no worker made its pod, or the pod cannot start (no image,"
                " no room, a quota); the log says more",
            )
        ],
    )


def crashed_is_reaped(janitor: UUID, pool: str | None = None) -> AutomationCore:
    """Return what runs a janitor's deployment when a run of ours has crashed; only runs of one pool, if it is given."""
    cause = {"__prefect_kind": "jinja", "template": "{{ flow_run.name }}: {{ flow_run.state.message }}"}
    return AutomationCore(
        name=f"{pool or 'windtunnel'}: a crashed run is cleaned up",
        description="Runs the janitor.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match=_ALL_RUNS,
            match_related=[_OUR_RUNS, _runs_of(pool)] if pool else _OUR_RUNS,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=janitor, parameters={"cause": cause})],
    )


def cancelled_is_reaped(janitor: UUID, pool: str) -> AutomationCore:
    """Return what runs a janitor's deployment when a run of a pool is cancelled, and nobody says that it has ended.

    Prefect leaves a run whose pod cannot start Cancelling for five minutes.
    """
    return AutomationCore(
        name=f"{pool}: a cancelled run that did not begin is ended",
        description="Runs the janitor.",
        trigger=_silence_after({"Cancelling"}, timedelta(seconds=CANCEL_SECONDS), [_OUR_RUNS, _runs_of(pool)]),
        actions=[
            RunDeployment(
                source="selected", deployment_id=janitor, parameters={"cause": "a cancel that nobody has heeded"}
            )
        ],
    )


def apply_automation(client: SyncPrefectClient, automation: AutomationCore) -> None:
    """Make an automation, or renew the one of its name."""
    existing = client.read_automations_by_name(automation.name)
    if existing:
        client.update_automation(existing[0].id, automation)
    for more in existing[1:]:
        client.delete_automation(more.id)
    if not existing:
        client.create_automation(automation)


def _silence_after(
    events: set[str], within: timedelta, related: ResourceSpecification | list[ResourceSpecification]
) -> EventTrigger:
    """Return what is met when nothing is heard of a flow run for so long after one of some events."""
    return EventTrigger(
        after={f"prefect.flow-run.{name}" for name in events},
        expect={"prefect.flow-run.*"},
        match=_ALL_RUNS,
        match_related=related,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _runs_of(pool: str) -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.role": "work-pool", "prefect.resource.name": pool})
