/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/wordgraph_class.c - grammars in the place of words of an n-gram model.
 *
 * An arc of a class's word, from history h to d, becomes a way through a copy
 * of the class's word graph, which begins in an arc without a word from h at
 * the arc's cost and ends in d. All arcs of a class into one d share a copy:
 * how the words go on depends on d alone, and what was paid on the way in is
 * paid. So a class costs as many copies as the model has histories that end in
 * it, not as many as it has n-grams.
 *
 * 1. The pairs (class, d) that occur, in order; each gets the states from
 *    base on, as many as the class has states that go on.
 * 2. A state's arcs of classes become arcs to their copies' beginnings, behind
 *    its other arcs: what stands first counts as a back-off (expand.c,
 *    home_of).
 * 3. The copies. Arcs into a state that only ends lead to d at once; one that
 *    ends or goes on gets an arc without a word to d behind its words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

typedef struct copy {
  int32_t class_id, dest;
  int32_t base; /* its first state */
} copy;

typedef struct inserter {
  sni_wordgraph *g;
  const sni_wordgraph *classes; /* [n] */
  size_t n;
  int32_t **words;  /* [n][words of the class] in g */
  int32_t **number; /* [n][states of the class] in a copy; -1: only ends */
  SN_ARR(copy) copies;
  sni_wordgraph out; /* first, arcs, final */
} inserter;

static int by_class_and_dest(const void *a, const void *b) {
  const copy *const x = a, *const y = b;
  if (x->class_id != y->class_id) return x->class_id < y->class_id ? -1 : 1;
  return (x->dest > y->dest) - (x->dest < y->dest);
}

static bool goes_on(const sni_wordgraph *c, int32_t state) {
  return c->first.data[state] < c->first.data[state + 1];
}

/* Numbers the states of class k; *n: how many a copy has. */
static sn_status number_class(inserter *x, size_t k, int32_t *n, sn_err *err) {
  const sni_wordgraph *const c = &x->classes[k];
  x->number[k] = sn_calloc((size_t)c->n_states, sizeof **x->number);
  if (x->number[k] == NULL) return sn_fail_nomem(err, "classes");
  *n = 0;
  for (int32_t s = 0; s < c->n_states; s++)
    x->number[k][s] = goes_on(c, s) ? (*n)++ : -1;
  return SN_OK;
}

/* Step 1. */
static sn_status find_copies(inserter *x, sn_err *err) {
  const sni_wordgraph *const g = x->g;
  for (size_t i = 0; i < g->arcs.n; i++) {
    const sni_g_arc *const a = &g->arcs.data[i];
    const copy c = {SNI_CLASS_OF(a->word), a->dest, 0};
    if (a->word <= SNI_CLASS_WORD(0)) SN_TRY(SN_ARR_PUSH(&x->copies, c, err));
  }
  if (x->copies.n > 0)
    qsort(x->copies.data, x->copies.n, sizeof *x->copies.data,
          by_class_and_dest);
  size_t n = 0;
  for (size_t i = 0; i < x->copies.n; i++)
    if (i == 0 ||
        by_class_and_dest(&x->copies.data[i], &x->copies.data[n - 1]) != 0)
      x->copies.data[n++] = x->copies.data[i];
  x->copies.n = n;
  int64_t base = g->n_states;
  int32_t n_states[SN_WORD_CLASS_MAX];
  for (size_t k = 0; k < x->n; k++)
    SN_TRY(number_class(x, k, &n_states[k], err));
  for (size_t i = 0; i < n; i++) {
    x->copies.data[i].base = (int32_t)base;
    base += n_states[x->copies.data[i].class_id];
    if (base >= INT32_MAX)
      return sn_fail(err, SN_ELIMIT,
                     "the classes make G too large: %zu histories end in one; "
                     "prune the language model or make the classes smaller",
                     n);
  }
  x->out.n_states = (int32_t)base;
  return SN_OK;
}

static sn_status add_arc(inserter *x, int32_t word, int32_t dest, double cost,
                         sn_err *err) {
  const sni_g_arc a = {word, dest, (float)cost};
  if (x->out.arcs.n >= UINT32_MAX - 1)
    return sn_fail(err, SN_ELIMIT,
                   "the classes make G too large: more than 4e9 arcs");
  return SN_ARR_PUSH(&x->out.arcs, a, err);
}

