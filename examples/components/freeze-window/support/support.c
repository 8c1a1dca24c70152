#include "support.h"
#include <stdlib.h>
#include <string.h>

text_t text_of(const char *literal) { return (text_t){(uint8_t *)literal, strlen(literal)}; }

bool text_is(text_t text, const char *literal) {
  return text.len == strlen(literal) && memcmp(text.ptr, literal, text.len) == 0;
}

// 0 behind the end, which no JSON has.
static uint8_t byte_at(text_t json, size_t at) { return at < json.len ? json.ptr[at] : 0; }

static size_t skip_space(text_t json, size_t at) {
  for (uint8_t c = byte_at(json, at); c == ' ' || c == '\n' || c == '\t' || c == '\r'; c = byte_at(json, at)) at++;
  return at;
}

static size_t skip_string(text_t json, size_t at) {
  for (at++; at < json.len && json.ptr[at] != '"'; at++)
    if (json.ptr[at] == '\\') at++;
  return at + 1;
}

// Behind the value that begins at `at`. The host sends valid JSON, so counting brackets is enough.
static size_t skip_value(text_t json, size_t at) {
  size_t depth = 0;
  do {
    uint8_t c = byte_at(json, at);
    if (c == 0) return json.len;
    if (c == '"') {
      at = skip_string(json, at);
    } else if (c == '{' || c == '[') {
      depth++;
      at++;
    } else if (c == '}' || c == ']') {
      depth--;
      at++;
    } else if (depth > 0) {
      at++;
    } else {
      while (at < json.len && json.ptr[at] != ',' && json.ptr[at] != '}' && json.ptr[at] != ']') at++;
    }
  } while (depth > 0);
  return at < json.len ? at : json.len;
}

static text_t part(text_t json, size_t begin, size_t end) {
  while (end > begin && json.ptr[end - 1] <= ' ') end--;
  return (text_t){json.ptr + begin, end - begin};
}

bool json_member(text_t object, const char *name, text_t *value) {
  size_t at = skip_space(object, 0);
  if (byte_at(object, at) != '{') return false;
  for (at = skip_space(object, at + 1); byte_at(object, at) == '"'; at = skip_space(object, at + 1)) {
    text_t key;
    size_t after = skip_string(object, at);
    bool is_it = json_string(part(object, at, after), &key) && text_is(key, name);
    at = skip_space(object, skip_space(object, after) + 1); // behind the colon
    size_t end = skip_value(object, at);
    if (is_it) {
      *value = part(object, at, end);
      return true;
    }
    at = skip_space(object, end);
    if (byte_at(object, at) != ',') return false;
  }
  return false;
}

bool json_element(text_t array, size_t *at, text_t *value) {
  size_t begin = skip_space(array, *at);
  if (*at == 0) {
    if (byte_at(array, begin) != '[') return false;
    begin = skip_space(array, begin + 1);
  }
  uint8_t first = byte_at(array, begin);
  if (first == 0 || first == ']') return false;
  size_t end = skip_value(array, begin);
  *value = part(array, begin, end);
  *at = skip_space(array, end) + 1; // behind the comma or the bracket
  return true;
}

static uint32_t hex(text_t json, size_t at) {
  uint32_t code = 0;
  for (size_t i = at; i < at + 4; i++) {
    uint8_t c = byte_at(json, i);
    uint32_t digit = c >= 'a' ? c - 'a' + 10u : c >= 'A' ? c - 'A' + 10u : c - (uint32_t)'0';
    code = code * 16 + (digit & 15);
  }
  return code;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = (uint8_t)code;
  } else if (code < 0x800) {
    *to++ = (uint8_t)(0xc0 | code >> 6);
    *to++ = (uint8_t)(0x80 | (code & 63));
  } else if (code < 0x10000) {
    *to++ = (uint8_t)(0xe0 | code >> 12);
    *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
    *to++ = (uint8_t)(0x80 | (code & 63));
  } else {
    *to++ = (uint8_t)(0xf0 | code >> 18);
    *to++ = (uint8_t)(0x80 | (code >> 12 & 63));
    *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
    *to++ = (uint8_t)(0x80 | (code & 63));
  }
  return to;
}

bool json_string(text_t value, text_t *string) {
  if (value.len < 2 || value.ptr[0] != '"') return false;
  uint8_t *to = malloc(value.len);
  string->ptr = to;
  for (size_t at = 1; at + 1 < value.len; at++) {
    uint8_t c = value.ptr[at];
    if (c != '\\') {
      *to++ = c;
      continue;
    }
    c = byte_at(value, ++at);
    if (c == 'u') {
      uint32_t code = hex(value, at + 1);
      at += 4;
      if (code >> 10 == 0x36 && byte_at(value, at + 2) == 'u') { // the first of a pair
        code = 0x10000 + ((code & 1023) << 10) + (hex(value, at + 3) & 1023);
        at += 6;
      }
      to = put_utf8(to, code);
    } else {
      *to++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
    }
  }
  string->len = (size_t)(to - string->ptr);
  return true;
}

bool json_integer(text_t value, int64_t *number) {
  bool is_negative = byte_at(value, 0) == '-';
  size_t at = is_negative;
  if (at == value.len) return false;
  *number = 0;
  for (; at < value.len; at++) {
    uint8_t digit = (uint8_t)(value.ptr[at] - '0');
    if (digit > 9 || *number > (INT64_MAX - digit) / 10) return false;
    *number = *number * 10 + digit;
  }
  if (is_negative) *number = -*number;
  return true;
}

static void put_bytes(writer_t *writer, const uint8_t *bytes, size_t length) {
  if (writer->text.len + length > writer->capacity) {
    writer->capacity = (writer->text.len + length) * 2;
    writer->text.ptr = realloc(writer->text.ptr, writer->capacity);
  }
  memcpy(writer->text.ptr + writer->text.len, bytes, length);
  writer->text.len += length;
}

void put(writer_t *writer, const char *literal) { put_bytes(writer, (const uint8_t *)literal, strlen(literal)); }

void put_text(writer_t *writer, text_t text) { put_bytes(writer, text.ptr, text.len); }

void put_integer(writer_t *writer, int64_t number) {
  uint8_t digits[20];
  size_t at = sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    digits[--at] = (uint8_t)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (number < 0) put(writer, "-");
  put_bytes(writer, digits + at, sizeof digits - at);
}

void put_two_digits(writer_t *writer, uint32_t number) {
  if (number < 10) put(writer, "0");
  put_integer(writer, number);
}

void put_json_string(writer_t *writer, text_t text) {
  put(writer, "\"");
  for (size_t at = 0; at < text.len; at++) {
    uint8_t c = text.ptr[at];
    if (c < ' ') {
      const char *digits = "0123456789abcdef";
      uint8_t escaped[] = {'\\', 'u', '0', '0', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
      put_bytes(writer, escaped, sizeof escaped);
      continue;
    }
    if (c == '"' || c == '\\') put(writer, "\\");
    put_bytes(writer, &c, 1);
  }
  put(writer, "\"");
}
