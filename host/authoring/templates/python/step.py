"""Step kind `{{kind}}`: a large change needs a person's consent.

A step is a pure function of its input: what it must remember goes into `state`, and the time is `input.run.now`, in
milliseconds, which `time.time()` shows too. Every name is that of `wit/`, in Python's spelling.
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import workspace
from wit_world.imports.types import (
    Access, Completion, Descriptor, Event_Answered, Event_Due, Event_Started, Failure, FailureClass, Next_Ask,
    Next_Complete, Next_Fail, Next_Wait, ObserveError_NotConfigured, Question, QuestionKind, Transition, Waiting,
)

# Looks that may fail before the step gives up, and milliseconds between two.
LOOKS_MAX = 10
LOOK_AGAIN = 30_000

TAKE = "take it"
STOP = "stop"

CONFIG_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_lines": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1_000_000,
            "description": "Lines added and removed that need nobody's consent.",
        },
    },
}


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return Descriptor(
            kind="{{kind}}",
            version="0.1.0",
            state_version=1,
            summary="Asks a person before a large change goes on.",
            config_schema=json.dumps(CONFIG_SCHEMA),
            jobs=[],
            effects=[],
            access=Access.READ_ONLY,
            documents=[],
            grades=[],
            needs=[],
        )

    def advance(self, input):
        config = {"max_lines": 400} | json.loads(input.step.config or "{}")
        state = {"failed_looks": 0} | json.loads(input.state or "{}")
        match input.event:
            case Event_Started() | Event_Due():
                return look(config, state)
            case Event_Answered(answer) if answer.choice == TAKE:
                return complete(state, "a large change, taken by a person")
            case Event_Answered():
                return fail(state, FailureClass.CANCELLED, "a person did not take the large change")
            case other:
                # A fault of this component: it fails the run as `bad-output`.
                raise Err(f"event {type(other).__name__} makes no sense while a person is asked")

    def migrate(self, from_version, state):
        raise Err(f"a state of version {from_version} cannot be read")


def look(config, state):
    try:
        files = workspace.changed_files()
    except Err as error:
        return unread(state, error.value)
    lines = sum(file.lines_added + file.lines_removed for file in files)
    seen, most = f"{lines} lines in {len(files)} files", config["max_lines"]
    if lines <= most:
        return complete(state, seen, f"{seen}, at most {most}")
    prompt = f"The change has {seen}, more than {most} lines. Take it?"
    question = Question(QuestionKind.DECISION, prompt, options=[TAKE, STOP], proposal=None, actions=[])
    return transition(state, Next_Ask(question), f"{seen}, more than {most} lines")


def unread(state, error):
    """An observation had no answer."""
    if isinstance(error, ObserveError_NotConfigured):
        message = "nothing tells which files the change has; the pipeline needs a repository"
        return fail(state, FailureClass.AGENT, message)
    if state["failed_looks"] >= LOOKS_MAX:
        message = f"the change could not be read {LOOKS_MAX} times: {error.value}"
        return fail(state, FailureClass.TIMEOUT, message)
    state["failed_looks"] += 1
    return transition(state, Next_Wait(Waiting(LOOK_AGAIN, f"the change cannot be read: {error.value}")))


def complete(state, output, note=None):
    completion = Completion(output=output, artifact=None, item_status=None, on_behalf_of=[], approved=False)
    return transition(state, Next_Complete(completion), note)


def fail(state, failure_class, message):
    return transition(state, Next_Fail(Failure(failure_class, message, detail=None)))


def transition(state, next, note=None):
    return Transition(
        state=json.dumps(state),
        note=note,
        progress=None,
        facts=[],
        notices=[],
        settled_notices=[],
        documents=[],
        teardowns=[],
        next=next,
    )
