"""A Slurm that fits in a test: sbatch, squeue, scancel, scontrol and srun in a folder, and the controller behind them.

It does what the executors rely on: arrays with a limit on their size and on tasks at a time, a limit on queued tasks,
a signal before time is up, SIGKILL when it is, requeue, and the loss of a node (all its processes killed, its task
queued again).
"""

import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "srun")
CLIENT = """#!{python} -IS
import json, os, socket, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "srun":
    options = [word for word in words if word.startswith("--")]
    output = words[words.index("--output") + 1]
    names = {{"%A": os.environ.get("SLURM_ARRAY_JOB_ID", ""), "%a": os.environ.get("SLURM_ARRAY_TASK_ID", "")}}
    names |= {{"%j": os.environ["SLURM_JOB_ID"], "%t": "0"}}
    for mark, value in names.items():
        output = output.replace(mark, value)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1), os.dup2(log, 2)
    step = os.environ["FAKE_SLURM_STEP"]
    with open(step + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(step + ".new", step)
    command = words[words.index("--output") + 2:]
    os.execvp(command[0], command)
with socket.socket(socket.AF_UNIX) as link:
    link.connect({socket!r})
    link.sendall(json.dumps([name, words, os.getcwd()]).encode() + b"\\n")
    out, err, code = json.loads(link.makefile().read())
sys.stdout.write(out), sys.stderr.write(err)
sys.exit(code)
"""


@dataclass
class Job:
    """One task of an array, or a job alone."""

    array: int
    index: int | None
    script: Path
    options: dict[str, str]
    state: str = "PENDING"
    restarts: int = 0
    process: subprocess.Popen | None = None
    started: float = 0.0
    signalled: bool = False
    requeue: bool = False
    history: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.array) if self.index is None else f"{self.array}_{self.index}"


