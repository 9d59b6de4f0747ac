/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/kaldi_internal.h - the parts of the kaldi dialect among themselves.
 */
#ifndef SN_FRONTEND_KALDI_INTERNAL_H
#define SN_FRONTEND_KALDI_INTERNAL_H
#include "base/rng.h"
#include "frontend/frame_queue_internal.h"
#include "frontend/kaldi_opts_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Windows (kaldi_window.c) ---- */

typedef struct sni_kaldi_window {
  size_t size, shift, padded; /* samples; padded: what the FFT sees */
  float *w;                   /* [size] */
} sni_kaldi_window;

/* Errors: SN_EARG (a window of no samples; an odd one for the FFT), ENOMEM. */
SN_NODISCARD sn_status sni_kaldi_window_init(const sni_kaldi_opts *o,
                                             sni_kaldi_window *w, sn_err *err);
void sni_kaldi_window_clear(sni_kaldi_window *w);
/* First sample of frame t; below 0 at the start without snip-edges. */
int64_t sni_kaldi_first_sample(const sni_kaldi_opts *o,
                               const sni_kaldi_window *w, int64_t t);
/* Frames that n samples give: all (finished), or those that need no more. */
int64_t sni_kaldi_n_frames(const sni_kaldi_opts *o, const sni_kaldi_window *w,
                           int64_t n_samples, bool finished);
/* x [size] in place: dither, mean, preemphasis, window. Returns the energy
 * (sum of squares) before preemphasis. */
double sni_kaldi_window_apply(const sni_kaldi_opts *o,
                              const sni_kaldi_window *w, sn_rng *rng, float *x);

/* ---- Mel filters (kaldi_mel.c) ---- */

typedef struct sni_kaldi_mel {
  size_t n_bands;
  size_t *first, *len, *at; /* [n_bands]: first bin, bins, weights from w[at] */
  float *w;
  double *center_hz; /* [n_bands] */
} sni_kaldi_mel;

/* Errors: SN_EARG (edges out of order, a filter without a bin), SN_ENOMEM. */
SN_NODISCARD sn_status sni_kaldi_mel_init(const sni_kaldi_opts *o,
                                          const sni_kaldi_window *w,
                                          sni_kaldi_mel *m, sn_err *err);
void sni_kaldi_mel_clear(sni_kaldi_mel *m);
/* power [padded / 2 + 1], energies [n_bands]. */
void sni_kaldi_mel_apply(const sni_kaldi_mel *m, const float *power,
                         float *energies);

/* ---- Pitch (kaldi_pitch.c) ---- */

typedef struct sni_pitch_plan sni_pitch_plan;
SN_NODISCARD sn_status sni_pitch_plan_create(const sni_kaldi_opts *o,
                                             sni_pitch_plan **out, sn_err *err);
void sni_pitch_plan_destroy(sni_pitch_plan *p);
SN_NODISCARD sn_status sni_pitch_extractor_create(const sni_kaldi_plan *p,
                                                  sni_extractor **out,
                                                  sn_err *err);

/* ---- Processed pitch (kaldi_pitch_post.c): frames of correlation and Hz in,
 * features out ---- */

typedef struct sni_pitch_post {
  const sni_kaldi_opts *o;
  sni_frame_queue in;                /* of voicing, log pitch, feature */
  int64_t base, n_in, n_done;        /* as in postproc_stage.c */
  int64_t begin, end;                /* frames in the sums */
  double sum_pov, sum_pov_log_pitch; /* over begin .. end - 1 */
  double delta_norm;                 /* sum of j^2 */
  sn_rng rng;
} sni_pitch_post;

size_t sni_pitch_post_dim(const sni_kaldi_opts *o);
void sni_pitch_post_init(const sni_kaldi_opts *o, sni_pitch_post *p);
void sni_pitch_post_clear(sni_pitch_post *p);
void sni_pitch_post_reset(sni_pitch_post *p);
/* One frame in; what it completes is pushed onto `to`. finish: the rest.
 * SN_ENOMEM. */
SN_NODISCARD sn_status sni_pitch_post_push(sni_pitch_post *p, float nccf,
                                           float hz, sni_frame_queue *to,
                                           sn_err *err);
SN_NODISCARD sn_status sni_pitch_post_finish(sni_pitch_post *p,
                                             sni_frame_queue *to, sn_err *err);

/* ---- Spectral features (kaldi_spectral.c) ---- */

/* Tables of mfcc, fbank and plp. */
typedef struct sni_kaldi_tables {
  sni_kaldi_window window;
  sni_kaldi_mel mel;
  float *dct;      /* mfcc [num_ceps x num_mel_bins] */
  float *lifter;   /* mfcc, plp [num_ceps]; NULL: off */
  float *loudness; /* plp [num_mel_bins] */
  float *idft;     /* plp [lpc_order + 1 x num_mel_bins + 2] */
} sni_kaldi_tables;

SN_NODISCARD sn_status sni_kaldi_tables_init(const sni_kaldi_opts *o,
                                             sni_kaldi_tables *t, sn_err *err);
void sni_kaldi_tables_clear(sni_kaldi_tables *t);
SN_NODISCARD sn_status sni_spectral_extractor_create(const sni_kaldi_plan *p,
                                                     sni_extractor **out,
                                                     sn_err *err);

/* ---- The plan (kaldi_plan.c) ---- */

struct sni_kaldi_plan {
  sni_kaldi_opts o;
  size_t dim;
  double shift_s, length_s;
  sni_kaldi_tables tables; /* not for pitch */
  sni_pitch_plan *pitch;   /* only for pitch */
};
#ifdef __cplusplus
}
#endif
#endif
