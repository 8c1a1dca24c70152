// Texts and JSON, as little as a step needs. `step.h` is what the bindings of `wit/` are called.
#pragma once
#include "step.h"

// A text of the contract: bytes and how many, no zero at its end.
typedef step_string_t text_t;

text_t text_of(const char *literal);
bool text_is(text_t text, const char *literal);

// JSON is read in place: a value is the text of it, as the host wrote it.
// The member of an object; false if there is none.
bool json_member(text_t object, const char *name, text_t *value);
// The next element of an array; `*at` is 0 at first.
bool json_element(text_t array, size_t *at, text_t *value);
// A string without its quotes and escapes; false if it is none.
bool json_string(text_t value, text_t *string);
// A whole number; false if it is none.
bool json_integer(text_t value, int64_t *number);

// A text that grows.
typedef struct {
  text_t text;
  size_t capacity;
} writer_t;

void put(writer_t *writer, const char *literal);
void put_text(writer_t *writer, text_t text);
void put_integer(writer_t *writer, int64_t number);
// Decimal digits, at least two: 07.
void put_two_digits(writer_t *writer, uint32_t number);
// With quotes and escapes.
void put_json_string(writer_t *writer, text_t text);
