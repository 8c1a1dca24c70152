// Step kind `{{kind}}`: a large change needs a person's consent.
//
// A step is a pure function of its input: what it must remember goes into `state`, and the time is `input.run.now`, in
// milliseconds, which `Date` shows too. Every name is that of `wit/`, in camelCase.

import { changedFiles } from 'lockstep:step/workspace@{{contract}}';

// Looks that may fail before the step gives up, and milliseconds between two.
const LOOKS_MAX = 10;
const LOOK_AGAIN = 30_000;

const TAKE = 'take it';
const STOP = 'stop';

const CONFIG_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    max_lines: {
      type: 'integer',
      minimum: 0,
      maximum: 1_000_000,
      description: "Lines added and removed that need nobody's consent.",
    },
  },
};

export function describe() {
  return {
    kind: '{{kind}}',
    version: '0.1.0',
    stateVersion: 1,
    summary: 'Asks a person before a large change goes on.',
    configSchema: JSON.stringify(CONFIG_SCHEMA),
    jobs: [],
    effects: [],
    access: 'read-only',
    documents: [],
    grades: [],
    needs: [],
  };
}

export function advance(input) {
  const config = { max_lines: 400, ...JSON.parse(input.step.config || '{}') };
  const state = { failed_looks: 0, ...JSON.parse(input.state ?? '{}') };
  const { tag, val } = input.event;
  switch (tag) {
    case 'started':
    case 'due':
      return look(config, state);
    case 'answered':
      return val.choice === TAKE
        ? complete(state, 'a large change, taken by a person')
        : fail(state, 'cancelled', 'a person did not take the large change');
    default:
      // What is thrown is a fault of this component and fails the run as `bad-output`.
      throw `event ${tag} makes no sense while a person is asked`;
  }
}

export function migrate(fromVersion, _state) {
  throw `a state of version ${fromVersion} cannot be read`;
}

function look(config, state) {
  let files;
  try {
    files = changedFiles();
  } catch (error) {
    return unread(state, error.payload ?? error);
  }
  const lines = files.reduce((sum, file) => sum + file.linesAdded + file.linesRemoved, 0);
  const seen = `${lines} lines in ${files.length} files`;
  if (lines <= config.max_lines) {
    return complete(state, seen, `${seen}, at most ${config.max_lines}`);
  }
  const question = {
    kind: 'decision',
    prompt: `The change has ${seen}, more than ${config.max_lines} lines. Take it?`,
    options: [TAKE, STOP],
    actions: [],
  };
  return transition(state, { tag: 'ask', val: question }, `${seen}, more than ${config.max_lines} lines`);
}

// An observation had no answer.
function unread(state, error) {
  if (error.tag === 'not-configured') {
    return fail(state, 'agent', 'nothing tells which files the change has; the pipeline needs a repository');
  }
  if (state.failed_looks >= LOOKS_MAX) {
    return fail(state, 'timeout', `the change could not be read ${LOOKS_MAX} times: ${error.val}`);
  }
  state.failed_looks += 1;
  return transition(state, { tag: 'wait', val: { ms: LOOK_AGAIN, reason: `the change cannot be read: ${error.val}` } });
}

function complete(state, output, note) {
  return transition(state, { tag: 'complete', val: { output, onBehalfOf: [], approved: false } }, note);
}

function fail(state, failureClass, message) {
  return transition(state, { tag: 'fail', val: { class: failureClass, message } });
}

function transition(state, next, note) {
  return {
    state: JSON.stringify(state),
    note,
    facts: [],
    notices: [],
    settledNotices: [],
    documents: [],
    teardowns: [],
    next,
  };
}
