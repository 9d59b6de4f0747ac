/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/extractor_internal.h - what turns samples into base frames, one per
 * dialect and kind; frontend/feat.c drives it and adds CMN, deltas, splicing
 * and transforms. */
#ifndef SN_FRONTEND_EXTRACTOR_INTERNAL_H
#define SN_FRONTEND_EXTRACTOR_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_extractor sni_extractor; /* state of one stream */

typedef struct sni_extractor_ops {
  /* Takes samples (16-bit PCM units); finish: no more will come. */
  sn_status (*push)(sni_extractor *x, const float *samples, size_t n,
                    sn_err *err);
  sn_status (*finish)(sni_extractor *x, sn_err *err);
  /* Frames ready; pull takes the oldest: frame [dim], its index in the audio
   * (in frame shifts; removed frames are skipped, so it may jump). */
  size_t (*n_ready)(const sni_extractor *x);
  void (*pull)(sni_extractor *x, float *frame, int64_t *position);
  /* Speech detection as in feat.h, where the extractor has one; NULL: the
   * driver (feat.c) uses its own (feat_pause.c). */
  bool (*in_speech)(const sni_extractor *x);
  double (*trailing_pause_s)(const sni_extractor *x);
  /* Ready for the next utterance. keep: what was learnt of the channel (noise
   * levels) stays; otherwise exactly as after create. */
  void (*reset)(sni_extractor *x, bool keep);
  void (*destroy)(sni_extractor *x);
} sni_extractor_ops;

struct sni_extractor {
  const sni_extractor_ops *ops;
  size_t dim;
};

/* Kaldi dialect (frontend/kaldi_*.c): the plan holds tables shared by streams.
 */
typedef struct sni_kaldi_plan sni_kaldi_plan;
struct sn_feat_config;
struct sni_kaldi_opts; /* kaldi_opts_internal.h */
/* The settings of a configuration of that dialect; borrowed. */
const struct sni_kaldi_opts *sni_feat_config_kaldi(
    const struct sn_feat_config *c);
sn_status sni_kaldi_plan_create(const struct sn_feat_config *c,
                                sni_kaldi_plan **out, sn_err *err);
void sni_kaldi_plan_destroy(sni_kaldi_plan *p);
size_t sni_kaldi_plan_dim(const sni_kaldi_plan *p);
double sni_kaldi_plan_rate_hz(const sni_kaldi_plan *p);
double sni_kaldi_plan_shift_s(const sni_kaldi_plan *p);
double sni_kaldi_plan_length_s(const sni_kaldi_plan *p);
sn_status sni_kaldi_extractor_create(const sni_kaldi_plan *p,
                                     sni_extractor **out, sn_err *err);

/* Sphinx dialect (frontend/sphinx_*.c), likewise. */
typedef struct sni_sphinx_plan sni_sphinx_plan;
struct sni_sphinx_opts; /* sphinx_opts_internal.h */
const struct sni_sphinx_opts *sni_feat_config_sphinx(
    const struct sn_feat_config *c);
/* as_files: hand out what sphinx_fe writes into a file, frames that its blocks
 * lose at the end of the recording included (sphinx_extract.c). */
sn_status sni_sphinx_plan_create(const struct sn_feat_config *c, bool as_files,
                                 sni_sphinx_plan **out, sn_err *err);
void sni_sphinx_plan_destroy(sni_sphinx_plan *p);
size_t sni_sphinx_plan_dim(const sni_sphinx_plan *p);
double sni_sphinx_plan_rate_hz(const sni_sphinx_plan *p);
double sni_sphinx_plan_shift_s(const sni_sphinx_plan *p);
double sni_sphinx_plan_length_s(const sni_sphinx_plan *p);
sn_status sni_sphinx_extractor_create(const sni_sphinx_plan *p,
                                      sni_extractor **out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
