/* SPDX-License-Identifier: Apache-2.0 */
/* am/mixtures.h - diagonal Gaussian mixtures that are being trained: scores of
 * whole utterances, statistics, maximum-likelihood updates, splitting; and the
 * model directory that is made of them. */
#ifndef SN_AM_MIXTURES_H
#define SN_AM_MIXTURES_H
#include <stdint.h>

#include "am/am.h"
#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_MIX_MAX_GAUSS 64 /* of one pdf */

/* N pdfs in D dimensions; those of pdf i are Gaussians first[i] and on. Owned;
 * zeroed is empty. */
typedef struct sn_mixtures {
  size_t n_pdfs, dim;
  int32_t *first;      /* [N + 1] */
  float *weights;      /* [G], of each pdf to the sum 1 */
  float *means, *vars; /* [G x D] */
} sn_mixtures;
size_t sn_mixtures_n_gauss(const sn_mixtures *m);
/* Zeroed parameters for counts[i] Gaussians of pdf i. SN_ENOMEM. */
SN_NODISCARD sn_status sn_mixtures_init(sn_mixtures *m, size_t n_pdfs,
                                        size_t dim, const int32_t *counts,
                                        sn_err *err);
/* *out is the caller's; empty on failure (SN_ENOMEM). */
SN_NODISCARD sn_status sn_mixtures_copy(const sn_mixtures *from,
                                        sn_mixtures *out, sn_err *err);
void sn_mixtures_clear(sn_mixtures *m);

/* Tables for scoring, made from mixtures; immutable. */
typedef struct sn_mix_tables sn_mix_tables;
SN_NODISCARD sn_status sn_mix_tables_create(const sn_mixtures *m,
                                            sn_mix_tables **out, sn_err *err);
void sn_mix_tables_destroy(sn_mix_tables *t); /* NULL is fine */
/* out [T x n] = log-likelihoods of pdfs [n] for the frames x [T x D]. All
 * Gaussians count. The same bits whatever T is. SN_ENOMEM. */
SN_NODISCARD sn_status sn_mix_score(const sn_mix_tables *t, sn_cmat x,
                                    const int32_t *pdfs, size_t n, sn_mat out,
                                    sn_err *err);
/* Log-likelihood of one frame x [D]; posteriors of the pdf's Gaussians. */
double sn_mix_posteriors(const sn_mix_tables *t, int32_t pdf, const float *x,
                         float posterior[SN_MIX_MAX_GAUSS]);

/* Sums over frames, for the Gaussians of one sn_mixtures. */
typedef struct sn_mix_stats {
  size_t n_gauss, dim;
  double *occ;         /* [G] */
  double *sum, *sumsq; /* [G x D] */
  double logp;         /* of the frames */
  double n_frames;
} sn_mix_stats;
SN_NODISCARD sn_status sn_mix_stats_init(sn_mix_stats *s, const sn_mixtures *m,
                                         sn_err *err);
/* The same by numbers. */
SN_NODISCARD sn_status sn_mix_stats_alloc(sn_mix_stats *s, size_t n_gauss,
                                          size_t dim, sn_err *err);
void sn_mix_stats_clear(sn_mix_stats *s);
void sn_mix_stats_reset(sn_mix_stats *s);
void sn_mix_stats_add(sn_mix_stats *to, const sn_mix_stats *from);
/* A frame that belongs to `pdf` with `weight`. */
void sn_mix_accumulate(const sn_mix_tables *t, int32_t pdf, const float *x,
                       double weight, sn_mix_stats *s);
/* The same with posteriors at x_post and sums of x; both [D]. */
void sn_mix_accumulate_two(const sn_mix_tables *t, int32_t pdf,
                           const float *x_post, const float *x, double weight,
                           sn_mix_stats *s);

typedef struct sn_mix_update_opts {
  double min_occ;      /* frames; a Gaussian with fewer is removed, unless it is
                          the pdf's last */
  double var_floor;    /* absolute */
  double weight_floor; /* a Gaussian with less is removed likewise */
  double var_prior;    /* frames; see sn_mix_update */
} sn_mix_update_opts;
typedef struct sn_mix_update_report {
  int64_t n_removed, n_floored; /* Gaussians; elements of variances */
  int64_t n_unseen;             /* pdfs without frames: left as they were */
} sn_mix_update_report;
/* Maximum-likelihood parameters from the statistics. occ [N] gets the frames of
 * each pdf. With var_prior = k > 0 variances are the maximum a posteriori ones
 * under a prior of k frames that have the average variance of the pdf's
 * Gaussians (weighted by their frames): (n v + k v_pdf) / (n + k) for one of n
 * frames. Source: Gauvain and Lee 1994 (MAP estimates of mixtures), with the
 * means left out. On failure (SN_ENOMEM) the mixtures are as before. */
SN_NODISCARD sn_status sn_mix_update(sn_mixtures *m, const sn_mix_stats *s,
                                     const sn_mix_update_opts *opts,
                                     double *occ, sn_mix_update_report *report,
                                     sn_err *err);
/* Splits Gaussians until there are `target` in all or none can be split: the
 * next one goes to the pdf with the largest occ^power / Gaussians whose
 * Gaussians have `min_count` frames each on the average; there the heaviest is
 * halved and its mean moved by +- 0.01 deviations times normal noise (the same
 * for the same seed). Source: HTK book, 10.6 (mixture incrementing). */
SN_NODISCARD sn_status sn_mix_split(sn_mixtures *m, const double *occ,
                                    size_t target, double power,
                                    double min_count, uint64_t seed,
                                    sn_err *err);

/* All that a model directory says. Arrays are borrowed. */
typedef struct sn_am_parts {
  const char *name;
  const char *const *phones; /* [P] */
  const uint8_t *is_filler;  /* [P] */
  int32_t n_phones, silence;
  int32_t n_states, n_hmms, n_tmats;
  const int32_t *base_hmm; /* [P] */
  const int32_t *hmm_tmat; /* [H] */
  const int32_t *hmm_pdfs; /* [H x S] */
  const float *tmats;      /* [T x S x (S + 1)], natural logs */
  const int32_t *triphone; /* [4 x P x P x P] HMM or -1, by (position, base,
                              left, right); NULL: none */
  const sn_mixtures *mix;
  const sn_feat_config *feat;
  double silence_prob, lm_scale, word_penalty;
  sn_cmat transform;        /* of the features, [dim x spliced]; empty: none */
  const sn_mixtures *first; /* for a first pass, where features are not yet
                               adapted to the speaker; NULL: none */
} sn_am_parts;
/* Writes DIR/am.bin and, with first, DIR/am-first.bin (first must have as many
 * Gaussians in each pdf as mix), where there is a transform DIR/final.mat (a
 * Kaldi matrix, which [frontend] then names), and, last, DIR/model.ini
 * (docs/model.md). */
SN_NODISCARD sn_status sn_am_write_parts(const sn_am_parts *p, const char *dir,
                                         sn_err *err);
/* The Gaussians of a loaded model that was made so, copied. SN_EARG: another
 * kind of model (an imported one). */
SN_NODISCARD sn_status sn_am_mixtures(const sn_am *am, sn_mixtures *out,
                                      sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
