/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange algorithm. With N(a, b) pairs of neighbouring classes, L(a) and
 * R(b) its margins, and f(n) = n ln n, the log-likelihood of a text by its
 * class bigram is, but for a constant,
 *
 *   F = sum over a, b of f(N(a, b)) - sum over a of f(L(a)) + f(R(a))
 *
 * (Martin, Liermann & Ney 1998, equation 9). For each word w:
 * 1. its pairs with each class, from its neighbours;
 * 2. w is taken out of its class;
 * 3. what F gains in each class: only the rows and columns of classes that
 *    stand beside w change. They are visited one after the other, over all
 *    candidate classes at once, along rows of N and of its transpose;
 * 4. w is put where the gain is largest; where it was, unless another class is
 *    better by more than rounding.
 * Sums are taken in one order, so the result does not depend on the machine's
 * threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lm/classes.h"
#include "lm/count_internal.h"
#include "lm/exchange.h"

enum { N_FIXED = 3, N_TABLE = 1 << 16, MAX_CLASSES = 4096 };
#define MIN_GAIN 1e-6 /* nats; F is known to some 1e-9 of its terms */

const sn_opt sn_cluster_opt_table[] = {
    {"classes", SN_OPT_INT, offsetof(sn_cluster_opts, n_classes), 200, 1,
     MAX_CLASSES, NULL, "classes", "to find"},
    {"iterations", SN_OPT_INT, offsetof(sn_cluster_opts, max_iterations), 20, 0,
     10000, NULL, "", "passes over all words, at most"},
    SN_OPT_END};

static double nlogn(const sni_exchange *x, int64_t n) {
  if (n < N_TABLE) return x->nlogn[n];
  return (double)n * log((double)n);
}

/* ---- State ---- */

void sni_exchange_clear(sni_exchange *x) {
  SN_ARR_FREE(&x->before);
  SN_ARR_FREE(&x->after);
  void *const all[] = {x->first_before, x->first_after, x->left, x->right,
                       x->class_of,     x->n,           x->nt,   x->class_left,
                       x->class_right,  x->from,        x->to,   x->gain,
                       x->nlogn};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sn_free(all[i]);
  memset(x, 0, sizeof *x);
}

static sn_status make_arrays(sni_exchange *x, size_t n_pairs, sn_err *err) {
  const size_t words = (size_t)x->n_words, all = (size_t)x->n_all;
  SN_TRY(SN_ARR_RESIZE(&x->before, n_pairs, err));
  SN_TRY(SN_ARR_RESIZE(&x->after, n_pairs, err));
  x->first_before = sn_calloc(words + 1, sizeof *x->first_before);
  x->first_after = sn_calloc(words + 1, sizeof *x->first_after);
  x->left = sn_calloc(words, sizeof *x->left);
  x->right = sn_calloc(words, sizeof *x->right);
  x->class_of = sn_calloc(words, sizeof *x->class_of);
  x->n = sn_calloc(all * all, sizeof *x->n);
  x->nt = sn_calloc(all * all, sizeof *x->nt);
  x->class_left = sn_calloc(all, sizeof *x->class_left);
  x->class_right = sn_calloc(all, sizeof *x->class_right);
  x->from = sn_calloc(all, sizeof *x->from);
  x->to = sn_calloc(all, sizeof *x->to);
  x->gain = sn_calloc(all, sizeof *x->gain);
  x->nlogn = sn_calloc(N_TABLE, sizeof *x->nlogn);
  if (x->first_before == NULL || x->first_after == NULL || x->left == NULL ||
      x->right == NULL || x->class_of == NULL || x->n == NULL ||
      x->nt == NULL || x->class_left == NULL || x->class_right == NULL ||
      x->from == NULL || x->to == NULL || x->gain == NULL || x->nlogn == NULL)
    return sn_fail_nomem(err, "classes; ask for fewer");
  return SN_OK;
}

static void add_pair(sni_exchange *x, int32_t a, int32_t b, int64_t n) {
  x->n[(size_t)a * (size_t)x->n_all + (size_t)b] += n;
  x->nt[(size_t)b * (size_t)x->n_all + (size_t)a] += n;
}

