/* SPDX-License-Identifier: Apache-2.0 */
/* Records of paths, and what keeps them few.
 *
 * A record's predecessor was made before it, and the collector keeps the
 * order, so prev < index holds always. Hence no recursion and no free list:
 *   1. marks become zero; every head adds one to its record's;
 *   2. backwards over the array: a record's mark is added to its predecessor's.
 *      Now 0 means garbage, and the number of heads means that every path runs
 *      through it;
 *   3. forwards: shared records are committed, live ones slide down, and the
 *      mark becomes the new index;
 *   4. heads are renumbered.
 * Each pass is linear in the array. The next collection waits until there are
 * twice as many records as survived, so the cost per record is constant. */
#include "decoder/trace_internal.h"

#include <string.h>

#define MIN_COLLECT ((size_t)1 << 16)
#define COMMITTED UINT32_MAX

void sni_trace_reset(sni_trace *t) {
  t->live.n = t->committed.n = 0;
  t->collect_at = MIN_COLLECT;
  t->peak = 0;
  t->n_dropped = 0;
}

void sni_trace_clear(sni_trace *t) {
  SN_ARR_FREE(&t->live);
  SN_ARR_FREE(&t->committed);
  SN_ARR_FREE(&t->marks);
}

size_t sni_trace_bytes(const sni_trace *t) {
  return (t->live.cap + t->committed.cap) * sizeof(sni_record) +
         t->marks.cap * sizeof(uint32_t);
}

sn_status sni_trace_reserve(sni_trace *t, size_t n, sn_err *err) {
  if (t->live.n + n > INT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "decoder: more than 2^31 trace records at one time; use "
                   "a narrower --beam or a smaller --max-active");
  return SN_ARR_RESERVE(&t->live, t->live.n + n, err);
}

static int32_t *head_at(int32_t *heads, size_t i, size_t stride_bytes) {
  return (int32_t *)(void *)((unsigned char *)heads + i * stride_bytes);
}

sn_status sni_trace_collect(sni_trace *t, int32_t *heads, size_t n,
                            size_t stride_bytes, sn_err *err) {
  sni_record *const r = t->live.data;
  const size_t n_live = t->live.n;
  if (n_live > t->peak) t->peak = n_live;
  SN_TRY(SN_ARR_RESERVE(&t->marks, n_live, err));
  uint32_t *const mark = t->marks.data;
  /* 1 */
  if (n_live > 0) memset(mark, 0, n_live * sizeof *mark);
  for (size_t i = 0; i < n; i++) {
    const int32_t h = *head_at(heads, i, stride_bytes);
    SN_ASSERT(h < (int32_t)n_live);
    if (h >= 0) mark[h]++;
  }
  /* 2 */
  size_t n_shared = 0;
  for (size_t i = n_live; i-- > 0;) {
    if (n > 0 && mark[i] == n) n_shared++;
    if (r[i].prev >= 0) mark[r[i].prev] += mark[i];
  }
  SN_TRY(SN_ARR_RESERVE(&t->committed, t->committed.n + n_shared, err));
  /* 3: a shared record's predecessor is shared or none, so a record whose
   * predecessor was committed becomes the first of its path. */
  size_t kept = 0;
  for (size_t i = 0; i < n_live; i++) {
    if (mark[i] == 0) continue;
    sni_record x = r[i];
    if (mark[i] == n) {
      x.prev = -1;
      t->committed.data[t->committed.n++] = x;
      mark[i] = COMMITTED;
      continue;
    }
    if (x.prev >= 0)
      x.prev = mark[x.prev] == COMMITTED ? -1 : (int32_t)mark[x.prev];
    r[kept] = x;
    mark[i] = (uint32_t)kept++;
  }
  /* 4 */
  for (size_t i = 0; i < n; i++) {
    int32_t *const h = head_at(heads, i, stride_bytes);
    if (*h >= 0) *h = mark[*h] == COMMITTED ? -1 : (int32_t)mark[*h];
  }
  t->n_dropped += (int64_t)(n_live - kept - n_shared);
  t->live.n = kept;
  t->collect_at = kept * 2 > MIN_COLLECT ? kept * 2 : MIN_COLLECT;
  return SN_OK;
}
