// The few functions of a C library that a step needs. Every call of a component has a fresh instance, so memory is
// handed out in a row and never taken back.
#include <stdlib.h>
#include <string.h>

#define PAGE 65536
#define ALIGN 16

extern unsigned char __heap_base;
static size_t top;

void *malloc(size_t size) {
  if (top == 0) top = (size_t)&__heap_base;
  // The size is kept in front of the memory, for `realloc`.
  size_t at = ((top + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + ALIGN;
  size_t end = at + size;
  if (end < at) abort();
  size_t have = (size_t)__builtin_wasm_memory_size(0) * PAGE;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (size_t)-1) abort();
  *(size_t *)(at - sizeof(size_t)) = size;
  top = end;
  return (void *)at;
}

void *realloc(void *old, size_t size) {
  if (old == NULL) return malloc(size);
  size_t had = *(size_t *)((size_t)old - sizeof(size_t));
  if (size <= had) return old;
  return memcpy(malloc(size), old, had);
}

void free(void *memory) { (void)memory; }

// The host sees a trap.
_Noreturn void abort(void) { __builtin_trap(); }

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  unsigned char *a = to;
  for (const unsigned char *b = from; size > 0; size--) *a++ = *b++;
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  if ((size_t)to <= (size_t)from) return memcpy(to, from, size);
  while (size-- > 0) ((unsigned char *)to)[size] = ((const unsigned char *)from)[size];
  return to;
}

void *memset(void *to, int value, size_t size) {
  for (unsigned char *a = to; size > 0; size--) *a++ = (unsigned char)value;
  return to;
}

int memcmp(const void *a, const void *b, size_t size) {
  for (const unsigned char *x = a, *y = b; size > 0; size--, x++, y++)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}
