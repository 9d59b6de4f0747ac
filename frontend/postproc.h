/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/postproc.h - what happens to frames after the front end: deltas,
 * splicing, cepstral mean and variance normalisation, linear transforms.
 *
 * Each operation has two forms that give the same numbers, bit for bit: over
 * a whole matrix, and as a stage (sn_pp) that frames are pushed into and
 * pulled from. Kaldi's add-deltas, splice-feats, compute-cmvn-stats,
 * apply-cmvn, apply-cmvn-sliding and transform-feats are the yardstick.
 *
 * Shapes: frames are rows, [T x D]. `in` and `out` never overlap. */
#ifndef SN_FRONTEND_POSTPROC_H
#define SN_FRONTEND_POSTPROC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Deltas and splicing ---- */

/* Limits of what is accepted; Kaldi's own checks stop at 1000. */
#define SN_DELTA_MAX_ORDER 16
#define SN_CONTEXT_MAX 1000

/* Frame, deltas, deltas of deltas, ... side by side: regression over `window`
 * frames on each side, the first and last frame repeated beyond the ends.
 * out [T x D * (order + 1)].
 * Errors: SN_EARG (order not 0..SN_DELTA_MAX_ORDER, window not
 * 1..SN_CONTEXT_MAX), SN_ENOMEM.
 * Source: Furui 1986; HTK book 5.9, with normaliser sum(j^2) per order. */
SN_NODISCARD sn_status sn_deltas(int32_t order, int32_t window, sn_cmat in,
                                 sn_mat out, sn_err *err);

/* Frames t - left .. t + right side by side, oldest first, the first and last
 * frame repeated beyond the ends. out [T x D * (left + 1 + right)].
 * Errors: SN_EARG (not 0..SN_CONTEXT_MAX), SN_ENOMEM. */
SN_NODISCARD sn_status sn_splice(int32_t left, int32_t right, sn_cmat in,
                                 sn_mat out, sn_err *err);

/* ---- CMVN over an utterance or a speaker ---- */

/* Sums over frames: Kaldi's [2 x (D + 1)] statistics, row by row. */
typedef struct sn_cmvn_stats {
  size_t dim;
  double count;
  double *sum, *sumsq; /* [dim] each */
} sn_cmvn_stats;

SN_NODISCARD sn_status sn_cmvn_stats_create(size_t dim, sn_cmvn_stats **out,
                                            sn_err *err);
void sn_cmvn_stats_destroy(sn_cmvn_stats *s); /* NULL is fine */
void sn_cmvn_stats_reset(sn_cmvn_stats *s);
void sn_cmvn_stats_add(sn_cmvn_stats *s, sn_cmat frames);
void sn_cmvn_stats_add_frame(sn_cmvn_stats *s, const float *frame);
/* into += from; same dim. */
void sn_cmvn_stats_merge(sn_cmvn_stats *into, const sn_cmvn_stats *from);
/* From / to a [2 x (D + 1)] matrix as in Kaldi's archives. from: SN_EFORMAT
 * when the shape is another or a number is not finite or the count is
 * negative. to: m has that shape. */
SN_NODISCARD sn_status sn_cmvn_stats_from_mat(sn_cmat m, sn_cmvn_stats **out,
                                              sn_err *err);
void sn_cmvn_stats_to_mat(const sn_cmvn_stats *s, sn_mat m);

typedef struct sn_cmvn_opts {
  bool norm_means, norm_vars; /* vars only together with means, as in Kaldi */
} sn_cmvn_opts;

/* frames [T x D], in place: (x - mean) and, with norm_vars, / deviation.
 * Variances below 1e-20 are raised to that.
 * Errors: SN_EMISMATCH (dim), SN_EARG (fewer than one frame counted; variances
 * without means). */
SN_NODISCARD sn_status sn_cmvn_apply(const sn_cmvn_stats *s, sn_cmvn_opts opts,
                                     sn_mat frames, sn_err *err);

/* Statistics by speaker: add utterances under their speaker's name (utt2spk;
 * without one the utterance's own id), then look each one up. */
typedef struct sn_spk_cmvn sn_spk_cmvn;
SN_NODISCARD sn_status sn_spk_cmvn_create(size_t dim, sn_spk_cmvn **out,
                                          sn_err *err);
void sn_spk_cmvn_destroy(sn_spk_cmvn *s); /* NULL is fine */
SN_NODISCARD sn_status sn_spk_cmvn_add(sn_spk_cmvn *s, const char *speaker,
                                       sn_cmat frames, sn_err *err);
/* Borrowed until the next add; NULL for a speaker without frames. */
const sn_cmvn_stats *sn_spk_cmvn_find(const sn_spk_cmvn *s,
                                      const char *speaker);

/* ---- Sliding CMVN ---- */

