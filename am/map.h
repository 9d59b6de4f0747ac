/* SPDX-License-Identifier: Apache-2.0 */
/* am/map.h - maximum a posteriori adaptation of a model's Gaussians to new
 * data: what the old model says counts as `tau` frames of every Gaussian.
 *
 *   mean     (tau mu0 + sum g x) / (tau + sum g)
 *   variance (tau (var0 + mu0^2) + sum g x^2) / (tau + sum g) - mean^2
 *
 * A Gaussian without data stays as it was. Weights, transitions and the tree
 * stay: a search graph of the old model fits the new one.
 *
 * Source: Gauvain & Lee 1994, "Maximum a posteriori estimation for
 * multivariate Gaussian mixture observations of Markov chains", equations
 * (20), (21) for diagonal covariances with the prior's scale tau for means and
 * variances alike. */
#ifndef SN_AM_MAP_H
#define SN_AM_MAP_H
#include <stdbool.h>
#include <stdint.h>

#include "am/am.h"
#include "am/fmllr.h"
#include "base/opt.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Sums over frames; zeroed is empty. They depend on the order of the frames,
 * so add them in a fixed one. */
typedef struct sn_map_stats {
  size_t n_gauss;  /* of all codebooks and streams */
  size_t n_values; /* of all their means */
  double *count;   /* [n_gauss] */
  double *x, *xx;  /* [n_values], in the order of the model's means; xx NULL:
                      of means alone */
  double n_frames;
} sn_map_stats;
SN_NODISCARD sn_status sn_map_stats_init(sn_map_stats *s, const sn_am *am,
                                         sn_err *err);
/* The same for what needs no squares (MLLR of means). */
SN_NODISCARD sn_status sn_map_stats_init_means(sn_map_stats *s, const sn_am *am,
                                               sn_err *err);
void sn_map_stats_clear(sn_map_stats *s); /* zeroed: fine */
/* to += from, both of one model and kind. */
void sn_map_stats_add(sn_map_stats *to, const sn_map_stats *from);
/* A frame x [D] that belongs to `pdf`, by the posteriors of its Gaussians. */
void sn_map_stats_frame(sn_map_stats *s, const sn_am *am, sn_fmllr_work *w,
                        int32_t pdf, const float *x);
/* The part `weight` of the frame, by the posteriors that the Gaussians have in
 * for_posteriors: am itself, or am with other means. */
void sn_map_stats_part(sn_map_stats *s, const sn_am *am,
                       const sn_am *for_posteriors, sn_fmllr_work *w,
                       int32_t pdf, double weight, const float *x);

typedef struct sn_map_opts {
  double tau; /* frames */
  bool means, variances;
  double var_floor; /* of new variances, as a part of the old ones */
} sn_map_opts;
extern const sn_opt sn_map_opt_table[];

typedef struct sn_map_report {
  int64_t n_gauss, n_moved; /* n_moved: with at least one frame */
  int64_t n_floored;        /* variances */
  double shift;             /* mean |new - old| of moved means in old standard
                               deviations */
} sn_map_report;
/* Writes the adapted model's Gaussians as am.bin at `path`. */
SN_NODISCARD sn_status sn_map_write(const sn_am *am, const sn_map_stats *s,
                                    const sn_map_opts *opts, const char *path,
                                    sn_map_report *report, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
