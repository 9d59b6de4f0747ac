/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/frame_queue_internal.h - frames between one step and the next. */
#ifndef SN_FRONTEND_FRAME_QUEUE_INTERNAL_H
#define SN_FRONTEND_FRAME_QUEUE_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* First in, first out; frames lie one behind the other. Zeroed (but for dim)
 * it is empty and valid. Room in front, left by frames that were taken, is used
 * again: the storage stops growing once it holds twice the longest queue. */
typedef struct sni_frame_queue {
  float *data;  /* [cap x dim] */
  int64_t *pos; /* [cap] */
  size_t dim, cap;
  size_t first, n; /* frames first .. first + n - 1 are in the queue */
} sni_frame_queue;

void sni_frame_queue_clear(sni_frame_queue *q); /* gives memory back */
/* Makes room for `extra` more frames. SN_ENOMEM; the queue is as before. */
SN_NODISCARD sn_status sni_frame_queue_reserve(sni_frame_queue *q, size_t extra,
                                               sn_err *err);
/* Where the next frame is to be written; room must have been reserved. */
float *sni_frame_queue_push(sni_frame_queue *q, int64_t position);
void sni_frame_queue_pop(sni_frame_queue *q, size_t n); /* the n oldest */

static inline float *sni_frame_queue_at(const sni_frame_queue *q, size_t i) {
  SN_ASSERT(i < q->n);
  return q->data + (q->first + i) * q->dim;
}
#ifdef __cplusplus
}
#endif
#endif
