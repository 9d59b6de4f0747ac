/* SPDX-License-Identifier: Apache-2.0 */
/* am/mllr.h - maximum likelihood linear regression: new means A mean + b, one
 * transform for all Gaussians of a class, so that a few sentences move those
 * too that were not heard.
 *
 * With xi = [mean; 1], and counts n and sums x of the data by Gaussian, row d
 * of W = [A b] of a class maximises
 *   Q_d(w) = sum over Gaussians (x_d / var_d) w xi - n / (2 var_d) (w xi)^2
 * and so solves  w sum (n / var_d) xi xi' = sum (x_d / var_d) xi'.
 *
 * Classes: all Gaussians of a stream are one; the class with the most frames is
 * halved (2-means of the means, in deviations) while there are fewer than
 * `classes` of them and both halves have min_count frames. A class whose
 * system is singular takes its stream's transform, the stream the identity.
 *
 * Streams have transforms of their own, over their dimensions: a model of one
 * stream gets a full matrix, one of three (en-us) a block each. Variances,
 * weights, transitions and the tree stay: a search graph of the old model fits
 * the new one.
 *
 * Source: Leggetter & Woodland 1995, "Maximum likelihood linear regression for
 * speaker adaptation of continuous density hidden Markov models"; classes
 * grown as in Gales 1996, "The generation and use of regression class trees
 * for MLLR adaptation", section 4, but with the data's counts. */
#ifndef SN_AM_MLLR_H
#define SN_AM_MLLR_H
#include <stdint.h>

#include "am/map.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_mllr_opts {
  int32_t classes;  /* at most, of each stream */
  double min_count; /* frames of a class */
} sn_mllr_opts;
extern const sn_opt sn_mllr_opt_table[];

typedef struct sn_mllr_report {
  int64_t n_gauss;
  int32_t n_classes, n_estimated; /* with a transform of their own */
  double gain;                    /* Q(W) - Q(identity), nat a frame */
  double shift; /* mean |new - old| in standard deviations, all Gaussians */
} sn_mllr_report;
/* Transforms, and which Gaussian has which. */
typedef struct sn_mllr sn_mllr;
/* stats: of this model; their squares are not looked at. report may be NULL;
 * its shift is left at 0. SN_EARG: of another one; SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllr_estimate(const sn_am *am, const sn_map_stats *s,
                                        const sn_mllr_opts *opts, sn_mllr **out,
                                        sn_mllr_report *report, sn_err *err);
void sn_mllr_destroy(sn_mllr *m); /* NULL: fine */
/* The model that it was estimated for, with means moved. It shares all else
 * with am, which must outlive it. SN_EARG: another model; SN_EFORMAT: a mean
 * too large for its variance; SN_ENOMEM. */
SN_NODISCARD sn_status sn_mllr_apply(const sn_mllr *m, const sn_am *am,
                                     sn_am **out, sn_err *err);
/* Both, and writes the adapted model's Gaussians as am.bin at `path`. SN_EIO.
 */
SN_NODISCARD sn_status sn_mllr_write(const sn_am *am, const sn_map_stats *s,
                                     const sn_mllr_opts *opts, const char *path,
                                     sn_mllr_report *report, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
