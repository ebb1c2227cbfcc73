"""A launcher in a process of its own, whose children do what a test says."""

import json
import os
import subprocess
import sys
import textwrap

import psutil

from tests.support.servers import wait_until

TIMEOUT_S = 60
SLOTS = ("gpu0@host", "gpu1@host")
BACKOFF = {"restart_backoff_s": 0.05}

LAUNCHER = """
import json, logging, os, sys
logging.basicConfig(format="%(message)s")
from blox_worker.device.slots import Slot
from blox_worker.processes.launcher import launch
from blox_worker.settings import WorkerSettings

def stopped(slot, reason):
    # A thread a slot: `print` would write the end of the line by itself, behind another thread's text.
    os.write(1, f"given up {slot.name}: {reason}\\n".encode())
    ON_STOPPED

child, names, settings = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
stays = settings.pop("stays", False)
slots = [Slot(name=name, device="cpu", environment={"SLOT": name}) for name in names]
command = lambda slot, lifeline: [sys.executable, child, slot.name, str(lifeline)] UNLESS
settings = WorkerSettings(**settings)
code = launch(slots, command, settings=settings, on_stopped=stopped, stays=stays)
print("launched", flush=True)
sys.stdout.flush()
os._exit(code)  # whatever `on_stopped` still does
"""

CHILD = """
import os, signal, sys, threading
from pathlib import Path
from blox_worker.processes.lifeline import USELESS, Lifeline
from blox_worker.processes.stop import stop_requests

name, lifeline = sys.argv[1], Lifeline(int(sys.argv[2]))
folder = Path(__file__).parent

def note(what):
    with (folder / "events").open("a") as events:
        events.write(f"{name} {what} {os.getpid()}\\n")

def starts():
    lines = (folder / "events").read_text().splitlines()
    return sum(line.startswith(f"{name} started") for line in lines)

def wait_for_stop():
    with stop_requests(launched=True) as stop:
        lifeline.on_parent_death(stop.set)
        note("ready")
        stop.wait()
        note("stopping")

note("started")
BEHAVIOUR
"""


class Launched:
    """A launcher in a process of its own, and what its children do, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def start(self, behaviour, *, slots=SLOTS, on_stopped="", unless="", **settings):
        """Start a launcher whose children behave as this code says."""
        child = self.folder / "child.py"
        child.write_text(CHILD.replace("BEHAVIOUR", textwrap.dedent(behaviour)))
        launcher = LAUNCHER.replace("ON_STOPPED", on_stopped).replace("UNLESS", unless)
        (self.folder / "launcher.py").write_text(launcher)
        self.process = subprocess.Popen(
            [
                *(sys.executable, self.folder / "launcher.py", child),
                *(json.dumps(slots), json.dumps(BACKOFF | settings)),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def events(self, what=None):
        """Return `(slot, what, pid)` of what children have noted so far."""
        file = self.folder / "events"
        lines = file.read_text().splitlines() if file.exists() else []
        events = [(slot, event, int(pid)) for slot, event, pid in map(str.split, lines)]
        return [event for event in events if what in (None, event[1])]

    def wait_for(self, what, times):
        """Wait until children have noted something so many times."""
        wait_until(lambda: len(self.events(what)) >= times, f"{times} x {what}", TIMEOUT_S)

    def pids(self):
        """Return the process of each child that is alive."""
        return [process.pid for process in psutil.Process(self.process.pid).children()]

    def ended(self):
        """Wait for the launcher's end; return its exit code and what it printed and logged."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err
