/* SPDX-License-Identifier: Apache-2.0 */
/* Better probabilities for a Kneser-Ney model, before pruning chooses by them.
 *
 * Kneser-Ney takes the same off every n-gram of a count. But of n-grams that
 * were seen once, those that backing off expects come again ten times as often
 * as those that it does not expect: proper names, quotations, slips. Pruning
 * finds just these the most worth keeping. Church & Gale 1991 ("A comparison of
 * the enhanced Good-Turing and deleted estimation methods for estimating
 * probabilities of English bigrams") apply the formula of Good (1953) to
 * n-grams of about the same expected count, each group on its own; here it
 * corrects what Kneser-Ney says:
 *
 * 1. Counts c and their sums C are found again in the model (prune_counts.c).
 * 2. An n-gram (h, w) is expected, before it is seen,
 *      e = C backoff(h) p(w | h')
 *    times; its class is c (from 7 on: half an octave of c), its group e to a
 *    power of 4. Kneser-Ney expects it c - D(c) + e times more in a text like
 *    the first one, Good-Turing says that all those of a class and group come
 *    the sum of c over the n-grams of count one more, together.
 * 3. Each p(w | h) is multiplied by what its class and group have by
 * Good-Turing over what they have by Kneser-Ney, where PRIOR times were seen to
 * agree. What h leaves to other words grows or shrinks with it, but is left a
 * half.
 * 4. Shorter histories first, since e depends on them. Below the highest order
 *    counts are those of different words before, and "come again" means behind
 *    another word.
 *
 * Held-out perplexities of whole and of pruned models: docs/lm.md.
 * Source besides: Good 1953, "The population frequencies of species". */
#include <math.h>

#include "base/mem.h"
#include "lm/prune_internal.h"

#define FIRST_OCTAVE 7 /* counts that share their class */
#define N_CLASSES 64
#define N_GROUPS 32
#define GROUP_OF_1 24
/* Chosen on held-out text, as the widths of classes and groups (docs/lm.md). */
#define PRIOR 100.0
#define MIN_LEFT 0.5

typedef struct table {
  double seen[N_CLASSES][N_GROUPS];     /* by Good-Turing */
  double expected[N_CLASSES][N_GROUPS]; /* by the model */
} table;

static int class_of(int32_t count) {
  if (count < FIRST_OCTAVE) return count;
  return FIRST_OCTAVE + (int)(2.0 * log2((double)count / FIRST_OCTAVE));
}

static int group_of(double e) {
  const double g = floor(log2(e) / 2.0) + GROUP_OF_1;
  return g < 0.0 ? 0 : g >= N_GROUPS ? N_GROUPS - 1 : (int)g;
}

/* A history whose words are corrected. */
typedef struct corrected {
  sn_ngram_state h;
  int64_t first, n;
  double total, backoff;
} corrected;

static corrected corrected_of(const sni_weights *w, const sni_model_counts *m,
                              sn_ngram_state h) {
  corrected x = {.h = h, .total = (double)m->total[h.level][h.node]};
  x.n = sn_ngram_children(w->lm, h, &x.first);
  x.backoff = exp((double)w->backoff[h.level][h.node]);
  return x;
}

/* e of the word that child i is. */
static double expects(const sni_weights *w, const corrected *x, int64_t i) {
  return x->total * x->backoff *
         exp(sni_backed_off_logp(w, x->h, x->h.level + 1, i));
}

/* Step 2. */
static void add_history(table *t, const sni_weights *w,
                        const sni_model_counts *m, const corrected *x) {
  const int32_t k = x->h.level + 1;
  for (int64_t i = x->first; i < x->first + x->n; i++) {
    const int32_t c = m->count[k][i];
    const double e = expects(w, x, i);
    const int g = group_of(e);
    if (c > 1) t->seen[class_of(c - 1)][g] += (double)c;
    t->expected[class_of(c)][g] +=
        (double)c - sni_discount_of(m->discount[k], (double)c) + e;
  }
}

/* Step 3. e of all words is as it was: the shorter histories have theirs. */
static void correct(const table *t, sni_weights *w, const sni_model_counts *m,
                    const corrected *x) {
  const int32_t k = x->h.level + 1;
  double before = 0.0, after = 0.0;
  for (int64_t i = x->first; i < x->first + x->n; i++) {
    const int c = class_of(m->count[k][i]), g = group_of(expects(w, x, i));
    const double p = exp((double)w->logp[k][i]);
    const double by = (t->seen[c][g] + PRIOR) / (t->expected[c][g] + PRIOR);
    before += p;
    after += by * p;
    w->logp[k][i] = (float)(log(p) + log(by));
  }
  const double most = 1.0 - MIN_LEFT * fmax(0.0, 1.0 - before);
  if (after <= most) return;
  for (int64_t i = x->first; i < x->first + x->n; i++)
    w->logp[k][i] += (float)log(most / after);
}

static sn_status resmooth_level(table *t, sni_weights *w,
                                const sni_model_counts *m, int32_t k,
                                sn_log *log, sn_err *err) {
  static const table zero;
  *t = zero;
  for (int pass = 0; pass < 2; pass++)
    for (int64_t i = 0; i < w->lm->level[k - 1].n; i++) {
      const sn_ngram_state h = {k - 1, i};
      if ((i & 0xffff) == 0 && sn_log_cancelled(log))
        return sn_fail(err, SN_ECANCEL, "pruning: interrupted");
      if (m->total[k - 1][i] == 0) continue;
      const corrected x = corrected_of(w, m, h);
      if (pass == 0)
        add_history(t, w, m, &x);
      else
        correct(t, w, m, &x);
    }
  return SN_OK;
}

sn_status sni_resmooth(sni_weights *w, bool *is_done, sn_log *log,
                       sn_err *err) {
  sni_model_counts m = {0};
  table *const t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "pruning");
  sn_status s = sni_model_counts_find(&m, w, is_done, log, err);
  for (int32_t k = 2; k <= w->lm->order && s == SN_OK && *is_done; k++) {
    s = resmooth_level(t, w, &m, k, log, err);
    if (s == SN_OK) s = sni_normalise_level(w, k - 1, log, err);
  }
  sni_model_counts_clear(&m);
  sn_free(t);
  return s;
}