sn_status sni_exchange_init(sni_exchange *x, const sni_word_pair *pairs,
                            size_t n_pairs, int32_t n_words,
                            const int32_t *class_of, int32_t n_classes,
                            sn_err *err) {
  memset(x, 0, sizeof *x);
  x->n_words = n_words;
  x->n_classes = n_classes;
  x->n_all = n_classes + N_FIXED;
  SN_TRY(make_arrays(x, n_pairs, err));
  for (int32_t i = 1; i < N_TABLE; i++)
    x->nlogn[i] = (double)i * log((double)i);
  for (int32_t w = 0; w < n_words; w++)
    x->class_of[w] = w < N_FIXED ? n_classes + w : class_of[w];
  for (size_t i = 0; i < n_pairs; i++) {
    x->first_after[pairs[i].first + 1]++;
    x->first_before[pairs[i].second + 1]++;
  }
  for (int32_t w = 0; w < n_words; w++) {
    x->first_after[w + 1] += x->first_after[w];
    x->first_before[w + 1] += x->first_before[w];
  }
  for (size_t i = n_pairs; i-- > 0;) { /* filled from the end of each list */
    const sni_word_pair *const p = &pairs[i];
    const int32_t a = x->class_of[p->first], b = x->class_of[p->second];
    const sni_pair next = {p->second, p->count}, prev = {p->first, p->count};
    x->after.data[--x->first_after[p->first + 1]] = next;
    x->before.data[--x->first_before[p->second + 1]] = prev;
    add_pair(x, a, b, p->count);
    x->left[p->first] += p->count;
    x->right[p->second] += p->count;
    x->class_left[a] += p->count;
    x->class_right[b] += p->count;
  }
  /* The lists' beginnings now stand one place too high. */
  for (int32_t w = 0; w < n_words; w++) {
    x->first_after[w] = x->first_after[w + 1];
    x->first_before[w] = x->first_before[w + 1];
  }
  x->first_after[n_words] = x->first_before[n_words] = (uint32_t)n_pairs;
  return SN_OK;
}

double sni_exchange_logp(const sni_exchange *x) {
  const size_t all = (size_t)x->n_all;
  double sum = 0.0;
  for (size_t i = 0; i < all * all; i++) sum += nlogn(x, x->n[i]);
  for (size_t a = 0; a < all; a++)
    sum -= nlogn(x, x->class_left[a]) + nlogn(x, x->class_right[a]);
  return sum;
}

/* ---- One word ---- */

/* Step 1; pairs of w with itself are returned. */
static int64_t count_neighbours(sni_exchange *x, int32_t w) {
  int64_t own = 0;
  memset(x->from, 0, (size_t)x->n_all * sizeof *x->from);
  memset(x->to, 0, (size_t)x->n_all * sizeof *x->to);
  for (uint32_t i = x->first_after[w]; i < x->first_after[w + 1]; i++) {
    const sni_pair p = x->after.data[i];
    if (p.word == w)
      own = p.count;
    else
      x->to[x->class_of[p.word]] += p.count;
  }
  for (uint32_t i = x->first_before[w]; i < x->first_before[w + 1]; i++) {
    const sni_pair p = x->before.data[i];
    if (p.word != w) x->from[x->class_of[p.word]] += p.count;
  }
  return own;
}

/* w in class a, sign 1, or out of it, -1. */
static void shift(sni_exchange *x, int32_t w, int32_t a, int64_t own,
                  int64_t sign) {
  for (int32_t b = 0; b < x->n_all; b++) {
    if (x->to[b] != 0) add_pair(x, a, b, sign * x->to[b]);
    if (x->from[b] != 0) add_pair(x, b, a, sign * x->from[b]);
  }
  add_pair(x, a, a, sign * own);
  x->class_left[a] += sign * x->left[w];
  x->class_right[a] += sign * x->right[w];
}

/* Step 3 for pairs with class b: gain[c] grows by f(row[c] + n) - f(row[c]),
 * for all c but b itself, whose pairs of both directions are one number. */
static void add_gains(sni_exchange *x, int32_t b, const int64_t *row,
                      int64_t n) {
  for (int32_t c = 0; c < x->n_classes; c++)
    if (c != b) x->gain[c] += nlogn(x, row[c] + n) - nlogn(x, row[c]);
}

