/* SPDX-License-Identifier: Apache-2.0 */
/* Sphinx binaries. The quantiser's tables (786 KB at order 3) would drown the
 * rest, so the input leaves them out. They are always the same and are written
 * once for each order: the input chooses values by the indices of its n-grams,
 * faulty ones among them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "lm/ngram_internal.h"
#include "tests/fuzz/use_ngram.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

enum { ENTRIES = 65536, MAGIC_BYTES = 19, MAX_ORDER = 3 };

/* Up to the end of the tables a file is the same but for its counts; room
 * behind it for what the input has. */
typedef struct frame {
  uint8_t *data;
  size_t n, n_room;
} frame;

static size_t head_bytes(size_t order) {
  return 1 + 4 * order + (order > 1 ? 4 : 0);
}

/* Weights of n-grams, logarithms to the base 1.0001: from 0 to -13 in nats,
 * then two that are above 1, and three that are no numbers. */
static float table_value(size_t i) {
  static const float last[] = {0.5f, 1e30f, INFINITY, -INFINITY, NAN};
  const size_t n_last = sizeof last / sizeof *last;
  if (i >= ENTRIES - n_last) return last[i - (ENTRIES - n_last)];
  return -2.0f * (float)i;
}

static int make_frame(frame *f, size_t order, size_t n_rest) {
  const size_t n_tables = order > 1 ? 2 * (order - 2) + 1 : 0;
  if (f->data != NULL && n_rest <= f->n_room) return 1;
  free(f->data);
  f->n = MAGIC_BYTES + head_bytes(order) + n_tables * ENTRIES * sizeof(float);
  f->n_room = n_rest < 65536 ? 65536 : n_rest;
  f->data = calloc(f->n + f->n_room, 1);
  if (f->data == NULL) return 0;
  memcpy(f->data, SNI_SPHINX_LM_MAGIC, MAGIC_BYTES);
  uint8_t *at = f->data + MAGIC_BYTES + head_bytes(order);
  for (size_t i = 0; i < n_tables * ENTRIES; i++, at += sizeof(float)) {
    const float value = table_value(i % ENTRIES);
    memcpy(at, &value, sizeof value);
  }
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static frame frames[MAX_ORDER + 1];
  if (size < 1) return 0;
  const size_t order = data[0] % (MAX_ORDER + 1u);
  const size_t head = head_bytes(order);
  if (size < head) return 0;
  frame *const f = &frames[order];
  const size_t n_rest = size - head;
  if (!make_frame(f, order, n_rest)) return 0;
  memcpy(f->data + MAGIC_BYTES, data, head);
  f->data[MAGIC_BYTES] = (uint8_t)order;
  memcpy(f->data + f->n, data + head, n_rest);
  ASAN_POISON_MEMORY_REGION(f->data + f->n + n_rest, f->n_room - n_rest);
  sn_ngram *lm = NULL;
  sn_err err = {0};
  if (sni_sphinx_lm_read(f->data, f->n + n_rest, "fuzz", NULL, &lm, &err) ==
      SN_OK)
    fuzz_use_ngram(lm);
  sn_ngram_destroy(lm);
  ASAN_UNPOISON_MEMORY_REGION(f->data + f->n + n_rest, f->n_room - n_rest);
  return 0;
}
