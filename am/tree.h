/* SPDX-License-Identifier: Apache-2.0 */
/* am/tree.h - phonetic decision trees: which pdf an HMM state in context has.
 *
 * Statistics are one diagonal Gaussian for each (phone, left, right, position,
 * state) that was seen. Questions are sets of phones, for the left or right
 * context, from a clustering of the phones; the word position; the state. A
 * leaf is split by the question that gains most likelihood, the best leaf
 * first, until there are enough; leaves of one root that lose less by being
 * one than the last split gained are joined.
 * Source: Young, Odell, Woodland 1994 (tree-based state tying); Povey et al.
 * 2011 (shared roots, questions by clustering). */
#ifndef SN_AM_TREE_H
#define SN_AM_TREE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_tree_ctx {
  int32_t phone, left, right, pos, state;
} sn_tree_ctx;

/* Gaussian statistics by context; sums in double. Zeroed with dim set is
 * empty; owned by the caller. */
typedef struct sn_tree_stats {
  size_t dim, n, cap;
  sn_tree_ctx *ctx; /* [n], in order of first appearance */
  double *occ;      /* [n] */
  double *sums;     /* [n][2 D]: sum, sum of squares */
  int32_t *slots;   /* hash */
  size_t n_slots;
} sn_tree_stats;
SN_NODISCARD sn_status sn_tree_stats_frame(sn_tree_stats *s, sn_tree_ctx ctx,
                                           const float *x, sn_err *err);
SN_NODISCARD sn_status sn_tree_stats_add(sn_tree_stats *to,
                                         const sn_tree_stats *from,
                                         sn_err *err);
void sn_tree_stats_clear(sn_tree_stats *s);

typedef enum sn_tree_roots {
  SN_ROOTS_PHONE, /* the states of a phone begin in one root */
  SN_ROOTS_STATE  /* each state has a root of its own */
} sn_tree_roots;

typedef struct sn_tree_opts {
  int32_t n_phones, n_states, silence, max_leaves;
  int32_t roots; /* sn_tree_roots */
  double min_count;
  bool word_pos; /* ask for it */
} sn_tree_opts;

typedef struct sn_tree sn_tree;
/* Silence has a pdf for each state and is never split. SN_EARG: fewer leaves
 * than roots are asked for, with both numbers; SN_ENOMEM. */
SN_NODISCARD sn_status sn_tree_build(const sn_tree_stats *s,
                                     const sn_tree_opts *o, sn_tree **out,
                                     sn_err *err);
void sn_tree_destroy(sn_tree *t); /* NULL is fine */
int32_t sn_tree_n_pdfs(const sn_tree *t);
/* The pdf of any context, seen or not. */
int32_t sn_tree_pdf(const sn_tree *t, const sn_tree_ctx *c);
const sn_tree_opts *sn_tree_opts_of(const sn_tree *t);
/* Adds the tree as JSON (docs/train.md). phones: [n_phones] names. */
SN_NODISCARD sn_status sn_tree_json(const sn_tree *t, const char *const *phones,
                                    sn_str *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
