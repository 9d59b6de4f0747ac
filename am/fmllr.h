/* SPDX-License-Identifier: Apache-2.0 */
/* am/fmllr.h - constrained MLLR (fMLLR): one affine transform of a speaker's
 * feature vectors, W = [A b], that makes them likelier under a Gaussian model.
 *
 * For frames x_t, Gaussians m of mean mu and variance var, and posteriors
 * g_t(m), with xi = [x; 1]:
 *   beta  = sum_t g_t
 *   G_d   = sum_t,m g_t(m) / var_md  xi xi'      [(D+1) x (D+1)]
 *   k_d   = sum_t,m g_t(m) mu_md / var_md  xi    [D+1]
 *   Q(W)  = beta log |det A| + sum_d (w_d k_d - 1/2 w_d G_d w_d')
 * A model of several streams, whose likelihood is a product over them, is the
 * same: dimension d takes the Gaussians of its own stream, whose posteriors
 * sum to the frame's weight in each stream, and beta counts frames.
 *
 * Source: Gales 1998, "Maximum likelihood linear transformations for HMM-based
 * speech recognition", section 3 and appendix. */
#ifndef SN_AM_FMLLR_H
#define SN_AM_FMLLR_H
#include <stdbool.h>
#include <stdint.h>

#include "am/am.h"
#include "base/mat.h"
#include "base/opt.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Statistics ---- */

/* Sums over frames. Plain numbers in a fixed layout, so that they can be
 * stored; a sum depends on the order of its parts, so add shards in a fixed
 * one. Lower triangles are packed by rows: (i, j <= i) at i (i + 1) / 2 + j. */
typedef struct sn_fmllr_stats {
  size_t dim;  /* D */
  double beta; /* frames, weighted */
  double *G;   /* [D][(D+1)(D+2)/2] */
  double *k;   /* [D][D+1] */
} sn_fmllr_stats;
#define SN_FMLLR_MAX_DIM 512

/* Zeroed statistics. SN_EARG: dim not in 1..SN_FMLLR_MAX_DIM; SN_ENOMEM. */
SN_NODISCARD sn_status sn_fmllr_stats_init(sn_fmllr_stats *s, size_t dim,
                                           sn_err *err);
void sn_fmllr_stats_clear(sn_fmllr_stats *s); /* zeroed: fine */
void sn_fmllr_stats_reset(sn_fmllr_stats *s); /* back to zero, keeps memory */
size_t sn_fmllr_n_G(size_t dim);              /* numbers of G in all */
size_t sn_fmllr_n_k(size_t dim);
/* to += from, of the same dim. */
void sn_fmllr_stats_add(sn_fmllr_stats *to, const sn_fmllr_stats *from);
/* One frame: x [D]; precision [D] sum of posterior / variance, and mean [D]
 * sum of posterior * mean / variance, over the Gaussians that look at
 * dimension d; weight of the frame (what the posteriors sum to). */
void sn_fmllr_stats_frame(sn_fmllr_stats *s, const float *x,
                          const double *precision, const double *mean,
                          double weight);

/* ---- Posteriors of a model's Gaussians ---- */

/* Scratch memory for one thread and all models up to the shape of `am`. */
typedef struct sn_fmllr_work sn_fmllr_work;
SN_NODISCARD sn_status sn_fmllr_work_create(const sn_am *am,
                                            sn_fmllr_work **out, sn_err *err);
void sn_fmllr_work_destroy(sn_fmllr_work *w);

/* One Gaussian that answers for a frame. */
typedef struct sn_am_gauss {
  int32_t stream, index; /* in the pdf's codebook */
  float posterior;       /* those of a stream sum to 1 */
} sn_am_gauss;
/* Posteriors of the Gaussians of `pdf` for x [D]: of each stream the model's
 * top_n densest. out is borrowed from w until its next use. Returns how many.
 * Deviates from the scores: densities are not clipped against those of other
 * codebooks (the share of a clipped Gaussian is below 1e-4). */
size_t sn_am_posteriors(const sn_am *am, sn_fmllr_work *w, const float *x,
                        int32_t pdf, const sn_am_gauss **out);