/* Step 2. */
static sn_status add_old_state(inserter *x, int32_t s, sn_err *err) {
  const sni_wordgraph *const g = x->g;
  SN_TRY(SN_ARR_PUSH(&x->out.first, (uint32_t)x->out.arcs.n, err));
  SN_TRY(SN_ARR_PUSH(&x->out.final, g->final.data[s], err));
  for (int classes = 0; classes < 2; classes++)
    for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++) {
      const sni_g_arc *const a = &g->arcs.data[i];
      const int32_t k = SNI_CLASS_OF(a->word);
      if ((a->word <= SNI_CLASS_WORD(0)) != (classes != 0)) continue;
      if (classes == 0) {
        SN_TRY(add_arc(x, a->word, a->dest, (double)a->cost, err));
        continue;
      }
      const copy key = {k, a->dest, 0};
      const copy *const c = bsearch(&key, x->copies.data, x->copies.n,
                                    sizeof *x->copies.data, by_class_and_dest);
      SN_ASSERT(c != NULL);
      const int32_t start = x->number[k][x->classes[k].start];
      SN_TRY(add_arc(x, -1, c->base + start, (double)a->cost, err));
    }
  return SN_OK;
}

/* Step 3. */
static sn_status add_copy(inserter *x, const copy *c, sn_err *err) {
  const sni_wordgraph *const from = &x->classes[c->class_id];
  const int32_t *const number = x->number[c->class_id];
  const int32_t *const words = x->words[c->class_id];
  const double end = (double)x->g->final.data[c->dest];
  for (int32_t s = 0; s < from->n_states; s++) {
    if (number[s] < 0) continue;
    const double leave = (double)from->final.data[s];
    SN_TRY(SN_ARR_PUSH(&x->out.first, (uint32_t)x->out.arcs.n, err));
    SN_TRY(SN_ARR_PUSH(&x->out.final, (float)(leave + end), err));
    for (uint32_t i = from->first.data[s]; i < from->first.data[s + 1]; i++) {
      const sni_g_arc *const a = &from->arcs.data[i];
      const int32_t to = number[a->dest];
      const double ends = to < 0 ? (double)from->final.data[a->dest] : 0.0;
      SN_TRY(add_arc(x, words[a->word], to < 0 ? c->dest : c->base + to,
                     (double)a->cost + ends, err));
    }
    if (isfinite(leave)) SN_TRY(add_arc(x, -1, c->dest, leave, err));
  }
  return SN_OK;
}

static sn_status insert(inserter *x, sn_err *err) {
  for (size_t k = 0; k < x->n; k++)
    SN_TRY(sni_wordgraph_merge_words(x->g, &x->classes[k], &x->words[k], err));
  SN_TRY(find_copies(x, err));
  for (int32_t s = 0; s < x->g->n_states; s++) SN_TRY(add_old_state(x, s, err));
  for (size_t i = 0; i < x->copies.n; i++)
    SN_TRY(add_copy(x, &x->copies.data[i], err));
  return SN_ARR_PUSH(&x->out.first, (uint32_t)x->out.arcs.n, err);
}

sn_status sni_wordgraph_insert_classes(sni_wordgraph *g,
                                       const sni_wordgraph *classes, size_t n,
                                       sn_err *err) {
  SN_ASSERT(n <= SN_WORD_CLASS_MAX);
  inserter x = {.g = g, .classes = classes, .n = n};
  sn_status s = SN_OK;
  x.words = sn_calloc(n + 1, sizeof *x.words);
  x.number = sn_calloc(n + 1, sizeof *x.number);
  if (x.words == NULL || x.number == NULL)
    s = sn_fail_nomem(err, "classes");
  else
    s = insert(&x, err);
  for (size_t k = 0; k < n; k++) {
    if (x.words != NULL) sn_free(x.words[k]);
    if (x.number != NULL) sn_free(x.number[k]);
  }
  sn_free(x.words);
  sn_free(x.number);
  SN_ARR_FREE(&x.copies);
  if (s == SN_OK) {
    SN_ARR_FREE(&g->first);
    SN_ARR_FREE(&g->arcs);
    SN_ARR_FREE(&g->final);
    memcpy(&g->first, &x.out.first, sizeof g->first);
    memcpy(&g->arcs, &x.out.arcs, sizeof g->arcs);
    memcpy(&g->final, &x.out.final, sizeof g->final);
    g->n_states = x.out.n_states;
  } else {
    sni_wordgraph_clear(&x.out);
  }
  return s;
}
