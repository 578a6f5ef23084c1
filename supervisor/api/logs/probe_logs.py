"""What the last probes of services printed: it is in their records, and in no file."""

from __future__ import annotations

from supervisor.core.records import Records
from supervisor.host.runs.log_file import HeldLog
from supervisor.model.ids import RunId, service_of_run


class ProbeLogs:
    """The logs of probes, by run id: `line_times.HeldLogs`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def held(self, run_id: str, path: str) -> HeldLog | None:
        """The log of a run whose log would be at `path`; None: it is in that file, if anywhere."""
        service = self._records.services.get(service_of_run(RunId(run_id)))
        if service is None or service.probed is None or service.probed.id != run_id:
            return None
        data = service.probed.output.encode("utf-8", "surrogateescape")
        return HeldLog(path, data, service.probed.ended_s)