/* Mean and variance of a Gaussian, [n], over the dimensions
 * sn_am_stream_dims(am, stream). Borrowed from the model. */
size_t sn_am_gauss_at(const sn_am *am, int32_t pdf, int32_t stream,
                      int32_t index, const float **mean, const float **var);

/* Adds a frame that belongs to `pdf` with `weight`: Gaussian posteriors of
 * `for_posteriors` at x_post, means and variances of `am` (the same model, or
 * one with the same Gaussians in other places: a speaker-adapted model whose
 * posteriors are taken where it was not adapted), statistics of x. x_post and
 * x [D] may be the same. SN_EARG: sizes disagree. weight <= 0: nothing. */
SN_NODISCARD sn_status sn_am_fmllr_accumulate(
    const sn_am *am, const sn_am *for_posteriors, sn_fmllr_work *w, int32_t pdf,
    double weight, const float *x_post, const float *x, sn_fmllr_stats *s,
    sn_err *err);

/* The same for a frame that is shared by n pdfs (each named once), in one go:
 * the costly sum of squares is made once. */
typedef struct sn_am_part {
  int32_t pdf;
  double weight;
} sn_am_part;
SN_NODISCARD sn_status sn_am_fmllr_accumulate_all(
    const sn_am *am, const sn_am *for_posteriors, sn_fmllr_work *w,
    const sn_am_part *parts, size_t n, const float *x_post, const float *x,
    sn_fmllr_stats *s, sn_err *err);

/* ---- Estimation ---- */

typedef enum sn_fmllr_kind {
  SN_FMLLR_FULL,     /* A and b free */
  SN_FMLLR_DIAGONAL, /* A diagonal */
  SN_FMLLR_OFFSET    /* A the identity: b alone */
} sn_fmllr_kind;

typedef struct sn_fmllr_opts {
  double min_count; /* frames; with fewer the transform is the identity */
  int32_t iters;    /* sweeps over the rows (full) */
  int32_t kind;     /* sn_fmllr_kind */
  double prior;     /* frames that the prior weighs as much as; 0: none */
} sn_fmllr_opts;
extern const sn_opt sn_fmllr_opt_table[];

typedef struct sn_fmllr_result {
  bool estimated;  /* false: the identity, `why` says what was missing */
  double count;    /* beta */
  double gain;     /* Q(W) - Q(identity), nat a frame, of the data alone */
  double logdet;   /* log |det A| */
  const char *why; /* static text; NULL where estimated */
} sn_fmllr_result;

/* The transform out [D x (D+1)] that maximises Q plus the prior's part, row by
 * row; each sweep sets every row to its optimum given the others, so that the
 * sum never falls. The prior of p frames is a Gaussian around the identity, as
 * sharp as p frames like these make Q:
 *   -1/2 (p / beta) sum_d (w_d - e_d) G_d (w_d - e_d)'
 * It is greatest at the identity, so Q is never less than there.
 * (MAP estimation as Lei, Hamaker, He 2006, "Robust feature space adaptation
 * for telephony speech recognition", with this covariance.) The identity, and
 * SN_OK, where the count is below min_count or the statistics are singular (a
 * constant dimension, fewer different frames than dimensions). Errors: SN_EARG
 * (shapes), SN_EFORMAT (statistics that are not finite), SN_ENOMEM. opts may be
 * NULL. */
SN_NODISCARD sn_status sn_fmllr_estimate(const sn_fmllr_stats *s,
                                         const sn_fmllr_opts *opts, sn_mat out,
                                         sn_fmllr_result *result, sn_err *err);
/* Q(w), [D x (D+1)]; SN_ENOMEM. */
SN_NODISCARD sn_status sn_fmllr_objective(const sn_fmllr_stats *s, sn_cmat w,
                                          double *q, sn_err *err);

/* ---- Transforms [D x (D+1)] ---- */
void sn_fmllr_identity(sn_mat out);
/* out = second after first: x -> second(first(x)); out overlaps neither. */
void sn_fmllr_compose(sn_cmat second, sn_cmat first, sn_mat out);
/* log |det A|; -INFINITY for a singular one. SN_ENOMEM. */
SN_NODISCARD sn_status sn_fmllr_logdet(sn_cmat w, double *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
