"""Step kind `coverage-gate`: a change does not lower the coverage of its tests by more than is allowed.

The coverage is read from a report in the head commit, which whoever runs the tests leaves there. What it is compared
with is, in this order: what this step saw on the same item before (document `coverage`), a fact `coverage_baseline`
that an earlier step left, a file in the head commit that the change itself must not touch.
"""

import json
import re

import wit_world
from componentize_py_types import Err
from wit_world.imports import workspace
from wit_world.imports.types import (
    Access, Completion, Descriptor, Event_Answered, Event_Due, Event_Started, Failure, FailureClass, NewDocument,
    NewFact, Next_Ask, Next_Complete, Next_Fail, Next_Rework, Next_Wait, ObserveError_NotConfigured, Question,
    QuestionKind, ReworkRequest, Transition, Waiting,
)

# Looks that may fail before the step gives up, and milliseconds between two.
LOOKS_MAX = 10
LOOK_AGAIN = 30_000

TAKE = "take it"
STOP = "stop"

DEFAULTS = {
    "report": "coverage.json",
    "baseline": "",
    "max_drop": 0.5,
    "minimum": 0,
    "on_drop": "ask",
    "producers": [],
}

CONFIG_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "report": {
            "type": "string",
            "minLength": 1,
            "description": "Path of the report: coverage.py's or Istanbul's JSON, Cobertura's XML, or lcov.",
        },
        "baseline": {
            "type": "string",
            "description": "Path of a file with a percentage to compare with where nothing else is known.",
        },
        "max_drop": {
            "type": "number", "minimum": 0, "maximum": 100,
            "description": "Percentage points the coverage may fall.",
        },
        "minimum": {
            "type": "number", "minimum": 0, "maximum": 100,
            "description": "Percentage below which no change goes on without a person's consent.",
        },
        "on_drop": {
            "enum": ["ask", "fail", "rework"],
            "description": "What happens when it falls further: a person is asked, the run fails, a producer works on.",
        },
        "producers": {
            "type": "array", "items": {"type": "string", "minLength": 1},
            "description": "Roles of the step that works on.",
        },
    },
}


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return Descriptor(
            kind="coverage-gate",
            version="0.1.0",
            state_version=1,
            summary="The coverage of the tests does not fall by more than is allowed.",
            config_schema=json.dumps(CONFIG_SCHEMA),
            jobs=[],
            effects=[],
            access=Access.READ_ONLY,
            documents=["coverage"],
            grades=[],
            needs=[],
        )

    def advance(self, input):
        config = DEFAULTS | json.loads(input.step.config or "{}")
        state = {"failed_looks": 0, "percent": None} | json.loads(input.state or "{}")
        match input.event:
            case Event_Started() | Event_Due():
                return look(config, state, input.run)
            case Event_Answered(answer) if answer.choice == TAKE:
                return accept(state, input.run, state["percent"], f"{shown(state['percent'])}, taken by a person")
            case Event_Answered():
                return fail(state, FailureClass.CANCELLED, f"a person did not take {shown(state['percent'])}")
            case other:
                raise Err(f"event {type(other).__name__} makes no sense while a person is asked")

    def migrate(self, from_version, state):
        raise Err(f"a state of version {from_version} cannot be read")


def look(config, state, run):
    try:
        report = workspace.read_file(config["report"])
        before, whence = baseline(config, run)
    except Err as error:
        return unread(state, error.value)
    if report is None:
        message = f"{config['report']} is not in the head commit: leave the report there, or set config.report"
        return fail(state, FailureClass.AGENT, message)
    percent = read_percent(report.decode("utf-8", "replace"))
    if percent is None:
        return fail(state, FailureClass.AGENT, f"{config['report']} is no report of coverage that this step knows")
    state["percent"] = percent
    against = f"{shown(percent)}, {shown(before)} {whence}" if before is not None else f"{shown(percent)}, the first seen"
    if before is not None and before - percent > config["max_drop"]:
        return drop(config, state, f"{against}: falls by more than {config['max_drop']:g} points")
    if percent < config["minimum"]:
        return drop(config, state, f"{against}: below the minimum of {config['minimum']:g} %")
    return accept(state, run, percent, against)


