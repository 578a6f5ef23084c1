"""Break every rule of the core once and see a test fail: `make rules`, or `python tests/break_rules.py [WORD ...]`.

Not a test itself (it takes the better part of an hour): run it after changing a table. Each rule is one replacement in a copy of the tree;
a rule whose breaking no test notices is printed as SURVIVED, and the exit status is the number of those.
"""

# ruff: noqa: E501 (one rule a line, however long)

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 180.0
"""How long the tests may take with a broken rule; with none they take half a minute."""

RULES: list[tuple[str, str, str, str]] = [
    ("a session is run once", "state_machines/service", "return None if service.session == service.ran_session else", "return"),
    ("GONE at rest is DELETED", "state_machines/service", "E.WANTED_GONE: (steps.delete, (DELETED,))", "E.WANTED_GONE: IGNORED"),
    ("no ready command: RUNNING at once", "state_machines/probe", "if not state.session.spec.ready:", "if False:"),
    ("a probe that exits 0 makes RUNNING", "state_machines/service", "PROBE_SUCCEEDED if fact.exit == SUCCESS else", "PROBE_SUCCEEDED if False else"),
    ("another exit of a probe does not", "state_machines/service", "PROBE_SUCCEEDED if fact.exit == SUCCESS else", "PROBE_SUCCEEDED if True else"),
    ("a start that is told again begins no other probes", "state_machines/probe", "if state.probe is not None:", "if False:"),
    ("how a probe ended is kept", "state_machines/probe", "replace(steps.with_probe(service, fact, now), state=state)", "replace(service, state=state)"),
    ("probes of the session before are not shown", "state_machines/service_steps", "last_probe=run_id, probed=None)", "last_probe=run_id)"),
    ("who loses its probes is stopped", "state_machines/service", "E.PROBES_LOST: (probes.lose_probes, (STOPPING,))", "E.PROBES_LOST: IGNORED"),
    ("the log says how a probe ended", "state_machines/service", "PROBE_SAID if is_due(probes.note_at(state), now) else None", "PROBE_SAID if False else None"),
    ("the log does not say it every second", "state_machines/probe", "return 0.0 if report.noted_at is None else", "return 0.0 if True else"),
    ("who ends before it is ready says so", "state_machines/service_steps", '"exited 0 before it was ready" if _ended_unready(service, state) else ""', '""'),
    ("readiness deadline", "state_machines/service", "if is_due(state.ready_by, now):", "if False:"),
    ("exit 0 is STOPPED, another FAILED", "state_machines/service_steps", 'return "" if fact.exit == SUCCESS else exit_text(fact.exit)', 'return ""'),
    ("another session restarts", "state_machines/service", "    Running: {\n        E.WANTED_DOWN: (steps.stop, (STOPPING,)),\n        E.WANTED_GONE: (steps.stop, (STOPPING,)),\n        E.WANTED_ANEW: (steps.stop, (STOPPING,)),", "    Running: {\n        E.WANTED_DOWN: (steps.stop, (STOPPING,)),\n        E.WANTED_GONE: (steps.stop, (STOPPING,)),\n        E.WANTED_ANEW: IGNORED,"),
    ("not wanted UP stops", "state_machines/service", "return ServiceEvent.WANTED_DOWN", "return None"),
    ("stop command in place of SIGTERM", "state_machines/service_steps", "if not state.session.spec.stop:", "if True:"),
    ("KILL start when the stop command ended", "state_machines/service_steps", "if state.start_lives and state.kill_at is not None:", "if False:"),
    ("stop command that fails: FAILED", "state_machines/service_steps", "    if fact.exit == SUCCESS:\n        return \"\"\n    late", "    if True:\n        return \"\"\n    late"),
    ("the log says how a stop command failed", "state_machines/service_steps", "last_words(reason, fact.tail)),) if reason else ()", "last_words(reason, fact.tail)),) if False else ()"),
    ("kill deadline of 2 minutes", "state_machines/service_steps", "STOP_GRACE_S = 120.0", "STOP_GRACE_S = 60.0"),
    ("kill deadline kills", "state_machines/service", "return ServiceEvent.KILL_DUE if is_due(state.kill_at, now) else None", "return None"),
    ("STOPPING ends only when nothing lives", "state_machines/service_steps", "if state.start_lives or state.probe is not None or state.stop is not None:", "if state.start_lives:"),
    ("facts of old runs are ignored", "state_machines/service", "if run_id == service.probe and isinstance", "if isinstance"),
    ("force kills at once", "state_machines/service_steps", "    if is_due(kill_by, now):\n        return enter", "    if False:\n        return enter"),
    ("force kills at once what is being stopped", "state_machines/service_steps", "    if is_due(kill_by, now):\n        return kill", "    if False:\n        return kill"),
    ("of two kill deadlines the earlier counts", "state_machines/service_steps", "or state.kill_at <= kill_by", "or False"),
    ("the probe before is discarded", "state_machines/service_steps", "() if service.last_probe is None else (service.last_probe,)", "()"),
    ("the stop command's run before is discarded", "state_machines/service_steps", "() if service.last_stop is None else (service.last_stop,)", "()"),
    ("a probe is kept", "state_machines/service_steps", "service = replace(service, last_probe=run_id, probed=None)", "pass"),
    ("a deleted service leaves no directory", "records", "self.act(Discard(record.directories))", "self.act(Discard(record.kept_runs))"),
    ("what a service names is known after a crash", "recovery", "known.update(service.directories, service.live_runs)", "known.update(service.kept_runs, service.live_runs)"),
    ("run directories are discarded", "state_machines/service_steps", "(Discard(discarded),) if discarded else ()", "()"),
    ("groups run one after the other", "state_machines/execution", "if not execution.current.live and all(state.phase is SUCCEEDED for state in execution.current.values()):", "if True:"),
    ("a run that changed is looked at", "settle", "    records.touch_users(run.id)\n", ""),
    ("a service that changed is looked at", "settle", "    records.touch_users(service.id)\n", ""),
    ("what a step begins to use is looked at", "records", "        self.unobserved.setdefault(execution_id, {})[step.id] = step\n\n", "\n"),
    ("users are known after a restart", "records", "                self._uses.add(execution.id, step, used)\n", "                pass\n"),
    ("who follows is not looked at", "settle", "                break\n", "                pass\n"),
    ("a leader that is over lets go", "records", "            self.touch(self.leaders.ended(execution))\n", ""),
    ("what a leader has passed is taken over", "state_machines/execution", "passed = leader.passed.cut(groups)", "passed = execution.passed"),
    ("those that follow need what runs", "records", "chain(others, heirs)", "others"),
    ("a past run that is shown is kept", "records", "in (self.runs, self._uses, self._passed))", "in (self.runs, self._uses))"),
    ("a run that lives is kept", "records", "in (self.runs, self._uses, self._passed))", "in (self._uses, self._passed))"),
    ("a failed step fails the execution", "state_machines/step_outcome", "return replace(state, phase=FAILED, reason=exit_text(end.exit)", "return replace(state, phase=SUCCEEDED, reason=exit_text(end.exit)"),
    ("a failed step stops the others", "state_machines/execution", "return execution.stop_wanted or bool(execution.reason)", "return execution.stop_wanted"),
    ("stop wanted stops", "state_machines/execution", "return execution.stop_wanted or bool(execution.reason)", "return bool(execution.reason)"),
    ("the first failure is named", "state_machines/execution", "if failed is not None and not gives_up(execution):", "if failed is not None:"),
    ("service step waits for RUNNING", "state_machines/step_outcome", "case Running() if current:", "case _ if current:"),
    ("service that failed fails the step", "state_machines/step_outcome", "case AtRest(exit=end) if current:", "case AtRest(exit=end) if False:"),
    ("an old session's end does not", "state_machines/step_outcome", "current = service.session == service.ran_session", "current = True"),
    ("service that was stopped fails the step", "state_machines/step_outcome", "if service.want is Want.DOWN:", "if False:"),
    ("killed step fails a stopped execution", "state_machines/execution", "if phase is STOPPED and (killed", "if False and (killed"),
    ("a shared run goes on for the others", "state_machines/execution", "if run is None or run.id in view.shared:", "if run is None:"),
    ("an execution waits for what it stopped", "state_machines/execution", "if stopped or requests or execution.current.live:", "if stopped or requests:"),
    ("terminal executions ignore all", "state_machines/execution", "        E.PLAN_DONE: IGNORED", "        E.PLAN_DONE: (_admit, (RUNNING,))"),
    ("TERM, then KILL after 10 s", "state_machines/task_run", "STOP_GRACE_S = 10.0", "STOP_GRACE_S = 20.0"),
    ("the kill is noted", "state_machines/task_run", "killed = isinstance(state, RunStopping) and state.kill_at is None", "killed = False"),
    ("grace ends with the drain", "state_machines/task_run", "min(kill_at, kill_by)", "kill_at"),
    ("an ended run ignores facts", "state_machines/task_run", "        E.TREE_ENDED: IGNORED", "        E.TREE_ENDED: (_end, (ENDED,))"),
    ("SIGTERM, then SIGKILL after 10 s, to an operation", "state_machines/operation", "GRACE_S = 10.0", "GRACE_S = 20.0"),
    ("SIGKILL is sent to an operation", "state_machines/operation", "OperationEnding(state.why, None)), (Kill(operation.id),)", "OperationEnding(state.why, None)), ()"),
    ("a client's wish ends an operation", "state_machines/operation", "E.CANCELLED: (_cancel, (STOPPING,)),", "E.CANCELLED: IGNORED,"),
    ("the first reason to end an operation counts", "state_machines/operation", "        E.CANCELLED: IGNORED,\n        E.DRAINED: (_hurry", "        E.CANCELLED: (_cancel, (STOPPING,)),\n        E.DRAINED: (_hurry"),
    ("an operation's grace ends with the drain", "state_machines/operation", "min(now.mono_s + GRACE_S, kill_by)", "now.mono_s + GRACE_S"),
    ("a second drain hurries an operation", "state_machines/operation", "or state.kill_at <= kill_by", "or True"),
    ("an operation that had ended before it was asked to has ended by itself", "state_machines/operation", " and not fact.unasked", ""),
    ("how much an operation wrote is kept", "state_machines/operation", "why, fact.written, fact.lost)", "why)"),
    ("a long command is not kept", "state_machines/operation", "operation.command[:SHOWN_COMMAND_CHARACTERS]", "operation.command"),
    ("an operation ends once", "state_machines/operation", "        E.OVER: IGNORED,", "        E.OVER: (_end, (ENDED,)),"),
    ("what never began gets no line", "state_machines/operation", " if text and not isinstance(fact.exit, NotStarted) else ()", " if text else ()"),
    ("a limit ends an operation", "operations", "limit_at = now.mono_s + command.limit_s if command.limit_s else None", "limit_at = None"),
    ("an operation id is used once", "operations", "if command.operation_id in records.operation_runs:", "if False:"),
    ("no operation begins in a drain", "operations", "    if records.draining:\n        raise", "    if False:\n        raise"),
    ("no more than 256 operations run", "operations", "if len(records.live_operations) >= MOST_RUNNING:", "if False:"),
    ("an operation that never began is no result", "operations", "if not decided.uses_up_id:", "if False:"),
    ("results are not too many", "operations", "len(records.results) > KEPT_RESULTS or ", ""),
    ("results are not too large", "operations", " or records.results_bytes > KEPT_BYTES", ""),
    ("of a stream at most 128 MiB are kept", "operations", "min(size_bytes, KEPT_STREAM_BYTES)", "size_bytes"),
    ("results are not too old", "operations", "state.ended_s < before_s", "False"),
    ("a removed result leaves no directory", "operations", "    records.act(Discard((operation.id,)))\n", ""),
    ("results are in the order of their ends after a restart", "records", "            operations.sort(self)\n", "            pass\n"),
    ("a drain ends operations", "commands", "    if records.live_operations:\n", "    if False:\n"),
    ("services drain after operations", "records", "return not self.live and not self.live_operations", "return not self.live"),
    ("services drain once operations have ended", "operations", "if records.draining and records.is_idle:", "if False:"),
    ("an operation that never began is started", "operations", "Inherited(spawn, wanted=True)", "Inherited(spawn, wanted=False)"),
    ("an operation that is to end is not started", "operations", "Inherited(spawn, wanted=False", "Inherited(spawn, wanted=True"),
    ("SIGKILL is sent again to an operation", "operations", "ending=Kill(operation.id) if killed else", "ending="),
    ("SIGTERM is sent again to an operation", "operations", "if killed else Terminate(operation.id))", "if killed else None)"),
    ("results are known after a crash", "recovery", " | records.operations.keys()", ""),
    ("the limits of another boot mean nothing", "recovery", "    operations.lose_all(records)\n", ""),
    ("one run a task and firing", "settle", "derived(execution.firing, step.task_id)", "derived(execution.id, step.task_id)"),
    ("a stopped run is no result", "records", "return _is_stopped(run) if run is not None else", "return False if run is not None else"),
    ("what ran last forgets tasks that were deleted", "records", "isinstance(step, TaskStep) and step.task_id in self.tasks:", "isinstance(step, TaskStep):"),
    ("a run that is over for its firing is not shared", "records", "else run_id in self._uses or run_id in self._passed", "else False"),
    ("nothing starts while draining", "settle", "service.want is Want.GONE or records.draining", "service.want is Want.GONE"),
    ("a running service is left running", "settle", "    if service.want is Want.DOWN or (", "    if True or ("),
    ("services drain after executions", "settle", "records.drain_by is not None and records.is_idle and service", "records.drain_by is not None and service"),
    ("history is bounded", "settle", "KEPT_EXECUTIONS = 1000", "KEPT_EXECUTIONS = 2000"),
    ("a deleted task waits for its executions", "settle", "if not task.gone or any(id_ in records.live for id_ in mine):", "if not task.gone:"),
    ("runs end with their firing", "settle", "if not records.firing(execution):", "if False:"),
    ("who depends on it keeps it", "items/item_commands", "if id_ in task.depends_on)", "if False)"),
    ("an edit restarts what it changed", "items/file_commands", "if name in restarted else None", "if False else None"),
    ("removed items go", "items/file_commands", "for name in changes.removed:", "for name in ():"),
    ("a second drain hurries", "commands", "min(kill_at, records.drain_by)\n    for", "records.drain_by\n    for"),
    ("a reference names one item", "items/item_commands", "if reference in queries.items(records):", "if False:"),
    ("a spec changes only at rest", "items/item_commands", "and not service.at_rest", "and False"),
    ("dependencies of the API have no cycle", "items/item_commands", "    if cycle:", "    if False:"),
    ("only the spec restarts", "items/diff", "session.spec != item.spec", "service.item != item"),
    ("an API item stays", "items/diff", "(name not in wanted and record.source is Source.FILE)", "name not in wanted"),
    ("only what has another text is touched", "items/diff", "if before.get(name) != text}", "if True}"),
    ("a start runs what its file says", "items/diff", "environment is None or environment.file_awaited else", "environment is None else"),
    ("what a changed task needs comes back", "items/diff", "                    verdicts[name] = \"added\"\n", "                    pass\n"),
    ("an upsert removes nothing", "items/diff", "others if replace else ()", "others"),
    ("an upsert leaves items whose they were", "items/file_commands", "source=source or task.source", "source=source or Source.API"),
    ("no trigger starts the file of an earlier life", "plans/triggers", "    if queries.file_is_awaited(records):", "    if False:"),
    ("dependencies first", "plans/planner", "for layer in reversed(layers):", "for layer in layers:"),
    ("plans have the specs of now", "plans/planner", "task.item.spec)", "next(iter(self._tasks.values())).item.spec)"),
    ("manual fires nothing", "plans/triggers", "if trigger is Trigger.MANUAL:", "if False:"),
    ("stale runs of others are ignored", "records", "record = replace(record, born=record.born or self.revision, revision=self.revision)", "record = replace(record, born=record.born or self.revision)"),
    ("what never began is started", "recovery", "wanted = isinstance(state, Starting) and state.probe is None", "wanted = False"),
    ("a task's run that never began is started", "recovery", "Inherited(spawn_of(run), wanted=True)", "Inherited(spawn_of(run), wanted=False)"),
    ("what is to stop is not started", "recovery", "Inherited(spawn_of(run), wanted=False", "Inherited(spawn_of(run), wanted=True"),
    ("TERM is sent again", "recovery", "return Terminate(start)", "return None"),
    ("KILL is sent again", "recovery", "return Kill(start)", "return None"),
    ("probes that nobody waits for are killed again", "recovery", "None if wanted else Kill(probe)", "None"),
    ("a stop command that is late is killed again", "recovery", "Kill(stop) if killed else None", "None"),
    ("services are not wanted after a restart of the machine", "recovery", "else Want.DOWN", "else service.want"),
    ("a firing is obeyed once", "commands", "or id_ in records.executions:", "or False:"),
]  # fmt: skip


