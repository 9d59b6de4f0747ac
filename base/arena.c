/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation.
 *
 * A chunk is a header and its bytes; the head of the list is the one in use.
 * An object that does not fit starts a new chunk (its own, if it is larger
 * than the usual size). Reset moves all chunks to `spare`, from where they are
 * taken again: a decoder that resets after each utterance soon allocates
 * nothing. Under AddressSanitizer free bytes are poisoned, so that an object
 * used after a reset is reported like one used after free. */
#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON 1
#endif
#endif
#ifdef POISON
#include <sanitizer/asan_interface.h>
#define poison(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

#define DEFAULT_CHUNK_BYTES ((size_t)64 * 1024)
#define ALIGN_BYTES _Alignof(max_align_t)

struct sni_arena_chunk {
  struct sni_arena_chunk *next;
  size_t cap_bytes, used_bytes;
  _Alignas(max_align_t) unsigned char bytes[];
};

static struct sni_arena_chunk *new_chunk(size_t cap) {
  if (cap > PTRDIFF_MAX - sizeof(struct sni_arena_chunk)) return NULL;
  struct sni_arena_chunk *const c =
      sn_realloc(NULL, 1, sizeof(struct sni_arena_chunk) + cap);
  if (c == NULL) return NULL;
  c->next = NULL;
  c->cap_bytes = cap;
  c->used_bytes = 0;
  poison(c->bytes, cap);
  return c;
}

/* Puts a chunk with room for `bytes` at the head of the list. */
static struct sni_arena_chunk *next_chunk(sn_arena *a, size_t bytes) {
  struct sni_arena_chunk **link = &a->spare;
  while (*link != NULL && (*link)->cap_bytes < bytes) link = &(*link)->next;
  struct sni_arena_chunk *c = *link;
  if (c != NULL) {
    *link = c->next;
  } else {
    const size_t usual =
        a->chunk_bytes != 0 ? a->chunk_bytes : DEFAULT_CHUNK_BYTES;
    c = new_chunk(bytes > usual ? bytes : usual);
    if (c == NULL) return NULL;
  }
  c->next = a->head;
  a->head = c;
  return c;
}

void *sn_arena_alloc(sn_arena *a, size_t n, size_t size) {
  if (size != 0 && n > (PTRDIFF_MAX - ALIGN_BYTES) / size) return NULL;
  size_t bytes = (n * size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
  if (bytes == 0) bytes = ALIGN_BYTES; /* distinct addresses */
  struct sni_arena_chunk *c = a->head;
  if (c == NULL || c->cap_bytes - c->used_bytes < bytes) {
    c = next_chunk(a, bytes);
    if (c == NULL) return NULL;
  }
  void *const p = c->bytes + c->used_bytes;
  c->used_bytes += bytes;
  a->used_bytes += bytes;
  unpoison(p, n * size);
  if (n * size > 0) memset(p, 0, n * size);
  return p;
}

char *sn_arena_strndup(sn_arena *a, const char *s, size_t n) {
  if (n == SIZE_MAX) return NULL;
  char *const p = sn_arena_alloc(a, n + 1, 1);
  if (p != NULL && n > 0) memcpy(p, s, n);
  return p;
}

void sn_arena_reset(sn_arena *a) {
  while (a->head != NULL) {
    struct sni_arena_chunk *const c = a->head;
    a->head = c->next;
    poison(c->bytes, c->cap_bytes);
    c->used_bytes = 0;
    c->next = a->spare;
    a->spare = c;
  }
  a->used_bytes = 0;
}

void sn_arena_clear(sn_arena *a) {
  sn_arena_reset(a);
  while (a->spare != NULL) {
    struct sni_arena_chunk *const c = a->spare;
    a->spare = c->next;
    unpoison(c->bytes, c->cap_bytes);
    sn_free(c);
  }
}
