// Step kind `freeze-window`: nothing goes on to the merge while a freeze lasts, unless a person overrides it.
//
// A step is a pure function: the time is `input->run.now`, what it must remember goes into the state.
#include "support.h"

#define MINUTE 60000
#define WEEK_MINUTES (7 * 24 * 60)
// Windows that end where another begins are one freeze; so many in a row are followed.
#define CHAIN_MAX 64
// Bytes of the reason of an override that are kept.
#define REASON_MAX 300

static const char CONFIG_SCHEMA[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"windows\":{\"type\":\"array\",\"maxItems\":64,\"description\":\"Freezes by date, in UTC.\","
    "\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"from\",\"until\",\"reason\"],"
    "\"properties\":{"
    "\"from\":{\"type\":\"string\",\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z$\"},"
    "\"until\":{\"type\":\"string\",\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z$\"},"
    "\"reason\":{\"type\":\"string\",\"minLength\":1}}}},"
    "\"weekly\":{\"type\":\"array\",\"maxItems\":16,\"description\":\"Freezes that come every week.\","
    "\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"from\",\"until\",\"reason\"],"
    "\"properties\":{"
    "\"from\":{\"type\":\"string\",\"pattern\":\"^(mon|tue|wed|thu|fri|sat|sun) [0-2][0-9]:[0-5][0-9]$\"},"
    "\"until\":{\"type\":\"string\",\"pattern\":\"^(mon|tue|wed|thu|fri|sat|sun) [0-2][0-9]:[0-5][0-9]$\"},"
    "\"reason\":{\"type\":\"string\",\"minLength\":1}}}},"
    "\"utc_offset_minutes\":{\"type\":\"integer\",\"minimum\":-840,\"maximum\":840,"
    "\"description\":\"What the clocks that `weekly` means are ahead of UTC.\"}}}";

void exports_step_describe(step_descriptor_t *descriptor) {
  *descriptor = (step_descriptor_t){
      .kind = text_of("freeze-window"),
      .version = text_of("0.1.0"),
      .state_version = 1,
      .summary = text_of("Waits until no freeze lasts; a person may override it."),
      .config_schema = text_of(CONFIG_SCHEMA),
      .access = LOCKSTEP_STEP_TYPES_ACCESS_READ_ONLY,
  };
}

// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) year--;
  int64_t era = year / 400, year_of_era = year % 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static int64_t digits(text_t text, size_t from, size_t count) {
  int64_t number = 0;
  for (size_t at = from; at < from + count; at++) number = number * 10 + (text.ptr[at] - '0');
  return number;
}

// Minutes since 1970 of `2026-12-20T00:00Z`; the schema has seen to the shape.
static int64_t minute_of_date(text_t date) {
  int64_t days = days_of(digits(date, 0, 4), digits(date, 5, 2), digits(date, 8, 2));
  return (days * 24 + digits(date, 11, 2)) * 60 + digits(date, 14, 2);
}

// Minutes since Monday 00:00 of `fri 16:00`.
static int64_t minute_of_week(text_t moment) {
  const char *names = "montuewedthufrisatsun";
  int64_t day = 0;
  while (day < 6 && (names[day * 3] != moment.ptr[0] || names[day * 3 + 1] != moment.ptr[1])) day++;
  return (day * 24 + digits(moment, 4, 2)) * 60 + digits(moment, 7, 2);
}

static text_t member_text(text_t object, const char *name) {
  text_t value, string = {0};
  if (json_member(object, name, &value)) json_string(value, &string);
  return string;
}

// The minute the window ends that `minute` is in; `minute` itself if it is in none.
static int64_t end_of_window(text_t config, int64_t minute, text_t *reason) {
  text_t list, window;
  if (json_member(config, "windows", &list)) {
    for (size_t at = 0; json_element(list, &at, &window);) {
      int64_t from = minute_of_date(member_text(window, "from"));
      int64_t until = minute_of_date(member_text(window, "until"));
      if (from <= minute && minute < until) {
        *reason = member_text(window, "reason");
        return until;
      }
    }
  }
  if (json_member(config, "weekly", &list)) {
    text_t value;
    int64_t offset = 0;
    if (json_member(config, "utc_offset_minutes", &value)) json_integer(value, &offset);
    // 1970-01-01 was a Thursday.
    int64_t of_week = (minute + offset + 3 * 24 * 60) % WEEK_MINUTES;
    for (size_t at = 0; json_element(list, &at, &window);) {
      int64_t from = minute_of_week(member_text(window, "from"));
      int64_t length = (minute_of_week(member_text(window, "until")) - from + WEEK_MINUTES) % WEEK_MINUTES;
      int64_t into = (of_week - from + WEEK_MINUTES) % WEEK_MINUTES;
      if (into < length) {
        *reason = member_text(window, "reason");
        return minute + length - into;
      }
    }
  }
  return minute;
}

// The minute a freeze that lasts at `minute` ends, following windows that touch; the reason is that of the first.
static int64_t frozen_until(text_t config, int64_t minute, text_t *reason) {
  text_t later;
  int64_t until = end_of_window(config, minute, reason);
  if (until == minute) return minute;
  for (int chained = 0; chained < CHAIN_MAX; chained++) {
    int64_t next = end_of_window(config, until, &later);
    if (next == until) break;
    until = next;
  }
  return until;
}

// 2027-01-02 00:00 UTC
static void put_minute(writer_t *writer, int64_t minute) {
  int64_t days = minute / (24 * 60) + 719468;
  int64_t era = days / 146097, day_of_era = days % 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t from_march = (5 * day_of_year + 2) / 153;
  int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
  put_integer(writer, year_of_era + era * 400 + (month <= 2));
  put(writer, "-");
  put_two_digits(writer, (uint32_t)month);
  put(writer, "-");
  put_two_digits(writer, (uint32_t)(day_of_year - (153 * from_march + 2) / 5 + 1));
  put(writer, " ");
  put_two_digits(writer, (uint32_t)(minute / 60 % 24));
  put(writer, ":");
  put_two_digits(writer, (uint32_t)(minute % 60));
  put(writer, " UTC");
}

static step_option_string_t some(text_t text) { return (step_option_string_t){true, text}; }

static void complete(step_transition_t *transition, text_t output) {
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_COMPLETE;
  transition->next.val.complete = (lockstep_step_types_completion_t){.output = some(output)};
  transition->note = some(output);
}

static void refuse(step_transition_t *transition, lockstep_step_types_refusal_reason_t reason, const char *message) {
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_REFUSE;
  transition->next.val.refuse = (lockstep_step_types_refusal_t){reason, text_of(message)};
}

static text_t FROZEN_NOTICE[1];

// The card that says so has done its work.
static void settle_notice(step_transition_t *transition) {
  FROZEN_NOTICE[0] = text_of("merge_frozen");
  transition->settled_notices = (step_list_string_t){FROZEN_NOTICE, 1};
}

static void look(step_step_input_t *input, step_transition_t *transition) {
  text_t reason = {0};
  int64_t now = (int64_t)(input->run.now / MINUTE);
  int64_t until = frozen_until(input->step.config, now, &reason);
  bool was_announced = input->state.is_some && !text_is(input->state.val, "{}");
  if (until == now) {
    if (was_announced) settle_notice(transition);
    complete(transition, text_of(was_announced ? "the freeze has ended" : "no freeze"));
    return;
  }
  writer_t frozen = {0};
  put(&frozen, "frozen until ");
  put_minute(&frozen, until);
  put(&frozen, ": ");
  put_text(&frozen, reason);
  uint64_t ms = (uint64_t)until * MINUTE - input->run.now;
  transition->next.tag = LOCKSTEP_STEP_TYPES_NEXT_WAIT;
  transition->next.val.wait = (lockstep_step_types_waiting_t){ms, frozen.text};
  transition->note = some(frozen.text);
  transition->state = text_of("{\"announced\":true}");
  if (!was_announced) {
    writer_t body = {0};
    put(&body, "It goes on by itself. To override: lockstep runs act RUN override --step ");
    put_text(&body, input->step.name);
    put(&body, " reason=WHY");
    static lockstep_step_types_notice_t notice;
    notice = (lockstep_step_types_notice_t){
        .kind = text_of("merge_frozen"),
        .severity = LOCKSTEP_STEP_TYPES_SEVERITY_NORMAL,
        .title = frozen.text,
        .body = body.text,
    };
    transition->notices = (lockstep_step_types_list_notice_t){&notice, 1};
  }
}

// A person takes the responsibility: that is kept as a fact, and shown to later steps.
static void override(lockstep_step_types_action_t *action, step_transition_t *transition) {
  text_t reason = member_text(action->input, "reason");
  if (reason.len == 0) {
    refuse(transition, LOCKSTEP_STEP_TYPES_REFUSAL_REASON_INVALID, "an override needs a reason: override reason=WHY");
    return;
  }
  if (reason.len > REASON_MAX) {
    refuse(transition, LOCKSTEP_STEP_TYPES_REFUSAL_REASON_INVALID, "the reason is longer than 300 bytes: write less");
    return;
  }
  writer_t value = {0}, output = {0};
  put(&value, "{\"by\":");
  put_json_string(&value, action->by);
  put(&value, ",\"reason\":");
  put_json_string(&value, reason);
  put(&value, "}");
  static lockstep_step_types_new_fact_t fact;
  fact = (lockstep_step_types_new_fact_t){text_of("freeze_override"), value.text};
  transition->facts = (lockstep_step_types_list_new_fact_t){&fact, 1};
  settle_notice(transition);
  put(&output, "freeze overridden by ");
  put_text(&output, action->by);
  put(&output, ": ");
  put_text(&output, reason);
  complete(transition, output.text);
}

bool exports_step_advance(step_step_input_t *input, step_transition_t *transition, step_string_t *fault) {
  *transition = (step_transition_t){.state = input->state.is_some ? input->state.val : text_of("{}")};
  switch (input->event.tag) {
  case LOCKSTEP_STEP_TYPES_EVENT_STARTED:
  case LOCKSTEP_STEP_TYPES_EVENT_DUE:
    look(input, transition);
    return true;
  case LOCKSTEP_STEP_TYPES_EVENT_ACTED:
    if (text_is(input->event.val.acted.name, "override")) {
      override(&input->event.val.acted, transition);
    } else {
      refuse(transition, LOCKSTEP_STEP_TYPES_REFUSAL_REASON_CONFLICT, "the only action is `override reason=WHY`");
    }
    return true;
  default:
    *fault = text_of("a step that asks nobody and dispatches nothing was sent an answer");
    return false;
  }
}

bool exports_step_migrate(uint32_t from_version, step_string_t *state, step_string_t *migrated, step_string_t *fault) {
  (void)migrated;
  (void)from_version;
  (void)state;
  *fault = text_of("states of other versions cannot be read");
  return false;
}