def _noticed(command: list[str], tree: Path) -> tuple[bool, str]:
    """Whether the tests notice what was broken, and the first that does."""
    try:
        done = subprocess.run(
            command, cwd=tree, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        # Two steps that undo each other: a test's own time limit only has hypothesis look for a smaller example.
        return True, "(the tests do not end)"
    failed = (line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR")))
    return done.returncode != 0, next(failed, "").rpartition("::")[2]


def main(words: list[str]) -> int:
    """Try every rule, or those with one of `words` in the name or as the module; print one line for each."""
    rules = [rule for rule in RULES if not words or any(word in rule[0] or word == rule[1] for word in words)]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("supervisor", "connect_server", "platform_wire", "tests"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        for rule, module, old, new in rules:
            path = tree / "supervisor" / "core" / f"{module}.py"
            text = path.read_text()
            if old not in text:
                print(f"NOT FOUND  {rule}: {old!r} is not in {module}.py")
                survived += 1
                continue
            path.write_text(text.replace(old, new, 1))
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                "--no-header",
                "tests/core",
            ]
            noticed, by = _noticed(command, tree)
            path.write_text(text)
            survived += not noticed
            print(f"{'caught' if noticed else 'SURVIVED':<9}  {rule:<44} {by}", flush=True)
    print(f"{len(rules)} rules broken, {survived} not noticed")
    return survived


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
