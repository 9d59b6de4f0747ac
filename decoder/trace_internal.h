/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/trace_internal.h - where the paths of the search have been.
 *
 * A record stands for a boundary on a path: an arc that began a new phone or
 * put out a word. Frames on self-loops and within a phone make none, so there
 * is about one record for every ten frames of a path. */
#ifndef SN_DECODER_TRACE_INTERNAL_H
#define SN_DECODER_TRACE_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_record {
  int32_t prev;  /* record before it, always a smaller index; -1: none */
  int32_t frame; /* first frame behind the boundary */
  int32_t label; /* graph label that was entered; -1: only a word came out */
  int32_t word;  /* that came out on the arc; -1: none */
  float graph;   /* graph cost from the boundary before to this one */
  double total;  /* cost of the whole path up to the boundary */
} sni_record;

/* Live records are a flat array in order of creation; the collector slides
 * them together. Those that every path shares are committed: moved, in the
 * order of the path, to an array that only grows with the answer. */
typedef struct sni_trace {
  SN_ARR(sni_record) live, committed;
  SN_ARR(uint32_t) marks; /* scratch of the collector */
  size_t collect_at;      /* number of live records that starts the collector */
  size_t peak;
  int64_t n_dropped; /* by the collector */
} sni_trace;

void sni_trace_reset(sni_trace *t);
void sni_trace_clear(sni_trace *t);
size_t sni_trace_bytes(const sni_trace *t);

/* Room for n more records. SN_ENOMEM, SN_ELIMIT (2^31 records). */
SN_NODISCARD sn_status sni_trace_reserve(sni_trace *t, size_t n, sn_err *err);

/* Adds a record; room must have been reserved. Returns its index. */
static inline int32_t sni_trace_add(sni_trace *t, sni_record r) {
  t->live.data[t->live.n] = r;
  return (int32_t)t->live.n++;
}

static inline bool sni_trace_is_full(const sni_trace *t) {
  return t->live.n >= t->collect_at;
}

/* Drops every record that no head needs and commits the common prefix. heads:
 * [n], each the index of a record or -1, stride_bytes apart; they are
 * renumbered. SN_ENOMEM leaves everything as it was. */
SN_NODISCARD sn_status sni_trace_collect(sni_trace *t, int32_t *heads, size_t n,
                                         size_t stride_bytes, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
