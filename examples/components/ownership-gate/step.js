// Step kind `ownership-gate`: what belongs to a team changes with the approval of one of its members.
//
// Who owns what is said in a file of the repository, a line for each pattern, the last that fits decides:
//
//     *              @shop
//     /billing/      @payments
//     *.sql          @data @payments
//
// A change of that file itself needs the team `keepers`, whatever it says: else a change could take what it wants.

import { changedFiles, readFile } from 'lockstep:step/workspace@0.2.0';

// Looks that may fail before the step gives up, and milliseconds between two.
const LOOKS_MAX = 10;
const LOOK_AGAIN = 30_000;
// Files of a team that are named to its members; nobody reads more.
const FILES_SHOWN = 20;

const DEFAULTS = { file: '.lockstep/OWNERS', keepers: 'keepers', team: '', members: {}, producers: [] };

const CONFIG_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    file: { type: 'string', minLength: 1, description: 'Path of the file that says who owns what.' },
    keepers: { type: 'string', minLength: 1, description: 'The team that approves changes of that file.' },
    team: { type: 'string', description: 'The team whose own files it changes without asking.' },
    members: {
      type: 'object',
      additionalProperties: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 },
      description: 'Who may approve for a team; a team without an entry is approved by anybody else than the starter.',
    },
    producers: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      description: 'Roles of the step that is sent back to work when a team declines; empty: the run fails.',
    },
  },
};

