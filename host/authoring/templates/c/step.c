// Step kind `{{kind}}`: a large change needs a person's consent.
//
// A step is a pure function: no clock, no randomness, no files. What it must remember goes into `state`; the time is
// `input->run.now`. Names are those of `wit/` in capitals or with underscores; `build/step.h` has them all.
#include "support.h"

// Looks that may fail before the step gives up, and milliseconds between two.
#define LOOKS_MAX 10
#define LOOK_AGAIN 30000

#define MAX_LINES_DEFAULT 400

#define TAKE "take it"
#define STOP "stop"

static const char CONFIG_SCHEMA[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"max_lines\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000,"
    "\"description\":\"Lines added and removed that need nobody's consent.\"}}}";

void exports_step_describe(step_descriptor_t *descriptor) {
  *descriptor = (step_descriptor_t){
      .kind = text_of("{{kind}}"),
      .version = text_of("0.1.0"),
      .state_version = 1,
      .summary = text_of("Asks a person before a large change goes on."),
      .config_schema = text_of(CONFIG_SCHEMA),
      .access = LOCKSTEP_STEP_TYPES_ACCESS_READ_ONLY,
  };
}

// A member of a JSON object that is a whole number, or what it is where there is none.
static int64_t integer_or(text_t object, const char *name, int64_t otherwise) {
  text_t value;
  int64_t number;
  return json_member(object, name, &value) && json_integer(value, &number) ? number : otherwise;
}

static step_option_string_t some(text_t text) { return (step_option_string_t){true, text}; }

static void complete(step_transition_t *transition, text_t output) {
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_COMPLETE;
  transition->next.val.complete = (lockstep_step_types_completion_t){.output = some(output)};
}

static void fail(step_transition_t *transition, lockstep_step_types_failure_class_t failure, text_t message) {
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_FAIL;
  transition->next.val.fail = (lockstep_step_types_failure_t){.class_ = failure, .message = message};
}

// An observation had no answer.
static void unread(step_step_input_t *input, lockstep_step_workspace_observe_error_t error, step_transition_t *transition) {
  if (error.tag == LOCKSTEP_STEP_TYPES_OBSERVE_ERROR_NOT_CONFIGURED) {
    const char *message = "nothing tells which files the change has; the pipeline needs a repository";
    fail(transition, LOCKSTEP_STEP_TYPES_FAILURE_CLASS_AGENT, text_of(message));
    return;
  }
  int64_t looks = input->state.is_some ? integer_or(input->state.val, "failed_looks", 0) : 0;
  writer_t message = {0}, state = {0};
  if (looks >= LOOKS_MAX) {
    put(&message, "the change could not be read ");
    put_integer(&message, LOOKS_MAX);
    put(&message, " times: ");
    put_text(&message, error.val.failed);
    fail(transition, LOCKSTEP_STEP_TYPES_FAILURE_CLASS_TIMEOUT, message.text);
    return;
  }
  put(&message, "the change cannot be read: ");
  put_text(&message, error.val.failed);
  put(&state, "{\"failed_looks\":");
  put_integer(&state, looks + 1);
  put(&state, "}");
  transition->state = state.text;
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_WAIT;
  transition->next.val.wait = (lockstep_step_types_waiting_t){LOOK_AGAIN, message.text};
}

static void look(step_step_input_t *input, step_transition_t *transition) {
  lockstep_step_workspace_list_changed_file_t files;
  lockstep_step_workspace_observe_error_t error;
  if (!lockstep_step_workspace_changed_files(&files, &error)) {
    unread(input, error, transition);
    return;
  }
  int64_t lines = 0;
  for (size_t i = 0; i < files.len; i++) lines += (int64_t)files.ptr[i].lines_added + files.ptr[i].lines_removed;
  int64_t max = integer_or(input->step.config, "max_lines", MAX_LINES_DEFAULT);
  writer_t seen = {0}, note = {0}, prompt = {0};
  put_integer(&seen, lines);
  put(&seen, " lines in ");
  put_integer(&seen, (int64_t)files.len);
  put(&seen, " files");
  put_text(&note, seen.text);
  put(&note, lines <= max ? ", at most " : ", more than ");
  put_integer(&note, max);
  if (lines <= max) {
    complete(transition, seen.text);
  } else {
    put(&note, " lines");
    put(&prompt, "The change has ");
    put_text(&prompt, note.text);
    put(&prompt, ". Take it?");
    static text_t options[2];
    options[0] = text_of(TAKE);
    options[1] = text_of(STOP);
    transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_ASK;
    transition->next.val.ask = (lockstep_step_types_question_t){
        .kind = LOCKSTEP_STEP_TYPES_QUESTION_KIND_DECISION, .prompt = prompt.text, .options = {options, 2}};
  }
  transition->note = some(note.text);
}

// False, with `fault` set, is a fault of this component: it fails the run as `bad-output`.
bool exports_step_advance(step_step_input_t *input, step_transition_t *transition, step_string_t *fault) {
  *transition = (step_transition_t){.state = input->state.is_some ? input->state.val : text_of("{}")};
  switch (input->event.tag) {
  case LOCKSTEP_STEP_TYPES_EVENT_STARTED:
  case LOCKSTEP_STEP_TYPES_EVENT_DUE:
    look(input, transition);
    return true;
  case LOCKSTEP_STEP_TYPES_EVENT_ANSWERED:
    if (text_is(input->event.val.answered.choice, TAKE)) {
      complete(transition, text_of("a large change, taken by a person"));
    } else {
      const char *message = "a person did not take the large change";
      fail(transition, LOCKSTEP_STEP_TYPES_FAILURE_CLASS_CANCELLED, text_of(message));
    }
    return true;
  default:
    *fault = text_of("an event that makes no sense while a person is asked");
    return false;
  }
}

bool exports_step_migrate(uint32_t from_version, step_string_t *state, step_string_t *migrated, step_string_t *fault) {
  (void)from_version;
  (void)state;
  (void)migrated;
  *fault = text_of("states of other versions cannot be read");
  return false;
}
