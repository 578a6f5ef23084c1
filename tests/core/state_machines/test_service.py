"""Histories of one service: what comes in, what is to be done, where the service stands."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core import queries
from supervisor.model.command import DeleteService, Drain, RestartService, StartService, StopService
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.exit import SUCCESS, Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, ProbeEnded, Survivor
from supervisor.model.ids import ServiceId
from supervisor.model.phase import ServicePhase
from supervisor.model.record import LastProbe
from supervisor.model.states import Stopping
from tests.core.playbook import Playbook, service

STARTING, RUNNING, STOPPING = ServicePhase.STARTING, ServicePhase.RUNNING, ServicePhase.STOPPING
STOPPED, FAILED, DELETED = ServicePhase.STOPPED, ServicePhase.FAILED, ServicePhase.DELETED


class Web(Playbook):
    """A world with one service."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(service("web", **fields))

    @property
    def id(self) -> str:
        return self.service("web").id

    @property
    def phase(self) -> ServicePhase:
        return self.service("web").phase

    def start(self) -> list[str]:
        return self.do(StartService(ServiceId(self.id), self.stamp()))

    def restart(self) -> list[str]:
        return self.do(RestartService(ServiceId(self.id), self.stamp()))

    def stop(self) -> list[str]:
        return self.do(StopService(ServiceId(self.id)))


def running(**fields: Any) -> Web:
    web = Web(**fields)
    web.start()
    web.started("web")
    assert web.phase is RUNNING
    return web


def test_new_service_is_stopped_and_nothing_runs() -> None:
    web = Web()
    assert web.phase is STOPPED
    assert web.do() == []


def test_service_without_ready_command_is_running_as_soon_as_it_runs() -> None:
    web = Web()
    assert web.start() == ["spawn web"]
    assert web.phase is STARTING
    assert web.started("web") == []
    assert web.phase is RUNNING


def test_start_of_a_running_service_changes_nothing() -> None:
    web = running()
    assert web.start() == []
    assert web.outcome.changed == ()


def test_start_of_a_starting_service_changes_nothing() -> None:
    web = Web(ready="probe")
    web.start()
    assert web.start() == []


@pytest.mark.parametrize(
    ("end", "phase", "reason"),
    [
        (ExitCode(0), STOPPED, ""),
        (ExitCode(7), FAILED, "exited 7"),
        (ExitSignal(15), FAILED, "was killed by SIGTERM"),
        (ExitUnknown(), FAILED, "ended, exit status unknown"),
    ],
)
def test_service_that_ends_by_itself_keeps_its_verdict_and_is_not_restarted(
    end: Exit, phase: ServicePhase, reason: str
) -> None:
    web = running()
    assert web.exited("web", end) == []
    assert (web.phase, web.service("web").reason) == (phase, reason)
    assert web.after(3600) == []


def test_service_that_cannot_start_fails_with_the_reason() -> None:
    web = Web()
    web.start()
    web.exited("web", NotStarted("cannot run bash: no such file"))
    assert web.phase is FAILED
    assert web.service("web").reason == "could not start: cannot run bash: no such file"


def test_service_that_failed_starts_again_when_asked() -> None:
    web = running()
    web.exited("web", 1, tail="oh no\n")
    assert web.service("web").tail == "oh no\n"
    assert web.start() == ["spawn web"]
    web.started("web")
    assert web.phase is RUNNING
    assert (web.service("web").reason, web.service("web").tail) == ("", "")


def test_each_session_is_a_new_run_with_a_log_of_its_own() -> None:
    web = running()
    first = web.service("web").log_run
    web.exited("web")
    web.start()
    assert web.service("web").log_run not in (None, first)


# Probes


def test_ready_command_is_probed_until_a_probe_exits_0() -> None:
    web = Web(ready="probe")
    web.start()
    assert web.started("web") == ["spawn web.ready"]
    assert web.started("web") == [], "a supervisor that takes over is told of the start again"
    web.after(0.4)
    assert web.probed("web", 7) == [], "it said nothing, so the log says nothing of it"
    assert web.service("web").reason == "probe exited 7"
    assert web.world.deadline() is None
    assert web.ready("web") == []
    assert web.phase is RUNNING
    assert web.service("web").reason == ""
    assert web.after(60) == []


def test_probe_that_was_killed_because_it_took_too_long_says_so() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    assert web.after(60) == []
    web.probed("web", ExitSignal(9), "connecting\n", is_late=True)
    assert web.service("web").reason == "probe did not end within 10 s: connecting"


