/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of frames in one growing block. */
#include "frontend/frame_queue_internal.h"

#include <string.h>

#include "base/mem.h"

void sni_frame_queue_clear(sni_frame_queue *q) {
  sn_free(q->data);
  sn_free(q->pos);
  q->data = NULL;
  q->pos = NULL;
  q->cap = q->first = q->n = 0;
}

static void move_to_front(sni_frame_queue *q) {
  if (q->n > 0 && q->first > 0) {
    memmove(q->data, q->data + q->first * q->dim,
            q->n * q->dim * sizeof *q->data);
    memmove(q->pos, q->pos + q->first, q->n * sizeof *q->pos);
  }
  q->first = 0;
}

sn_status sni_frame_queue_reserve(sni_frame_queue *q, size_t extra,
                                  sn_err *err) {
  SN_ASSERT(q->dim > 0);
  if (q->first + q->n + extra <= q->cap) return SN_OK;
  /* Moving when at most half is in use costs one copy per frame at most. */
  const size_t want = q->n + extra;
  if (want <= q->cap / 2) {
    move_to_front(q);
    return SN_OK;
  }
  if (want < extra || want > SIZE_MAX / 4 / q->dim)
    return sn_fail_nomem(err, "frames");
  const size_t cap = want < 8 ? 16 : 2 * want;
  float *const data = sn_realloc(q->data, cap * q->dim, sizeof *data);
  if (data == NULL) return sn_fail_nomem(err, "frames");
  q->data = data; /* larger than cap says, should the next one fail */
  int64_t *const pos = sn_realloc(q->pos, cap, sizeof *pos);
  if (pos == NULL) return sn_fail_nomem(err, "frames");
  q->pos = pos;
  q->cap = cap;
  move_to_front(q);
  return SN_OK;
}

float *sni_frame_queue_push(sni_frame_queue *q, int64_t position) {
  const size_t i = q->first + q->n;
  SN_ASSERT(i < q->cap);
  q->pos[i] = position;
  q->n++;
  return q->data + i * q->dim;
}

void sni_frame_queue_pop(sni_frame_queue *q, size_t n) {
  SN_ASSERT(n <= q->n);
  q->n -= n;
  q->first = q->n == 0 ? 0 : q->first + n;
}
