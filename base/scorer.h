/* SPDX-License-Identifier: Apache-2.0 */
/* base/scorer.h - acoustic scores as the search sees them, and nothing else.
 *
 * It sits in base/ so that am (which implements it) and decoder (which uses
 * it) need not know each other. A scorer belongs to one stream (one utterance
 * at a time, one thread); the model behind it is shared.
 *
 * A whole frame is scored at once and handed out as one row: for the models
 * here (some thousand tied states; products over blocks of frames) scoring all
 * of them costs less than asking which ones are wanted. */
#ifndef SN_BASE_SCORER_H
#define SN_BASE_SCORER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_scorer sn_scorer;

typedef struct sn_scorer_ops {
  /* Frames that can be scored now; grows while a stream is fed, never shrinks
   * before a reset. Separate from `finished`, so that nothing has to block. */
  int64_t (*n_frames_ready)(const sn_scorer *s);
  /* Whether no frame beyond n_frames_ready will come. */
  bool (*finished)(const sn_scorer *s);
  /* Row of natural-log likelihoods, [n_pdfs], of frame t < n_frames_ready;
   * borrowed until the next call on this scorer. Frames are asked for in
   * order, each at least once; an old frame (t + 64 < newest asked) may be
   * refused with SN_EARG. */
  sn_status (*scores)(sn_scorer *s, int64_t t, const float **row, sn_err *err);
  /* Start and end of frame t in the audio, seconds: frames that the front end
   * removed leave gaps here. */
  void (*frame_time)(const sn_scorer *s, int64_t t, double *begin_s,
                     double *end_s);
  void (*destroy)(sn_scorer *s);
} sn_scorer_ops;

struct sn_scorer {
  const sn_scorer_ops *ops;
  int32_t n_pdfs;
};

static inline void sn_scorer_destroy(sn_scorer *s) {
  if (s != NULL) s->ops->destroy(s);
}
#ifdef __cplusplus
}
#endif
#endif