void sni_exchange_take(sni_exchange *x, int32_t w) {
  const size_t all = (size_t)x->n_all;
  const int64_t own = count_neighbours(x, w);
  shift(x, w, x->class_of[w], own, -1);
  for (int32_t c = 0; c < x->n_classes; c++) {
    const int64_t n = x->n[(size_t)c * all + (size_t)c];
    const int64_t l = x->class_left[c], r = x->class_right[c];
    x->gain[c] = nlogn(x, n + x->to[c] + x->from[c] + own) - nlogn(x, n) -
                 nlogn(x, l + x->left[w]) + nlogn(x, l) -
                 nlogn(x, r + x->right[w]) + nlogn(x, r);
  }
  for (int32_t b = 0; b < x->n_all; b++) {
    if (x->to[b] != 0) add_gains(x, b, x->nt + (size_t)b * all, x->to[b]);
    if (x->from[b] != 0) add_gains(x, b, x->n + (size_t)b * all, x->from[b]);
  }
}

void sni_exchange_put(sni_exchange *x, int32_t w, int32_t class_id) {
  const int64_t own = count_neighbours(x, w);
  shift(x, w, class_id, own, 1);
  x->class_of[w] = class_id;
}

/* ---- All words ---- */

typedef struct ranked {
  int64_t count;
  int32_t word;
} ranked;

static int by_count(const void *a, const void *b) {
  const ranked *const x = a, *const y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return (x->word > y->word) - (x->word < y->word);
}

typedef struct cluster {
  sni_exchange x;
  SN_ARR(sni_word_pair) pairs;
  SN_ARR(ranked) order; /* words that move, most frequent first */
  int32_t *class_of;
  int32_t *rename; /* [classes] by first appearance in `order` */
  int64_t n_tokens;
  double constant; /* sum n(w) ln n(w) */
} cluster;

static sn_status read_pairs(cluster *c, sn_counts *counts, sn_err *err) {
  const uint32_t *r;
  const int32_t n_words = sn_symtab_n(counts->words);
  int64_t *n = sn_calloc((size_t)n_words, sizeof *n);
  if (n == NULL) return sn_fail_nomem(err, "classes");
  sn_status s = sni_counts_finish(counts, err);
  while (s == SN_OK) {
    s = sni_sorter_next(&counts->sorter, &r, err);
    if (s != SN_OK || r == NULL) break;
    const sni_word_pair p = {(int32_t)r[0], (int32_t)r[1],
                             sni_count_get(r + 2)};
    n[p.second] += p.count;
    if (c->pairs.n == UINT32_MAX)
      s = sn_fail(err, SN_ELIMIT, "more than 4e9 different pairs of words");
    if (s == SN_OK) s = SN_ARR_PUSH(&c->pairs, p, err);
    if (s == SN_OK && sn_log_cancelled(counts->log))
      s = sn_fail(err, SN_ECANCEL, "interrupted");
  }
  for (int32_t w = 0; w < n_words && s == SN_OK; w++) {
    const ranked item = {n[w], w};
    c->n_tokens += n[w];
    if (n[w] > 0) c->constant += (double)n[w] * log((double)n[w]);
    if (w >= N_FIXED && n[w] > 0) s = SN_ARR_PUSH(&c->order, item, err);
  }
  sn_free(n);
  return s;
}

static sn_status prepare(cluster *c, int32_t n_words, int32_t n_classes,
                         sn_err *err) {
  if (c->order.n == 0) return sn_fail(err, SN_EFORMAT, "the text has no words");
  if ((size_t)n_classes > c->order.n)
    return sn_fail(err, SN_EARG, "%d classes for %zu words", n_classes,
                   c->order.n);
  qsort(c->order.data, c->order.n, sizeof *c->order.data, by_count);
  c->class_of = sn_calloc((size_t)n_words, sizeof *c->class_of);
  if (c->class_of == NULL) return sn_fail_nomem(err, "classes");
  for (size_t i = 0; i < c->order.n; i++)
    c->class_of[c->order.data[i].word] =
        i < (size_t)n_classes ? (int32_t)i : n_classes - 1;
  return sni_exchange_init(&c->x, c->pairs.data, c->pairs.n, n_words,
                           c->class_of, n_classes, err);
}

