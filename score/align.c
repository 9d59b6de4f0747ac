/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic programming over the cells (i, j): the least cost of aligning the
 * first i reference symbols with the first j hypothesis symbols.
 *   1. A row of costs is kept; of each cell the step that led to it, in two
 *      bits (an hour of speech, 10,000 words, takes 25 MB).
 *   2. From the end, the steps are followed back.
 * One 64-bit cost serves both kinds: sclite's 4/3/3, and errors in the upper
 * half with substitutions in the lower one, which orders by errors first. */
#include "score/align.h"

#include <string.h>

#include "base/mem.h"

int64_t sn_score_errors(const sn_score_counts *c) {
  return c->sub + c->del + c->ins;
}

enum { DIAGONAL = 0, DELETE = 1, INSERT = 2 };

static const size_t max_cells = (size_t)1 << 36;

typedef struct weights {
  uint64_t sub, gap;
} weights;

static void set_step(unsigned char *steps, size_t at, unsigned step) {
  steps[at / 4] = (unsigned char)((unsigned)steps[at / 4] |
                                  step << (2 * (unsigned)(at % 4)));
}

static unsigned get_step(const unsigned char *steps, size_t at) {
  return (unsigned)steps[at / 4] >> (2 * (unsigned)(at % 4)) & 3u;
}

/* 1: fills steps [(n_ref + 1) x (n_hyp + 1)], which start zeroed. */
static void fill(const int32_t *ref, size_t n_ref, const int32_t *hyp,
                 size_t n_hyp, weights w, uint64_t *row, unsigned char *steps) {
  const size_t cols = n_hyp + 1;
  for (size_t j = 0; j <= n_hyp; j++) {
    row[j] = j * w.gap;
    set_step(steps, j, INSERT);
  }
  for (size_t i = 1; i <= n_ref; i++) {
    uint64_t diagonal = row[0]; /* cell (i - 1, j - 1) */
    row[0] += w.gap;
    set_step(steps, i * cols, DELETE);
    for (size_t j = 1; j <= n_hyp; j++) {
      const uint64_t sub = diagonal + (ref[i - 1] == hyp[j - 1] ? 0 : w.sub);
      const uint64_t del = row[j] + w.gap, ins = row[j - 1] + w.gap;
      diagonal = row[j];
      unsigned step;
      if (sub <= del && sub <= ins) {
        row[j] = sub;
        step = DIAGONAL;
      } else if (del < ins) {
        row[j] = del;
        step = DELETE;
      } else {
        row[j] = ins;
        step = INSERT;
      }
      set_step(steps, i * cols + j, step);
    }
  }
}

/* 2: counts, and the operations from the last to the first. */
static size_t trace(const int32_t *ref, size_t n_ref, const int32_t *hyp,
                    size_t n_hyp, const unsigned char *steps,
                    sn_score_counts *counts, unsigned char *ops) {
  size_t i = n_ref, j = n_hyp, n = 0;
  *counts = (sn_score_counts){.n_ref = (int64_t)n_ref};
  while (i > 0 || j > 0) {
    const unsigned step = get_step(steps, i * (n_hyp + 1) + j);
    sn_align_op op;
    if (step == DIAGONAL) {
      i--;
      j--;
      op = ref[i] == hyp[j] ? SN_COR : SN_SUB;
    } else if (step == DELETE) {
      i--;
      op = SN_DEL;
    } else {
      j--;
      op = SN_INS;
    }
    counts->cor += op == SN_COR;
    counts->sub += op == SN_SUB;
    counts->del += op == SN_DEL;
    counts->ins += op == SN_INS;
    if (ops != NULL) ops[n] = (unsigned char)op;
    n++;
  }
  return n;
}

static void reverse(unsigned char *p, size_t n) {
  for (size_t i = 0; i < n / 2; i++) {
    const unsigned char t = p[i];
    p[i] = p[n - 1 - i];
    p[n - 1 - i] = t;
  }
}

sn_status sn_align(const int32_t *ref, size_t n_ref, const int32_t *hyp,
                   size_t n_hyp, sn_align_costs costs, sn_score_counts *counts,
                   unsigned char *ops, size_t *n_ops, sn_err *err) {
  SN_ASSERT(counts != NULL && (ops == NULL || n_ops != NULL));
  const weights w = costs == SN_ALIGN_SCLITE
                        ? (weights){4, 3}
                        : (weights){((uint64_t)1 << 32) + 1, (uint64_t)1 << 32};
  const size_t cols = n_hyp + 1;
  if (n_ref + 1 > max_cells / cols || n_hyp >= max_cells)
    return sn_fail(err, SN_ELIMIT,
                   "alignment of %zu with %zu symbols is too large; score "
                   "shorter utterances",
                   n_ref, n_hyp);
  uint64_t *const row = sn_calloc(cols, sizeof *row);
  unsigned char *const steps = sn_calloc((n_ref + 1) * cols / 4 + 1, 1);
  if (row == NULL || steps == NULL) {
    sn_free(row);
    sn_free(steps);
    return sn_fail(err, SN_ENOMEM,
                   "out of memory for the alignment of %zu with %zu symbols",
                   n_ref, n_hyp);
  }
  fill(ref, n_ref, hyp, n_hyp, w, row, steps);
  const size_t n = trace(ref, n_ref, hyp, n_hyp, steps, counts, ops);
  if (ops != NULL) {
    reverse(ops, n);
    *n_ops = n;
  }
  sn_free(row);
  sn_free(steps);
  return SN_OK;
}
