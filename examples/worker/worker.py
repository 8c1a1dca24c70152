#!/usr/bin/env python3
"""A worker for Lockstep: leases jobs of a pool, runs a command for each in a worktree, and hands the outcome back.

    LOCKSTEP_URL=http://127.0.0.1:7420 LOCKSTEP_TOKEN_FILE=~/.local/share/lockstep/token \\
        ./worker.py --pool builders --folder /tmp/worker -- ./agent.sh

The command finds what a command of a job table finds: its context in $LOCKSTEP_CONTEXT and on standard input, and it may
write a result to $LOCKSTEP_RESULT and its progress to $LOCKSTEP_PROGRESS. What it leaves changed is committed, and brought
to the host as a git bundle, or pushed with --deliver push. PROTOCOL.md says what is spoken. Python 3.9 or newer, git, and
nothing else.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

# Longest pause between two tries while the host cannot be reached, in seconds.
PAUSE_MAX = 15.0
# Seconds a request may take: longer than a lease request waits.
REQUEST_TIME = 90.0
# Seconds between two sends of log and progress, and bytes sent at once.
SEND_EVERY = 1.0
LOG_BYTES = 64 * 1024
# Seconds a command has between being asked to end and being killed.
GRACE = 5.0


class Gone(Exception):
    """The job is no longer ours."""


class Refused(Exception):
    """The host does not take what was sent."""


class Host:
    """Requests to the host, made again while it is away."""

    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        self.secure = parts.scheme == "https"
        self.address = (parts.hostname, parts.port or (443 if self.secure else 80))
        self.prefix = parts.path.rstrip("/") + "/v1/workers"
        self.token = token

    def once(self, path, body, media="application/json"):
        """One request: its status and what was answered as JSON."""
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(*self.address, timeout=REQUEST_TIME)
        try:
            headers = {"Authorization": "Bearer " + self.token, "Content-Type": media}
            connection.request("POST", self.prefix + path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return 502, {"detail": "the host answered something that is not JSON"}
        finally:
            connection.close()

    def ask(self, path, body, media="application/json", patient=lambda: True):
        """A request, again and again while the host is away or busy and `patient()` says so."""
        if media == "application/json":
            body = json.dumps(body).encode()
        pause = 0.2
        while True:
            try:
                status, answer = self.once(path, body, media)
                detail = answer.get("detail", "")
            except (OSError, http.client.HTTPException) as error:
                status, detail = 503, str(error)
            if status == 200:
                return answer
            if status == 409 and answer.get("code") == "lease-lost":
                raise Gone(detail)
            if status not in (408, 429) and status < 500:
                raise Refused(f"{path}: {status}: {detail}")
            if not patient():
                raise Gone("the host is away")
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, PAUSE_MAX)


class Lease:
    """A job that is ours, with a thread that says so to the host and sends on what the command writes."""

    def __init__(self, host, job):
        self.host, self.job = host, job
        self.lease = job["lease"]
        self.lost = threading.Event()
        self.over = threading.Event()
        self.why = ""
        self.log = b""
        self.guard = threading.Lock()
        self.progress_file = None
        self.sent_progress = None
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def live(self):
        beat = 0.0
        while not self.over.wait(SEND_EVERY if beat else 0):
            try:
                if not self.send_on():
                    if time.monotonic() < beat:
                        continue
                    self.say("/heartbeat", {})
                # Whatever is said counts as a heartbeat.
                beat = time.monotonic() + self.job["heartbeat_s"]
            except (Gone, Refused) as error:
                self.lose(str(error))
                return

    def say(self, path, body):
        # The thread gives up at the end; what is said then waits for the host, however long it is away.
        in_thread = threading.current_thread() is self.thread
        patient = (lambda: not self.over.is_set()) if in_thread else (lambda: True)
        word = self.host.ask(path, {"lease": self.lease, **body}, patient=patient)
        if word.get("state") in ("stop", "evicted"):
            raise Gone(word.get("reason", word["state"]))
        return word

    def lose(self, why):
        if not self.over.is_set():
            self.why = why
            self.lost.set()

    def write(self, data):
        with self.guard:
            self.log += data

    def send_on(self):
        """Sends log and progress; whether there was any."""
        sent = False
        while True:
            with self.guard:
                part, self.log = self.log[:LOG_BYTES], self.log[LOG_BYTES:]
            if not part:
                break
            self.say("/logs", {"text": part.decode("utf-8", "replace")})
            sent = True
        try:
            with open(self.progress_file, encoding="utf-8") as file:
                progress = json.load(file)
        except (OSError, TypeError, ValueError):
            return sent
        if progress != self.sent_progress:
            self.sent_progress = progress
            try:
                self.say("/progress", {"progress": progress})
            except Refused as error:
                print(f"worker: the progress is not taken: {error}", file=sys.stderr)
            sent = True
        return sent

    def end(self):
        """Stops the heartbeats and sends the rest of the log; the answer follows."""
        self.over.set()
        self.thread.join()
        if self.lost.is_set():
            raise Gone(self.why)
        self.send_on()


def git(folder, *args, check=True):
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"git {args[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


class Repository:
    """A clone of the change's repository, and a worktree of it for one job."""

    def __init__(self, folder, job, source):
        self.job = job
        change = job["change"]
        self.source = source or change["repository"]
        self.clone = os.path.join(folder, "clones", "%08x.git" % (hash_of(self.source) & 0xFFFFFFFF))
        self.tree = os.path.join(folder, "jobs", job["key"].replace("/", "-"), "tree")
        if not os.path.isdir(self.clone):
            git(".", "clone", "--quiet", "--bare", "--no-tags", self.source, self.clone)
        refs = f"+refs/heads/{change['head_branch']}:refs/job/head"
        git(self.clone, "fetch", "--quiet", "--no-tags", self.source, refs)
        git(self.clone, "worktree", "prune")
        shutil.rmtree(self.tree, ignore_errors=True)
        git(self.clone, "worktree", "add", "--quiet", "--detach", "--force", self.tree, change["start_commit"])

    def commit(self):
        """The commit the work ends in; none if nothing was changed."""
        start = self.job["change"]["start_commit"]
        git(self.tree, "add", "--all")
        if git(self.tree, "status", "--porcelain"):
            title = f"{self.job['kind']}: {self.job['context']['title']}"
            message = f"{title}\n\nLockstep-Job: {self.job['key']}\n"
            who = ["-c", "user.name=Lockstep worker", "-c", "user.email=worker@localhost"]
            git(self.tree, *who, "commit", "--quiet", "--no-verify", "-m", message)
        head = git(self.tree, "rev-parse", "HEAD")
        return None if head == start else head

    def bundle(self, commit):
        path = self.tree + ".bundle"
        git(self.tree, "update-ref", "refs/job/out", commit)
        start = self.job["change"]["start_commit"]
        git(self.tree, "bundle", "create", "--quiet", path, "refs/job/out", "^" + start)
        with open(path, "rb") as file:
            return file.read()

    def push(self, commit):
        branch = self.job["change"]["push_branch"]
        git(self.tree, "push", "--quiet", "--force", self.source, f"{commit}:refs/heads/{branch}")

    def close(self):
        git(self.clone, "worktree", "remove", "--force", self.tree, check=False)
        shutil.rmtree(os.path.dirname(self.tree), ignore_errors=True)