def baseline(config, run):
    """The percentage to compare with and where it is from; None if there is none."""
    for document in run.documents:
        if document.name == "coverage":
            return json.loads(document.value).get("percent"), "on this item before"
    for fact in run.facts:
        if fact.name == "coverage_baseline":
            return float(json.loads(fact.value)), f"by step {fact.step}"
    if not config["baseline"]:
        return None, ""
    file = workspace.read_file(config["baseline"])
    if file is None:
        return None, ""
    # A change that moves the bar has nothing to be measured by.
    if any(changed.path == config["baseline"] for changed in workspace.changed_files()):
        return 100.0, f"assumed, because the change touches {config['baseline']}"
    return read_percent(file.decode("utf-8", "replace")), f"in {config['baseline']}"


def read_percent(text):
    """Lines covered, in percent, of a report in one of the formats in use; None for anything else."""
    text = text.strip()
    try:
        value = json.loads(text)
    except ValueError:
        return of_xml(text) if text.startswith("<") else of_lcov(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return in_percent(value)
    try:
        # coverage.py, then Istanbul
        totals = value.get("totals")
        return in_percent(totals["percent_covered"] if totals else value["total"]["lines"]["pct"])
    except (AttributeError, KeyError, TypeError):
        return None


def of_xml(text):
    rate = re.search(r"<coverage\b[^>]*\bline-rate=\"([0-9.]+)\"", text)
    return in_percent(float(rate[1]) * 100) if rate else None


def of_lcov(text):
    found = sum(int(lines) for lines in re.findall(r"^LF:([0-9]+)$", text, re.MULTILINE))
    hit = sum(int(lines) for lines in re.findall(r"^LH:([0-9]+)$", text, re.MULTILINE))
    return in_percent(100 * hit / found) if found else None


def in_percent(value):
    return round(float(value), 2) if isinstance(value, (int, float)) and 0 <= value <= 100 else None


def shown(percent):
    return f"{percent:g} %"


def drop(config, state, what):
    if config["on_drop"] == "fail":
        return fail(state, FailureClass.AGENT, what)
    if config["on_drop"] == "rework" and config["producers"]:
        feedback = f"The tests cover too little: {what}. Test what the change adds."
        return transition(state, Next_Rework(ReworkRequest(config["producers"], feedback, comments=[])), note=what)
    prompt = f"The coverage is {what}. Take the change?"
    question = Question(QuestionKind.DECISION, prompt, options=[TAKE, STOP], proposal=None, actions=[])
    return transition(state, Next_Ask(question), note=what)


def accept(state, run, percent, output):
    """Keeps what was seen for the next run of the item."""
    value = json.dumps({"percent": percent, "commit": run.change.head_commit})
    completion = Completion(output=output, artifact=None, item_status=None, on_behalf_of=[], approved=False)
    return transition(
        state,
        Next_Complete(completion),
        note=output,
        facts=[NewFact("coverage", value)],
        documents=[NewDocument("coverage", value, stands_in=None)],
    )


def unread(state, error):
    """An observation had no answer."""
    if isinstance(error, ObserveError_NotConfigured):
        return fail(state, FailureClass.AGENT, "nothing tells what the change holds; give the run a repository")
    if state["failed_looks"] >= LOOKS_MAX:
        message = f"the change could not be read {LOOKS_MAX} times: {error.value}"
        return fail(state, FailureClass.TIMEOUT, message)
    state["failed_looks"] += 1
    return transition(state, Next_Wait(Waiting(LOOK_AGAIN, f"the change cannot be read: {error.value}")))


def fail(state, failure_class, message):
    return transition(state, Next_Fail(Failure(failure_class, message, detail=None)), note=message)


def transition(state, next, note=None, facts=(), documents=()):
    return Transition(
        state=json.dumps(state),
        note=note,
        progress=None,
        facts=list(facts),
        notices=[],
        settled_notices=[],
        documents=list(documents),
        teardowns=[],
        next=next,
    )