class FakeSlurm:
    """The controller: `slots` tasks run at a time; `max_array` and `max_queued` limit what sbatch takes."""

    def __init__(
        self,
        folder: Path,
        slots: int,
        *,
        max_array: int = 1001,
        max_queued: int = 100_000,
    ) -> None:
        self.folder, self.slots = folder, slots
        self.max_array, self.max_queued = max_array, max_queued
        self.jobs: list[Job] = []
        self.refusals: list[str] = []
        self.peak = 0
        self.lock = threading.RLock()
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.closing = False

    def __enter__(self) -> "FakeSlurm":
        place = f"/tmp/fake-slurm-{os.getpid()}-{id(self):x}.sock"  # the path of a socket must be short
        for name in COMMANDS:
            (self.bin / name).write_text(CLIENT.format(python=sys.executable, socket=place))
            (self.bin / name).chmod(0o755)
        controller = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                name, words, cwd = json.loads(self.rfile.readline())
                with controller.lock:
                    answer = getattr(controller, name)(words, Path(cwd))
                self.wfile.write(json.dumps(answer).encode())

        self.server = socketserver.ThreadingUnixStreamServer(place, Handler)
        self.place = Path(place)
        self.threads = [threading.Thread(target=self.server.serve_forever), threading.Thread(target=self._schedule)]
        for thread in self.threads:
            thread.start()
        self.path_before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.bin}:{self.path_before}"
        return self

    def __exit__(self, *_: object) -> None:
        os.environ["PATH"] = self.path_before
        self.closing = True
        self.server.shutdown()
        for thread in self.threads:
            thread.join()
        self.server.server_close()
        self.place.unlink(missing_ok=True)
        for job in self.jobs:
            self._kill(job, signal.SIGKILL)

    def sbatch(self, words: list[str], cwd: Path) -> tuple[str, str, int]:
        script = cwd / words[-1]
        options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script.read_text(), re.MULTILINE))
        indices: list[int | None] = [None]
        if array := options.get("array"):
            first, last = map(int, array.split("%")[0].split("-"))
            if last >= self.max_array:
                return self._refuse("Batch job submission failed: Invalid job array specification")
            indices = list(range(first, last + 1))
        if self._queued_now() + len(indices) > self.max_queued:
            return self._refuse("QOSMaxSubmitJobPerUserLimit")
        number = 1 + max((job.array for job in self.jobs), default=100)
        copied = self.folder / f"{number}.sh"  # Slurm keeps its own copy of a script
        copied.write_text(script.read_text())
        self.jobs += [Job(number, index, copied, options) for index in indices]
        return f"Submitted batch job {number}\n", "", 0

    def squeue(self, words: list[str], cwd: Path) -> tuple[str, str, int]:
        alive = [job for job in self.jobs if job.state in ("PENDING", "RUNNING")]
        return "".join(f"{job.id}|{job.options['job-name']}\n" for job in alive), "", 0

    def scancel(self, words: list[str], cwd: Path) -> tuple[str, str, int]:
        for job in self._named(words[-1]):
            job.state = "CANCELLED"
            self._kill(job, signal.SIGKILL)
        return "", "", 0

    def scontrol(self, words: list[str], cwd: Path) -> tuple[str, str, int]:
        assert words[0] == "requeue", words
        for job in self._named(words[1]):
            job.requeue = True
        return "", "", 0

    def lose_node(self, job: Job) -> None:
        """Kill all processes of a running task, as a node that goes down; Slurm queues it again."""
        with self.lock:
            job.requeue = True
            self._kill(job, signal.SIGKILL)

    def run_out(self, job: Job) -> None:
        """Let the time of a running task be up but for what `--signal` announces it before."""
        with self.lock:
            before = int(job.options["signal"].partition("@")[2])
            job.started = time.monotonic() - (60 * int(job.options["time"]) - before)

    def running(self) -> list[Job]:
        """Tasks at work."""
        with self.lock:
            return [job for job in self.jobs if job.state == "RUNNING"]

    def _queued_now(self) -> int:
        return sum(job.state in ("PENDING", "RUNNING") for job in self.jobs)

    def _refuse(self, why: str) -> tuple[str, str, int]:
        self.refusals.append(why)
        return "", f"sbatch: error: {why}\n", 1

    def _named(self, name: str) -> list[Job]:
        return [job for job in self.jobs if name in (job.id, str(job.array)) and job.state in ("PENDING", "RUNNING")]

    def _schedule(self) -> None:
        while not self.closing:
            with self.lock:
                for job in [job for job in self.jobs if job.state == "RUNNING"]:
                    self._attend(job)
                self._start_pending()
            time.sleep(0.02)

    def _start_pending(self) -> None:
        running = [job for job in self.jobs if job.state == "RUNNING"]
        for job in [job for job in self.jobs if job.state == "PENDING"]:
            limit = int(job.options.get("array", "0%1000000").split("%")[1])
            if len(running) < self.slots and sum(other.array == job.array for other in running) < limit:
                self._start(job)
                running.append(job)
        self.peak = max(self.peak, len(running))

    def _start(self, job: Job) -> None:
        step = self.folder / f"{job.id}.pid"
        step.unlink(missing_ok=True)
        told = {"SLURM_JOB_ID": str(10_000 * job.array + (job.index or 0)), "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
        if job.index is not None:
            told |= {"SLURM_ARRAY_JOB_ID": str(job.array), "SLURM_ARRAY_TASK_ID": str(job.index)}
        else:
            told["SLURM_JOB_ID"] = str(job.array)
        told |= {"SLURM_RESTART_COUNT": str(job.restarts), "FAKE_SLURM_STEP": str(step)}
        job.process = subprocess.Popen(
            ["bash", str(job.script)],
            env=os.environ | told,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{job.id}.err").open("a"),
        )
        job.state, job.started, job.signalled, job.requeue = "RUNNING", time.monotonic(), False, False
        job.history.append("RUNNING")

    def _attend(self, job: Job) -> None:
        """Signal, kill, requeue or end a running task."""
        assert job.process is not None
        name, _, before = job.options["signal"].partition("@")
        limit, ran = int(job.options["time"]) * 60, time.monotonic() - job.started
        step = self.folder / f"{job.id}.pid"
        if job.process.poll() is not None:
            again = job.requeue and "requeue" in job.options
            job.state = "PENDING" if again else "COMPLETED" if job.process.returncode == 0 else "FAILED"
            job.restarts += again
            job.history.append("REQUEUED" if again else job.state)
        elif ran > limit:
            self._kill(job, signal.SIGKILL)
            job.state = "TIMEOUT"
            job.history.append(job.state)
        elif ran > limit - int(before) and not job.signalled and step.exists():
            job.signalled = True
            job.history.append("SIGNALLED")
            os.kill(int(step.read_text()), getattr(signal, f"SIG{name}"))

    def _kill(self, job: Job, number: int) -> None:
        if job.process is not None and job.process.poll() is None:
            os.killpg(job.process.pid, number)
            job.process.wait()
