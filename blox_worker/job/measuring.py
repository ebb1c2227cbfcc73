"""A measurement as a job: the latency of one architecture on the device of its run."""

from __future__ import annotations

from blox_core.errors import MeasurementStopped
from blox_core.latency import LatencyProtocol
from blox_store.errors import DeviceDiffers
from blox_worker.device.gpus import CPU
from blox_worker.job.attempt import Attempt
from blox_worker.job.outcome import Ending, JobOutcome


class MeasuringAttempt(Attempt):
    """An attempt at measuring the latency of an architecture, from the beginning: it is short."""

    def _run_to_end(self) -> JobOutcome:
        from blox_core.latency.measuring import measure  # torch
        from blox_core.latency.this_device import device_identity

        if self._is_to_stop():
            return self._stopped()
        protocol = self.run.protocol
        self._check_place(protocol)
        identity = device_identity(protocol).to_dict()
        self._patiently(lambda: self.store.measurements.check_device(self.run, identity))
        try:
            measurement = measure(self.lease.arch_index, protocol, should_stop=self._is_to_stop)
        except MeasurementStopped:
            return self._stopped()
        self._patiently(
            lambda: self.store.measurements.complete(
                self.run, self.lease, measurement, identity=identity
            )
        )
        return self._ended(Ending.COMPLETED, result=measurement)

    def _check_place(self, protocol: LatencyProtocol) -> None:
        """Raise DeviceDiffers if this worker is of a CPU and the run of a GPU, or the other way."""
        if protocol.on_cuda == (self.worker.device == CPU):
            raise DeviceDiffers(
                f"{self.run}: it is measured on a {'GPU' if protocol.on_cuda else 'CPU'}, and worker "
                f"{self.worker.name} is not there; start it by --gpus "
                f"{'all or a number' if protocol.on_cuda else CPU}"
            )
