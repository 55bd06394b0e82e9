"""A venue's double as a process, what a client sent to it, and the table of what was validated."""

import json
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# Longest run, in seconds.
LIMIT = 300
# Headers whose presence says something of the client's wire; the others are the HTTP library's business.
TELLING = ("apca-", "api-", "authorization", "content-type")


class Double:
    """Starts `mts venue NAME` on a free port, with more arguments; the control channel drives it."""

    def __init__(self, mts, venue, *more):
        self.process = subprocess.Popen([mts, "venue", venue, *more], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            # Also where the venue has a plain socket, the control channel is at the same address.
            if line.startswith("# control = "):
                self.rest = line.split('"')[1]
                break
        else:
            raise SystemExit(f"{mts} venue {venue} ended without an address")
        facts = self.get("")
        self.endpoints, self.secrets = facts["endpoints"], facts["credentials"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.rest}/_mts/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def get(self, path):
        return self.ask("GET", path)

    def act(self, act):
        return self.ask("POST", "act", act)

    def quote(self, symbol, bid, ask):
        quote = {"symbol": symbol, "bid": bid, "ask": ask, "venue": "sdk", "timestamp": "2026-01-02T15:00:00Z"}
        return self.ask("POST", "quotes", quote)

    def heard(self):
        """What clients have sent since this was asked last."""
        return self.ask("DELETE", "heard")

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def until(what, check, seconds=10):
    """Waits for something to be true, and gives it back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come to pass")


def is_id(part):
    """Whether a part of a path is a UUID, or stands for one in a capture."""
    return len(part) == 36 and part.count("-") == 4 or "-" in part and not part.strip("0123456789-")


def shape(request, ids):
    """What of a request does not differ from one run to the next; `ids` are names of fields that do."""
    target = urllib.parse.urlsplit(request["target"])
    path = "/".join("ID" if is_id(part) else part for part in target.path.split("/"))
    query = sorted((key, "ID" if key in ids else value) for key, value in urllib.parse.parse_qsl(target.query))
    try:
        body = json.loads(request["body"]) if request["body"] else None
    except ValueError:
        # A form, in any order.
        body = dict(urllib.parse.parse_qsl(request["body"])) or request["body"]
    if isinstance(body, dict):
        body = {key: "ID" if key in ids else value for key, value in body.items()}
    names = sorted(name.lower() for name, _ in request["headers"] if name.lower().startswith(TELLING))
    return {"method": request["method"], "path": path, "query": query, "body": body, "headers": names}


class Table:
    """Which message was validated by a client, by a capture of what that client sends elsewhere, or by nobody."""

    def __init__(self, venue, captures, ids):
        self.venue, self.ids, self.rows, self.failures = venue, ids, {}, []
        folder = pathlib.Path(captures) if captures else None
        self.folder = folder if folder and folder.is_dir() else None
        if self.folder is None:
            print(f"SKIPPED: comparing with captures: there is no folder {captures}")

    def client(self, message, who):
        """A client has taken this message of the double, or the double has taken the client's."""
        self.rows.setdefault(message, (set(), set()))[0].add(who)

    def capture(self, message, name, sent, values=True):
        """Compares what a client sent with the capture of the same call; without values the names in the bodies alone."""
        if self.folder is None:
            return
        file = self.folder / f"{self.venue}_{name}.json"
        if not file.is_file():
            self.failures.append(f"{message}: there is no capture {file.name}")
            return
        wanted = json.loads(file.read_text())["requests"]
        streams = [row["frames"] for row in wanted if "frames" in row]
        if streams:
            # The last one: a client may open a public stream before.
            frames = [frame for frame in streams[-1] if frame["dir"].startswith("client")]
            wanted, got = [keys(json.loads(frame["text"]), self.ids) for frame in frames], [keys(json.loads(text), self.ids) for text in sent]
        else:
            wanted, got = [shape(row, self.ids) for row in wanted], [shape(row, self.ids) for row in sent]
            if not values:
                for row in wanted + got:
                    row["body"] = names(row["body"])
        if got == wanted:
            self.rows.setdefault(message, (set(), set()))[1].add(file.stem)
        else:
            self.failures.append(f"{message}: the client sent\n  {got}\nand {file.name} has\n  {wanted}")

    def case(self, message, who, run):
        """Runs one case; a failure is noted, and the next one runs all the same."""
        try:
            result = run()
        except Exception as error:  # whatever the client makes of it
            self.failures.append(f"{message} ({who}): {type(error).__name__}: {str(error)[:500]}")
            return None
        self.client(message, who)
        return result

    def finish(self, messages):
        """Prints the table and the failures; the exit code."""
        width = max(map(len, [*messages, *self.rows]))
        print(f"\n{self.venue + ': message':<{width + 2}}validated by")
        for message in messages + sorted(set(self.rows) - set(messages)):
            clients, captures = self.rows.get(message, (set(), set()))
            by = [", ".join(sorted(clients))] if clients else []
            by += [f"{len(captures)} capture" + "s" * (len(captures) > 1)] if captures else []
            print(f"{message:<{width + 2}}{'; '.join(by) or 'nobody'}")
        for failure in self.failures:
            print(f"FAILED: {failure}")
        total = len(self.rows)
        print(f"{total} of {len(set(messages) | set(self.rows))} messages validated, {len(self.failures)} failures")
        return 1 if self.failures else 0


def keys(value, ids):
    """The names in a message, without what stands behind them."""
    if isinstance(value, dict):
        return {key: "ID" if key in ids else keys(inner, ids) for key, inner in sorted(value.items())}
    return value if isinstance(value, list) else "…"


def names(value):
    """The names and kinds in a body, for calls whose numbers depend on the market."""
    if isinstance(value, dict):
        return {key: names(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [names(inner) for inner in value]
    return type(value).__name__


def arguments():
    """The program, and where the captures are."""
    if len(sys.argv) not in (2, 3):
        raise SystemExit(f"usage: {sys.argv[0]} MTS [CAPTURES]")
    # A client that waits for ever ends the run.
    signal.alarm(LIMIT)
    return sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None
