/* SPDX-License-Identifier: Apache-2.0 */
/* The n best sentences of an utterance whose lattice came in portions.
 *
 * A path of the whole is one of each portion, and costs their sum. Of the best
 * beginnings (sorted) and the best of the next portion (sorted), the sum of the
 * i-th and the j-th has (i + 1)(j + 1) - 1 that are as good or better; so the n
 * best are among those with (i + 1)(j + 1) <= n, about n ln n of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

/* A beginning: one of those of the portion before (-1: none), and a sentence.
 */
typedef struct beginning {
  double cost; /* above the best of all */
  int32_t before, sentence;
} beginning;

typedef struct beginnings {
  SN_ARR(beginning) list;
} beginnings;

static int by_cost(const void *a, const void *b) {
  const beginning *const x = a, *const y = b;
  if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
  if (x->before != y->before) return x->before < y->before ? -1 : 1;
  return x->sentence < y->sentence ? -1 : x->sentence > y->sentence;
}

/* before NULL: the first portion. */
static sn_status combine(const beginnings *before, const sni_portion *p,
                         size_t n, beginnings *out, sn_err *err) {
  const size_t n_before = before != NULL ? before->list.n : 1;
  for (size_t i = 0; i < n_before; i++)
    for (size_t j = 0; j < p->nbest.n && (i + 1) * (j + 1) <= n; j++) {
      const double sum = p->nbest.data[j].posterior +
                         (before != NULL ? before->list.data[i].cost : 0.0);
      const beginning x = {sum, before != NULL ? (int32_t)i : -1, (int32_t)j};
      SN_TRY(SN_ARR_PUSH(&out->list, x, err));
    }
  if (out->list.n > 0)
    qsort(out->list.data, out->list.n, sizeof *out->list.data, by_cost);
  if (out->list.n > n) out->list.n = n;
  return SN_OK;
}

/* Sentence i of the last portion's beginnings, from its end. */
static sn_status trace_back(const sni_portions *p, const beginnings *all,
                            size_t i, sni_sentence *out, sn_err *err) {
  size_t n_words = 0;
  double total = 0.0;
  int32_t at = (int32_t)i;
  for (size_t k = p->list.n; k-- > 0;) {
    const beginning *const b = &all[k].list.data[at];
    n_words += p->list.data[k].nbest.data[b->sentence].words.n;
    at = b->before;
  }
  SN_TRY(SN_ARR_RESIZE(&out->words, n_words, err));
  at = (int32_t)i;
  for (size_t k = p->list.n; k-- > 0;) {
    const beginning *const b = &all[k].list.data[at];
    const sni_sentence *const s = &p->list.data[k].nbest.data[b->sentence];
    n_words -= s->words.n;
    if (s->words.n > 0)
      memcpy(out->words.data + n_words, s->words.data,
             s->words.n * sizeof *s->words.data);
    out->graph += s->graph;
    out->acoustic += s->acoustic;
    total += s->posterior - p->list.data[k].total;
    at = b->before;
  }
  out->posterior = fmin(exp(-total), 1.0);
  return SN_OK;
}

static sn_status make(const sni_portions *p, size_t n, beginnings *all,
                      sni_answer *a, sn_err *err) {
  const size_t n_portions = p->list.n;
  for (size_t k = 0; k < n_portions; k++)
    SN_TRY(
        combine(k > 0 ? &all[k - 1] : NULL, &p->list.data[k], n, &all[k], err));
  for (size_t i = 0; i < all[n_portions - 1].list.n; i++) {
    const sni_sentence none = {{0}, 0.0, 0.0, 0.0};
    SN_TRY(SN_ARR_PUSH(&a->nbest, none, err));
    SN_TRY(trace_back(p, all, i, &a->nbest.data[a->nbest.n - 1], err));
  }
  return SN_OK;
}

sn_status sni_sentences_make(const sni_portions *p, size_t n, sni_answer *a,
                             sn_err *err) {
  if (p->list.n == 0) return SN_OK;
  beginnings *const all = sn_calloc(p->list.n, sizeof *all);
  if (all == NULL) return sn_fail_nomem(err, "n best sentences");
  const sn_status s = make(p, n, all, a, err);
  for (size_t k = 0; k < p->list.n; k++) SN_ARR_FREE(&all[k].list);
  sn_free(all);
  return s;
}
