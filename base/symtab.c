/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol tables.
 *
 * Open addressing with linear probing; a slot holds an id (or -1), the strings
 * lie in an arena, their hashes beside their ids, so that growing needs no
 * string and most probes that miss compare 4 bytes. At most 2 of 3 slots are
 * used. Some 100,000 words; found a few times per word of text. */
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"

typedef struct symbol {
  const char *s;
  uint32_t n, hash;
} symbol;

struct sn_symtab {
  sn_arena strings;
  SN_ARR(symbol) symbols; /* by id */
  int32_t *slots;
  size_t n_slots; /* a power of two */
};

/* FNV-1a, then a mix of the high bits into the low ones, which choose. */
static uint32_t hash_of(const char *s, size_t n) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < n; i++) {
    h ^= (unsigned char)s[i];
    h *= UINT64_C(1099511628211);
  }
  h ^= h >> 32;
  return (uint32_t)h;
}

/* The slot of s, or the empty one where it belongs. */
static size_t slot_of(const sn_symtab *t, const char *s, size_t n,
                      uint32_t hash) {
  size_t i = hash & (t->n_slots - 1);
  for (;; i = (i + 1) & (t->n_slots - 1)) {
    if (t->slots[i] < 0) return i;
    const symbol *const y = &t->symbols.data[t->slots[i]];
    if (y->hash == hash && y->n == n && (n == 0 || memcmp(y->s, s, n) == 0))
      return i;
  }
}

static sn_status grow(sn_symtab *t, sn_err *err) {
  const size_t n = t->n_slots == 0 ? 64 : t->n_slots * 2;
  int32_t *const slots = sn_calloc(n, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "symbol table");
  memset(slots, 0xFF, n * sizeof *slots); /* -1 everywhere */
  for (size_t id = 0; id < t->symbols.n; id++) {
    size_t i = t->symbols.data[id].hash & (n - 1);
    while (slots[i] >= 0) i = (i + 1) & (n - 1);
    slots[i] = (int32_t)id;
  }
  sn_free(t->slots);
  t->slots = slots;
  t->n_slots = n;
  return SN_OK;
}

sn_status sn_symtab_create(sn_symtab **out, sn_err *err) {
  *out = NULL;
  sn_symtab *const t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "symbol table");
  const sn_status s = grow(t, err);
  if (s != SN_OK) {
    sn_symtab_destroy(t);
    return s;
  }
  *out = t;
  return SN_OK;
}

void sn_symtab_destroy(sn_symtab *t) {
  if (t == NULL) return;
  sn_arena_clear(&t->strings);
  SN_ARR_FREE(&t->symbols);
  sn_free(t->slots);
  sn_free(t);
}

sn_status sn_symtab_add(sn_symtab *t, const char *s, size_t n, int32_t *id,
                        sn_err *err) {
  const uint32_t hash = hash_of(s, n);
  size_t slot = slot_of(t, s, n, hash);
  if (t->slots[slot] >= 0) {
    *id = t->slots[slot];
    return SN_OK;
  }
  if (n > UINT32_MAX || t->symbols.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "symbol table: more than %d symbols",
                   INT32_MAX);
  if (t->symbols.n >= t->n_slots / 3 * 2) {
    SN_TRY(grow(t, err));
    slot = slot_of(t, s, n, hash);
  }
  SN_TRY(SN_ARR_RESERVE(&t->symbols, t->symbols.n + 1, err));
  char *const copy = sn_arena_strndup(&t->strings, s, n);
  if (copy == NULL) return sn_fail_nomem(err, "symbol table");
  const symbol y = {copy, (uint32_t)n, hash};
  t->slots[slot] = *id = (int32_t)t->symbols.n;
  t->symbols.data[t->symbols.n++] = y;
  return SN_OK;
}

int32_t sn_symtab_find(const sn_symtab *t, const char *s, size_t n) {
  return t->slots[slot_of(t, s, n, hash_of(s, n))];
}

int32_t sn_symtab_finds(const sn_symtab *t, const char *s) {
  return sn_symtab_find(t, s, strlen(s));
}

const char *sn_symtab_get(const sn_symtab *t, int32_t id) {
  SN_ASSERT(id >= 0 && (size_t)id < t->symbols.n);
  return t->symbols.data[id].s;
}

int32_t sn_symtab_n(const sn_symtab *t) { return (int32_t)t->symbols.n; }