typedef struct sn_sliding_opts {
  int32_t window;     /* frames; 600 */
  int32_t min_window; /* at the start of the utterance; 100; not if center */
  bool center;        /* window around the frame, else the frames up to it */
  bool norm_vars;
} sn_sliding_opts;
extern const sn_sliding_opts sn_sliding_defaults; /* Kaldi's */

/* out [T x D]. At the ends the window is moved, not shortened, where there are
 * frames enough. Without center a window holds window + 1 frames, as Kaldi's.
 * Errors: SN_EARG (window or min_window not 1..1,000,000), SN_ENOMEM. */
SN_NODISCARD sn_status sn_sliding_cmvn(const sn_sliding_opts *opts, sn_cmat in,
                                       sn_mat out, sn_err *err);

/* ---- Linear transforms (LDA, MLLT, fMLLR) ---- */

/* y = A x + b, from a matrix [out x in] (linear) or [out x (in + 1)] (affine:
 * b is the last column). Immutable; share it. */
typedef struct sn_transform sn_transform;
/* Kaldi matrix file, text or binary. Errors: SN_EIO, SN_EFORMAT (also a number
 * that is not finite), SN_ENOMEM. */
SN_NODISCARD sn_status sn_transform_load(const char *path, sn_transform **out,
                                         sn_err *err);
/* Copies m. SN_EARG when it is empty or has a number that is not finite. */
SN_NODISCARD sn_status sn_transform_create(sn_cmat m, sn_transform **out,
                                           sn_err *err);
void sn_transform_destroy(sn_transform *t); /* NULL is fine */
size_t sn_transform_out_dim(const sn_transform *t);
/* Whether frames of in_dim can be transformed, linear or affine; SN_EMISMATCH
 * says both numbers. */
SN_NODISCARD sn_status sn_transform_check(const sn_transform *t, size_t in_dim,
                                          sn_err *err);
/* in [in_dim], out [out_dim]; in_dim must have passed sn_transform_check. */
void sn_transform_frame(const sn_transform *t, const float *in, size_t in_dim,
                        float *out);
/* in [T x in_dim], out [T x out_dim]. */
SN_NODISCARD sn_status sn_transform_apply(const sn_transform *t, sn_cmat in,
                                          sn_mat out, sn_err *err);

/* ---- Stages: the streaming form ----
 *
 * push frames in order, pull them in the same order; every frame pushed comes
 * out once, with the position that it came with. After finish all are ready.
 * Nothing is allocated per frame once the buffers have reached their size
 * (sn_pp_utterance holds the whole utterance). One thread. */
typedef struct sn_pp sn_pp;

SN_NODISCARD sn_status sn_pp_deltas_create(size_t dim, int32_t order,
                                           int32_t window, sn_pp **out,
                                           sn_err *err);
SN_NODISCARD sn_status sn_pp_splice_create(size_t dim, int32_t left,
                                           int32_t right, sn_pp **out,
                                           sn_err *err);
/* Waits for min_window frames (center: half a window), then goes with the
 * audio; min_window 1 has no delay. */
SN_NODISCARD sn_status sn_pp_sliding_create(size_t dim,
                                            const sn_sliding_opts *opts,
                                            sn_pp **out, sn_err *err);
/* Mean (and variance) of the whole utterance: nothing before finish. */
SN_NODISCARD sn_status sn_pp_utterance_create(size_t dim, sn_cmvn_opts opts,
                                              sn_pp **out, sn_err *err);
/* Given statistics (a speaker's); copied. */
SN_NODISCARD sn_status sn_pp_fixed_create(const sn_cmvn_stats *stats,
                                          sn_cmvn_opts opts, sn_pp **out,
                                          sn_err *err);
/* t is borrowed until destroy. */
SN_NODISCARD sn_status sn_pp_transform_create(const sn_transform *t, size_t dim,
                                              sn_pp **out, sn_err *err);
void sn_pp_destroy(sn_pp *p); /* NULL is fine */
size_t sn_pp_in_dim(const sn_pp *p);
size_t sn_pp_out_dim(const sn_pp *p);
/* SN_ENOMEM; the stage is then as before. */
SN_NODISCARD sn_status sn_pp_push(sn_pp *p, const float *frame,
                                  int64_t position, sn_err *err);
/* No more frames will come. Cannot fail. */
void sn_pp_finish(sn_pp *p);
size_t sn_pp_n_ready(const sn_pp *p);
/* Takes the oldest; n_ready must be > 0. position may be NULL. */
void sn_pp_pull(sn_pp *p, float *frame, int64_t *position);
/* Ready for the next utterance; keeps memory. */
void sn_pp_reset(sn_pp *p);

/* Moves every frame that is ready in p into `to`. scratch [out_dim of p].
 * SN_ENOMEM: the frame that did not fit is lost; reset both. */
SN_NODISCARD sn_status sn_pp_pump(sn_pp *p, sn_pp *to, float *scratch,
                                  sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