def hash_of(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def end_group(process):
    """Asks a command with all it started to end, and then makes it."""
    for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(wait)
            return
        except subprocess.TimeoutExpired:
            continue


class Worker:
    def __init__(self, options, host):
        self.options, self.host = options, host
        self.stopping = threading.Event()

    def run(self):
        """Takes jobs until it is asked to end."""
        ask = {"worker": self.options.name, "pools": self.options.pool, "labels": self.options.label}
        ask["wait_s"] = self.options.wait
        taken = 0
        while not self.stopping.is_set() and taken != self.options.jobs:
            try:
                job = self.host.ask("/lease", ask, patient=lambda: not self.stopping.is_set())["job"]
            except Gone:
                return
            if job is not None:
                taken += 1
                self.carry_out(job)

    def carry_out(self, job):
        note = lambda text: print(f"worker: {job['key']}: {text}", file=sys.stderr, flush=True)
        note(f"begins ({job['kind']} of pool {job['pool']})")
        lease = Lease(self.host, job)
        repository = None
        try:
            repository = Repository(self.options.folder, job, self.options.repository)
            status, result = self.command(job, lease, repository)
            if status == "shutdown":
                lease.end()
                self.fail(lease, "evicted", f"worker {self.options.name} was shut down")
            elif status != 0:
                lease.end()
                self.fail(lease, "failed", f"{self.options.command[0]} ended with status {status}")
            else:
                self.deliver(job, lease, repository, result)
            note("is answered")
        except Gone as error:
            note(f"is no longer ours: {error}")
        except (Refused, RuntimeError, OSError, ValueError) as error:
            note(f"failed: {error}")
            try:
                lease.end()
                self.fail(lease, "failed", str(error))
            except (Gone, Refused) as error:
                note(str(error))
        finally:
            lease.over.set()
            if repository:
                repository.close()

    def fail(self, lease, kind, message):
        self.host.ask("/fail", {"lease": lease.lease, "class": kind, "message": message})

    def command(self, job, lease, repository):
        """Runs the command: its exit status, or `shutdown`, and the result it wrote."""
        folder = os.path.dirname(repository.tree)
        place = {name: os.path.join(folder, name + ".json") for name in ("context", "result", "progress")}
        with open(place["context"], "w", encoding="utf-8") as file:
            json.dump(job["context"], file, indent=2)
        lease.progress_file = place["progress"]
        run, step, _ = job["key"].split("/")
        environment = {key: os.environ[key] for key in os.environ if not key.startswith("LOCKSTEP_")}
        environment.update(job["env"])
        environment.update(
            LOCKSTEP_CONTEXT=place["context"], LOCKSTEP_RESULT=place["result"], LOCKSTEP_PROGRESS=place["progress"],
            LOCKSTEP_RUN=run, LOCKSTEP_STEP=step, LOCKSTEP_JOB_KIND=job["kind"], LOCKSTEP_KEY=job["key"],
        )  # fmt: skip
        with open(place["context"], "rb") as context:
            process = subprocess.Popen(
                self.options.command, cwd=repository.tree, env=environment, stdin=context,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        said = bytearray()
        pumps = [
            threading.Thread(target=pump, args=(process.stdout, lease, said), daemon=True),
            threading.Thread(target=pump, args=(process.stderr, lease, None), daemon=True),
        ]
        for thread in pumps:
            thread.start()
        while process.poll() is None and not lease.lost.is_set() and not self.stopping.is_set():
            time.sleep(0.05)
        end_group(process)
        for thread in pumps:
            thread.join(GRACE)
        if lease.lost.is_set():
            raise Gone(lease.why)
        if self.stopping.is_set() and process.returncode != 0:
            return "shutdown", None
        return process.returncode, self.result(place["result"], said)

    @staticmethod
    def result(path, said):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError:
            text = ""
        return text if text.strip() else json.dumps({"output": said.decode("utf-8", "replace").strip()})

    def deliver(self, job, lease, repository, result):
        commit = repository.commit() if job["access"] == "write" else None
        if commit and self.options.deliver == "push":
            repository.push(commit)
        elif commit:
            bundle = repository.bundle(commit)
            if len(bundle) > job["bundle_bytes_max"]:
                raise RuntimeError(f"the bundle has {len(bundle)} bytes, more than {job['bundle_bytes_max']}")
            query = "/bundle?" + urllib.parse.urlencode({"lease": lease.lease})
            self.host.ask(query, bundle, "application/x-git-bundle")
        lease.end()
        # The result goes as the command wrote it, to the byte.
        head = json.dumps({"lease": lease.lease, "commit": commit})[:-1]
        body = f'{head}, "result": {result}}}'.encode()
        self.host.ask("/complete", body, "application/json; charset=utf-8")


def pump(stream, lease, said):
    for part in iter(lambda: stream.read1(LOG_BYTES), b""):
        lease.write(part)
        if said is not None and len(said) < 256 * 1024:
            said += part


def main():
    parser = argparse.ArgumentParser(description="A worker for Lockstep; see PROTOCOL.md beside it.")
    parser.add_argument("--url", default=os.environ.get("LOCKSTEP_URL", "http://127.0.0.1:7420"))
    parser.add_argument("--token-file", default=os.environ.get("LOCKSTEP_TOKEN_FILE"), help="else $LOCKSTEP_TOKEN")
    parser.add_argument("--name", default=f"{socket.gethostname()}-{os.getpid()}", help="by which people know it")
    parser.add_argument("--pool", action="append", required=True, help="a pool to work for; may be given again")
    parser.add_argument("--label", action="append", default=[], help="what it is able to do; may be given again")
    parser.add_argument("--folder", default=os.path.expanduser("~/.cache/lockstep-worker"), help="for its clones; one for each worker")
    parser.add_argument("--repository", help="where this machine finds the repository, if not where the host does")
    parser.add_argument("--deliver", choices=["bundle", "push"], default="bundle", help="how commits are brought")
    parser.add_argument("--wait", type=int, default=20, help="seconds to wait for a job in one request")
    parser.add_argument("--jobs", type=int, default=-1, help="ends after so many")
    parser.add_argument("command", nargs="+", help="what carries out a job, after --")
    options = parser.parse_args()
    token = os.environ.get("LOCKSTEP_TOKEN", "")
    if options.token_file:
        with open(os.path.expanduser(options.token_file), encoding="utf-8") as file:
            token = file.read().strip()
    if not token:
        parser.error("no token: give --token-file or set LOCKSTEP_TOKEN")
    worker = Worker(options, Host(options.url, token))
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    signal.signal(signal.SIGINT, lambda *_: worker.stopping.set())
    os.makedirs(options.folder, exist_ok=True)
    try:
        worker.run()
    except Refused as error:
        sys.exit(f"worker: {error}")


if __name__ == "__main__":
    main()