def test_last_probe_is_in_the_record_and_failed_ones_are_counted() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    run_id = web.runs["web.ready"]
    assert web.service("web").probed is None
    web.probed("web", 1, "no\n", took_s=0.5)
    web.mono_s += 30.0
    web.probed("web", 2, "no\n", count=30)
    at_s = web.mono_s + 1e9
    assert web.service("web").probed == LastProbe(run_id, ExitCode(2), "no\n", at_s, 0.0, 31)
    web.do(ProbeEnded(run_id, SUCCESS, "", "yes\n", 3), Exited(run_id, SUCCESS))
    assert web.service("web").probed == LastProbe(run_id, ExitCode(0), "yes\n", at_s, 0.0, 33)
    web.restart()
    web.exited("web")
    web.started("web")
    assert web.service("web").probed is None
    assert web.service("web").last_probe != run_id


def test_service_whose_probes_are_lost_is_stopped_and_fails() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    assert web.exited("web.ready", NotStarted("the supervisor met a bug")) == ["terminate web"]
    web.exited("web", ExitSignal(15))
    assert (web.phase, web.service("web").reason) == (
        FAILED,
        "not ready: the probe could not start: the supervisor met a bug",
    )


def test_last_words_of_a_probe_are_in_the_reason_and_in_the_log() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    said = "trying port 80\nconnection refused\n"
    assert web.probed("web", 1, said) == ["note web: trying port 80\nprobe exited 1: connection refused"]
    assert web.service("web").reason == "probe exited 1: connection refused"


def test_log_says_of_probes_what_is_new_and_not_every_second() -> None:
    web = Web(ready="probe", readiness_timeout_s=100.0)
    web.start()
    web.started("web")
    notes = []
    for second in range(200):
        if web.phase is not STARTING:
            break
        if web.service("web").probe:
            notes += web.probed("web", 1, "no\n" if second < 20 else f"no at {second}\n")
        notes += web.after(0.5)
    told = [word.partition(": ")[2] for word in notes if word.startswith("note")]
    assert len(told) == 5
    assert told[0] == "probe exited 1: no"
    state = web.service("web").state
    assert isinstance(state, Stopping)
    assert f"({told[-1]})" in state.failure


def test_service_that_is_never_ready_fails_with_the_last_probes_words() -> None:
    web = Web(ready="probe", readiness_timeout_s=3.0)
    web.start()
    web.started("web")
    web.probed("web", 1, "connection refused\n")
    web.mono_s += 3.0
    assert web.do() == ["kill web.ready", "terminate web"]
    web.exited("web.ready", ExitSignal(9))
    web.exited("web", ExitSignal(15), tail="bye\n")
    assert web.service("web").reason == "not ready after 3 s (probe exited 1: connection refused)"
    assert web.service("web").tail == "connection refused\n"


def test_probe_success_of_an_earlier_session_is_ignored() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    old = web.runs["web.ready"]
    web.restart()
    web.exited("web.ready", ExitSignal(9))
    web.exited("web")
    web.started("web")
    web.do(Exited(old, ExitCode(0)))
    assert web.phase is STARTING


def test_service_that_dies_while_it_is_probed_ends_when_the_probe_has_ended() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    assert web.exited("web", 3) == ["kill web.ready"]
    assert web.phase is STOPPING
    web.exited("web.ready", ExitSignal(9))
    assert (web.phase, web.service("web").reason) == (FAILED, "exited 3")


def test_readiness_timeout_stops_the_service_and_fails_it_with_the_last_probe() -> None:
    web = Web(ready="probe", readiness_timeout_s=3.0)
    web.start()
    web.started("web")
    web.probed("web", 7)
    web.mono_s += 3.0
    assert web.do() == ["note web: probe exited 7", "kill web.ready", "terminate web"]
    assert web.phase is STOPPING
    web.exited("web.ready", ExitSignal(9))
    web.exited("web", ExitSignal(15))
    assert (web.phase, web.service("web").reason) == (FAILED, "not ready after 3 s (probe exited 7)")


def test_ready_within_the_timeout_leaves_no_deadline_behind() -> None:
    web = Web(ready="probe", readiness_timeout_s=3.0)
    web.start()
    web.started("web")
    web.exited("web.ready")
    assert web.after(3600) == []
    assert web.phase is RUNNING


# Stopping


def test_stop_without_command_terminates_and_kills_after_two_minutes() -> None:
    web = running()
    assert web.stop() == ["terminate web"]
    assert web.phase is STOPPING
    assert web.after(119.9) == []
    assert web.after(0.1) == ["kill web"]
    assert web.after(600) == []
    web.exited("web", ExitSignal(9))
    assert web.phase is STOPPED


def test_stopped_service_is_stopped_whatever_its_exit_was() -> None:
    web = running()
    web.stop()
    web.exited("web", 1)
    assert (web.phase, web.service("web").reason) == (STOPPED, "")


def test_stop_of_a_stopped_service_changes_nothing() -> None:
    web = Web()
    assert web.stop() == []
    assert web.outcome.changed == ()