export function describe() {
  return {
    kind: 'ownership-gate',
    version: '0.1.0',
    stateVersion: 1,
    summary: 'Files of a team change with the approval of one of its members.',
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
  const config = { ...DEFAULTS, ...JSON.parse(input.step.config || '{}') };
  const state = { failed_looks: 0, touched: {}, approved: {}, ...JSON.parse(input.state ?? '{}') };
  const { tag, val } = input.event;
  switch (tag) {
    case 'started':
    case 'due':
      return look(config, { ...state, touched: {}, approved: {} });
    case 'acted':
      return act(config, state, val, input.run.initiator);
    default:
      throw `event ${tag} makes no sense while teams are asked`;
  }
}

export function migrate(fromVersion, _state) {
  throw `a state of version ${fromVersion} cannot be read`;
}

function look(config, state) {
  let files, owners;
  try {
    files = changedFiles().map((file) => file.path);
    const bytes = readFile(config.file);
    owners = bytes && rules(decode(bytes));
  } catch (error) {
    return unread(state, error.payload ?? error);
  }
  if (!owners) {
    return fail(state, 'agent', `${config.file} is not there: say in it who owns what, or set config.file`);
  }
  for (const file of files) {
    const teams = file === config.file ? [config.keepers] : ownersOf(owners, file);
    for (const team of teams) {
      if (team !== config.team) (state.touched[team] ??= []).push(file);
    }
  }
  return ask(state, `${count(files.length, 'file')} looked at`);
}

// Parks until every team whose files are touched has approved.
function ask(state, seen) {
  const waiting = Object.keys(state.touched).filter((team) => !(team in state.approved)).sort();
  const approvals = Object.keys(state.approved).sort().map((team) => `${team} by ${state.approved[team]}`);
  if (waiting.length === 0) {
    const output = approvals.length === 0 ? `${seen}, no files of other teams` : `approved for ${approvals.join(', ')}`;
    const facts = approvals.length === 0 ? [] : [{ name: 'ownership', value: JSON.stringify(state.approved) }];
    const completion = { output, onBehalfOf: [], approved: false };
    return { ...transition(state, { tag: 'complete', val: completion }, output), facts };
  }
  const lines = waiting.flatMap((team) => [`${team}:`, ...shown(state.touched[team])]);
  const question = {
    kind: 'decision',
    prompt: `Changes files of ${waiting.join(', ')}: a member approves or declines`,
    options: [],
    proposal: lines.join('\n'),
    actions: ['approve', 'decline'],
  };
  return transition(state, { tag: 'ask', val: question }, `${seen}, waits for ${waiting.join(', ')}`);
}

// A person approves for the teams they are a member of, or declines.
function act(config, state, action, starter) {
  const input = JSON.parse(action.input || '{}');
  const waiting = Object.keys(state.touched).filter((team) => !(team in state.approved));
  const mine = waiting.filter((team) => mayApprove(config, team, action.by, starter));
  const teams = input.team ? mine.filter((team) => team === input.team) : mine;
  if (teams.length === 0) {
    const who = input.team && waiting.includes(input.team) ? [input.team] : waiting;
    return refuse(state, 'conflict', `${action.by} cannot do that for ${who.join(', ')}: ${who.map((team) => membersOf(config, team)).join('; ')}`);
  }
  if (action.name === 'approve') {
    for (const team of teams) state.approved[team] = action.by;
    return ask(state, `${action.by} approves for ${teams.join(', ')}`);
  }
  if (action.name !== 'decline') {
    return refuse(state, 'conflict', `there is no action ${action.name}, only approve and decline`);
  }
  if (!input.reason) {
    return refuse(state, 'invalid', 'to decline needs a reason: decline reason=WHY');
  }
  const message = `${action.by} declines for ${teams.join(', ')}: ${input.reason}`;
  if (config.producers.length === 0) return fail(state, 'cancelled', message);
  return transition(state, { tag: 'rework', val: { producers: config.producers, feedback: message, comments: [] } }, message);
}

// Nobody approves what they started themselves, unless they are named as a member.
function mayApprove(config, team, who, starter) {
  return config.members[team]?.includes(who) ?? who !== starter;
}

function membersOf(config, team) {
  return config.members[team] ? `${team} has ${config.members[team].join(', ')}` : `for ${team}, anybody else than the starter`;
}

// Lines of the owners' file as [pattern, teams].
function rules(text) {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.filter((line) => line !== '').map((line) => {
    const [pattern, ...teams] = line.split(/\s+/);
    return [matcher(pattern), teams.map((team) => team.replace(/^@/, ''))];
  });
}

// As in .gitignore: a slash at the end means all below, one elsewhere ties it to the root, * stays within a folder.
function matcher(pattern) {
  const isTied = pattern.slice(0, -1).includes('/');
  const path = pattern.replace(/^\//, '').replace(/\/$/, '');
  const source = path
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (glob) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[glob]);
  const end = pattern.endsWith('/') ? '/' : '(?:/|$)';
  return new RegExp(`${isTied ? '^' : '(?:^|/)'}${source}${end}`);
}

function ownersOf(owners, file) {
  const rule = owners.findLast(([pattern]) => pattern.test(file));
  return rule ? rule[1] : [];
}

// UTF-8; there is no TextDecoder here.
function decode(bytes) {
  let escaped = '';
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return String.fromCharCode(...bytes);
  }
}

function shown(files) {
  const lines = files.slice(0, FILES_SHOWN).map((file) => `- ${file}`);
  return files.length > FILES_SHOWN ? [...lines, `- and ${files.length - FILES_SHOWN} more`] : lines;
}

function count(number, noun) {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}

// An observation had no answer.
function unread(state, error) {
  if (error.tag === 'not-configured') {
    return fail(state, 'agent', 'nothing tells which files the change has; give the run a repository');
  }
  if (error.tag !== 'failed') throw error;
  if (state.failed_looks >= LOOKS_MAX) {
    return fail(state, 'timeout', `the change could not be read ${LOOKS_MAX} times: ${error.val}`);
  }
  state.failed_looks += 1;
  return transition(state, { tag: 'wait', val: { ms: LOOK_AGAIN, reason: `the change cannot be read: ${error.val}` } });
}

function refuse(state, reason, message) {
  return transition(state, { tag: 'refuse', val: { reason, message } });
}

function fail(state, failureClass, message) {
  return transition(state, { tag: 'fail', val: { class: failureClass, message } }, message);
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