static sn_status iterate(cluster *c, const sn_cluster_opts *o, sn_log *log,
                         sn_cluster_report *r, sn_err *err) {
  sni_exchange *const x = &c->x;
  const int64_t all = (int64_t)c->order.n * o->max_iterations;
  int64_t n_moves = 1;
  for (; r->n_iterations < o->max_iterations && n_moves > 0;
       r->n_iterations++) {
    n_moves = 0;
    for (size_t i = 0; i < c->order.n; i++) {
      const int32_t w = c->order.data[i].word, old = x->class_of[w];
      int32_t best = old;
      sni_exchange_take(x, w);
      for (int32_t k = 0; k < x->n_classes; k++)
        if (x->gain[k] > x->gain[best] && x->gain[k] > x->gain[old] + MIN_GAIN)
          best = k;
      sni_exchange_put(x, w, best);
      n_moves += best != old;
      sn_log_progress(log, "exchanging", "words",
                      (int64_t)c->order.n * r->n_iterations + (int64_t)i, all,
                      false);
      if (sn_log_cancelled(log)) return sn_fail(err, SN_ECANCEL, "interrupted");
    }
    r->n_moves += n_moves;
    sn_debug(log, "pass %d: %lld words moved; perplexity %.4f",
             r->n_iterations + 1, (long long)n_moves,
             exp(-(sni_exchange_logp(x) + c->constant) / (double)c->n_tokens));
  }
  sn_log_progress(log, "exchanging", "words", all, all, true);
  return SN_OK;
}

/* Classes are named by their most frequent words' order; words follow in order
 * of frequency. */
static sn_status write_classes(cluster *c, const sn_counts *counts,
                               sn_classes *out, sn_cluster_report *r,
                               sn_err *err) {
  SN_TRY(sn_symtab_create(&out->words, err));
  SN_TRY(sn_symtab_create(&out->names, err));
  c->rename = sn_calloc((size_t)c->x.n_classes, sizeof *c->rename);
  if (c->rename == NULL) return sn_fail_nomem(err, "classes");
  for (size_t i = 0; i < c->order.n; i++) {
    const int32_t w = c->order.data[i].word, k = c->x.class_of[w];
    const char *const text = sn_symtab_get(counts->words, w);
    int32_t id;
    if (c->rename[k] == 0) {
      char name[32];
      const int32_t n = sn_symtab_n(out->names) + 1;
      const int size = snprintf(name, sizeof name, "<class-%d>", n);
      if (sn_symtab_finds(counts->words, name) >= 0)
        return sn_fail(err, SN_EFORMAT,
                       "the text has the word '%s', the name of a class", name);
      SN_TRY(sn_symtab_add(out->names, name, (size_t)size, &id, err));
      c->rename[k] = n;
    }
    SN_TRY(sn_symtab_add(out->words, text, strlen(text), &id, err));
    SN_TRY(SN_ARR_PUSH(&out->class_of, c->rename[k] - 1, err));
    SN_TRY(SN_ARR_PUSH(&out->count, c->order.data[i].count, err));
    SN_TRY(SN_ARR_PUSH(&out->prob, 0.0, err));
  }
  sn_classes_estimate(out);
  r->n_words = sn_symtab_n(out->words);
  r->n_classes = sn_symtab_n(out->names);
  return SN_OK;
}

sn_status sn_classes_cluster(sn_counts *counts, const sn_cluster_opts *opts,
                             sn_log *log, sn_classes *out,
                             sn_cluster_report *report, sn_err *err) {
  cluster c = {0};
  sn_cluster_report r = {0};
  memset(out, 0, sizeof *out);
  if (counts->opts.order != 2)
    return sn_fail(err, SN_EARG, "classes: counts of order %d, not 2",
                   counts->opts.order);
  sn_status s = read_pairs(&c, counts, err);
  if (s == SN_OK)
    s = prepare(&c, sn_symtab_n(counts->words), opts->n_classes, err);
  if (s == SN_OK) {
    r.before =
        exp(-(sni_exchange_logp(&c.x) + c.constant) / (double)c.n_tokens);
    s = iterate(&c, opts, log, &r, err);
  }
  if (s == SN_OK) {
    r.after = exp(-(sni_exchange_logp(&c.x) + c.constant) / (double)c.n_tokens);
    s = write_classes(&c, counts, out, &r, err);
  }
  if (s != SN_OK) sn_classes_clear(out);
  if (report != NULL) *report = r;
  sni_exchange_clear(&c.x);
  SN_ARR_FREE(&c.pairs);
  SN_ARR_FREE(&c.order);
  sn_free(c.class_of);
  sn_free(c.rename);
  return s;
}