def test_stop_twice_terminates_once() -> None:
    web = running()
    web.stop()
    assert web.stop() == []


def test_stop_command_runs_in_place_of_sigterm_then_start_is_killed() -> None:
    web = running(stop="halt")
    assert web.stop() == ["spawn web.stop"]
    web.started("web.stop")
    assert web.exited("web.stop") == ["kill web"]
    web.exited("web", ExitSignal(9))
    assert web.phase is STOPPED


def test_stop_command_that_ends_start_itself_needs_no_kill() -> None:
    web = running(stop="halt")
    web.stop()
    assert web.exited("web") == []
    assert web.phase is STOPPING
    assert web.exited("web.stop") == []
    assert web.phase is STOPPED


def test_stop_command_that_fails_fails_the_service() -> None:
    web = running(stop="halt")
    web.stop()
    assert web.exited("web.stop", 3, tail="trying\ncannot halt\n") == [
        "note web: trying\nstop command exited 3: cannot halt",
        "kill web",
    ]
    web.exited("web", ExitSignal(9))
    assert (web.phase, web.service("web").reason) == (FAILED, "stop command exited 3: cannot halt")
    assert web.service("web").tail == "trying\ncannot halt\n"


def test_stop_command_that_fails_after_all_has_ended_is_noted_too() -> None:
    web = running(stop="halt")
    web.stop()
    web.exited("web")
    assert web.exited("web.stop", 3) == ["note web: stop command exited 3"]
    assert (web.phase, web.service("web").reason) == (FAILED, "stop command exited 3")


def test_stop_command_that_fails_before_a_restart_is_noted_in_the_log_of_the_run_before() -> None:
    web = running(stop="halt")
    web.restart()
    web.exited("web")
    assert web.exited("web.stop", 3, tail="no\n") == ["note web: stop command exited 3: no", "spawn web"]


def test_first_failure_counts_and_the_stop_command_s_is_noted() -> None:
    web = Web(ready="probe", stop="halt", readiness_timeout_s=5.0)
    web.start()
    web.started("web")
    web.probed("web", 1)
    web.after(5.0)
    web.probed("web", ExitSignal(9))
    web.exited("web.ready", ExitSignal(9))
    web.exited("web")
    assert web.exited("web.stop", 3) == ["note web: stop command exited 3"]
    assert web.service("web").reason == "not ready after 5 s (probe exited 1)"


def test_stop_command_that_hangs_is_killed_with_start_after_two_minutes() -> None:
    web = running(stop="halt")
    web.stop()
    assert web.after(120) == ["kill web", "kill web.stop"]
    web.exited("web", ExitSignal(9))
    web.exited("web.stop", ExitSignal(9))
    assert (web.phase, web.service("web").reason) == (
        FAILED,
        "stop command did not end in time and was killed",
    )


def test_stop_while_starting_stops_the_probe_too() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    assert web.stop() == ["kill web.ready", "terminate web"]
    web.exited("web.ready", ExitSignal(9))
    web.exited("web", ExitSignal(15))
    assert web.phase is STOPPED


def test_stop_before_the_process_is_known_to_run_terminates_it() -> None:
    web = Web()
    web.start()
    assert web.stop() == ["terminate web"]
    web.started("web")
    web.exited("web", ExitSignal(15))
    assert web.phase is STOPPED


def test_start_while_stopping_starts_again_after_the_end() -> None:
    web = running()
    web.stop()
    assert web.start() == []
    assert web.exited("web") == ["spawn web"]
    assert web.phase is STARTING


def test_restart_runs_a_new_session_after_the_old_has_ended() -> None:
    web = running()
    assert web.restart() == ["terminate web"]
    assert web.exited("web", ExitSignal(15)) == ["spawn web"]


def test_restart_of_a_stopped_service_starts_it() -> None:
    web = Web()
    assert web.restart() == ["spawn web"]


def test_processes_left_by_a_start_command_that_ended_are_terminated_then_killed() -> None:
    web = running()
    assert web.main_exited("web", 0) == ["terminate web"]
    assert web.phase is STOPPING
    assert web.after(120) == ["kill web"]
    web.exited("web", 0)
    assert (web.phase, web.service("web").reason) == (STOPPED, "")


def test_service_whose_main_process_failed_is_failed_although_others_outlived_it() -> None:
    web = running()
    web.main_exited("web", 4)
    web.exited("web", 4)
    assert (web.phase, web.service("web").reason) == (FAILED, "exited 4")


def test_processes_that_survive_sigkill_are_named() -> None:
    web = running()
    web.stop()
    web.exited("web", ExitSignal(9), survivors=(Survivor(41, "dd", "D"), Survivor(42, "cat", "D")))
    assert web.phase is FAILED
    assert (
        web.service("web").reason
        == "processes that SIGKILL does not end: 41 (dd, state D), 42 (cat, state D)"
    )


# Deleting


def test_delete_stops_then_publishes_deleted_once_and_forgets() -> None:
    web = running()
    assert web.do(DeleteService(ServiceId(web.id))) == ["terminate web"]
    web.exited("web")
    assert [record.phase for record in web.outcome.changed] == [DELETED]  # type: ignore[union-attr]
    assert [record.id for record in web.outcome.removed] == [web.outcome.changed[0].id]
    assert web.world.records.services == {}


def test_delete_of_a_stopped_service_is_immediate() -> None:
    web = Web()
    web.do(DeleteService(ServiceId(web.id)))
    assert web.world.records.services == {}


def test_forced_delete_kills_at_once_and_runs_no_stop_command() -> None:
    web = running(stop="halt")
    assert web.do(DeleteService(ServiceId(web.id), force=True)) == ["kill web"]
    web.exited("web", ExitSignal(9))
    assert web.world.records.services == {}


def test_forced_delete_while_stopping_kills_at_once() -> None:
    web = running()
    web.stop()
    assert web.do(DeleteService(ServiceId(web.id), force=True)) == ["kill web"]


def test_forced_delete_of_a_service_that_was_killed_kills_once_more() -> None:
    web = running()
    web.stop()
    assert web.after(120) == ["kill web"]
    assert web.do(DeleteService(ServiceId(web.id), force=True)) == ["kill web"]


def test_later_kill_deadline_does_not_put_off_an_earlier_one() -> None:
    web = running()
    web.stop()
    assert web.do(Drain(600.0)) == []
    assert web.after(120) == ["kill web"]


def test_commands_for_an_unknown_service_are_refused_by_name() -> None:
    with pytest.raises(NotFound, match='cannot find service "nobody"'):
        Web().do(StopService(ServiceId("nobody")))


# Output, drain, limits


def test_output_written_while_it_runs_is_published() -> None:
    web = running()
    web.wrote("web", PORT="8080")
    assert web.service("web").output == {"PORT": "8080"}
    web.exited("web", output={"PORT": "8080", "BYE": "1"})
    assert web.service("web").output == {"PORT": "8080", "BYE": "1"}


def test_new_session_begins_without_output() -> None:
    web = running()
    web.wrote("web", PORT="8080")
    web.exited("web")
    web.start()
    assert web.service("web").output == {}


def test_drain_stops_services_and_kills_at_its_deadline() -> None:
    web = running()
    assert web.do(Drain(30.0)) == ["terminate web"]
    assert web.after(29.9) == []
    assert web.after(0.1) == ["kill web"]
    web.exited("web", ExitSignal(9))
    assert queries.is_at_rest(web.world.records)


def test_second_drain_with_no_grace_kills_at_once() -> None:
    web = running(stop="halt")
    assert web.do(Drain(30.0)) == ["spawn web.stop"]
    assert web.do(Drain(0.0)) == ["kill web", "kill web.stop"]


def test_nothing_starts_while_draining() -> None:
    web = Web()
    web.do(Drain(30.0))
    with pytest.raises(Precondition, match="shutting down"):
        web.start()


def test_of_the_probes_of_two_sessions_the_newer_are_kept() -> None:
    web = Web(ready="probe")
    web.start()
    web.started("web")
    first = web.runs["web.ready"]
    web.ready("web")
    assert web.phase is RUNNING
    assert web.service("web").directories == (web.runs["web"], first)
    web.exited("web")
    web.start()
    assert web.discarded == []
    web.started("web")
    assert web.discarded == [first]


def test_of_stop_commands_the_newest_is_kept_and_takes_no_place_of_a_start() -> None:
    web = running(stop="halt")
    stops, starts = [], []
    for _ in range(21):
        starts.append(web.runs["web"])
        web.stop()
        stops.append(web.runs["web.stop"])
        web.exited("web")
        web.exited("web.stop")
        web.start()
        web.started("web")
    assert [run for run in web.discarded if run in stops] == stops[:-1]
    assert [run for run in web.discarded if run in starts] == starts[:2]


def test_deleted_service_keeps_no_directory() -> None:
    web = running(stop="halt")
    start = web.runs["web"]
    web.do(DeleteService(ServiceId(web.id)))
    web.exited("web")
    web.exited("web.stop")
    assert set(web.discarded) == {start, web.runs["web.stop"]}


def test_run_directories_beyond_the_twenty_newest_are_discarded() -> None:
    web = running()
    first = web.runs["web"]
    for _ in range(20):
        web.exited("web")
        web.start()
        web.started("web")
    assert web.discarded == [first]
