/* SPDX-License-Identifier: Apache-2.0 */
/* Phonetic decision trees: statistics, questions, splitting, joining.
 *
 * AN4: 9,000 contexts of 78 numbers, 34 phones, 300 leaves. For a leaf the
 * statistics are first added up by the value asked for (left phone, right
 * phone, position, state); each question is then a sum over at most P of
 * them. */
#include "am/tree.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"

/* ---- Statistics ---- */

static uint32_t hash_of(const sn_tree_ctx *c) {
  uint32_t h = 2166136261u;
  const int32_t v[] = {c->phone, c->left, c->right, c->pos, c->state};
  for (size_t i = 0; i < 5; i++) h = (h ^ (uint32_t)v[i]) * 16777619u;
  return h ^ h >> 15;
}

static bool same(const sn_tree_ctx *a, const sn_tree_ctx *b) {
  return a->phone == b->phone && a->left == b->left && a->right == b->right &&
         a->pos == b->pos && a->state == b->state;
}

static size_t slot_of(const sn_tree_stats *s, const sn_tree_ctx *c) {
  size_t at = hash_of(c) % s->n_slots;
  while (s->slots[at] != 0 && !same(&s->ctx[s->slots[at] - 1], c))
    at = (at + 1) % s->n_slots;
  return at;
}

static sn_status grow(sn_tree_stats *s, sn_err *err) {
  const size_t cap = s->cap == 0 ? 256 : 2 * s->cap, D2 = 2 * s->dim;
  sn_tree_ctx *const ctx = sn_realloc(s->ctx, cap, sizeof *ctx);
  if (ctx != NULL) s->ctx = ctx;
  double *const occ = sn_realloc(s->occ, cap, sizeof *occ);
  if (occ != NULL) s->occ = occ;
  double *const sums = sn_realloc(s->sums, cap * D2, sizeof *sums);
  if (sums != NULL) s->sums = sums;
  int32_t *const slots = sn_calloc(2 * cap + 1, sizeof *slots);
  if (ctx == NULL || occ == NULL || sums == NULL || slots == NULL) {
    sn_free(slots);
    return sn_fail_nomem(err, "tree statistics");
  }
  sn_free(s->slots);
  s->slots = slots;
  s->n_slots = 2 * cap + 1;
  s->cap = cap;
  for (size_t i = 0; i < s->n; i++)
    s->slots[slot_of(s, &s->ctx[i])] = (int32_t)i + 1;
  return SN_OK;
}

static sn_status find(sn_tree_stats *s, const sn_tree_ctx *c, size_t *out,
                      sn_err *err) {
  if (s->n == s->cap) SN_TRY(grow(s, err));
  const size_t at = slot_of(s, c);
  if (s->slots[at] == 0) {
    s->slots[at] = (int32_t)++s->n;
    s->ctx[s->n - 1] = *c;
    s->occ[s->n - 1] = 0;
    memset(s->sums + (s->n - 1) * 2 * s->dim, 0, 2 * s->dim * sizeof *s->sums);
  }
  *out = (size_t)s->slots[at] - 1;
  return SN_OK;
}

sn_status sn_tree_stats_frame(sn_tree_stats *s, sn_tree_ctx ctx, const float *x,
                              sn_err *err) {
  size_t i = 0;
  SN_TRY(find(s, &ctx, &i, err));
  double *const to = s->sums + i * 2 * s->dim;
  s->occ[i] += 1;
  for (size_t d = 0; d < s->dim; d++) {
    const double v = (double)x[d];
    to[d] += v;
    to[s->dim + d] += v * v;
  }
  return SN_OK;
}

sn_status sn_tree_stats_add(sn_tree_stats *to, const sn_tree_stats *from,
                            sn_err *err) {
  SN_ASSERT(to->dim == from->dim);
  for (size_t i = 0; i < from->n; i++) {
    size_t at = 0;
    SN_TRY(find(to, &from->ctx[i], &at, err));
    to->occ[at] += from->occ[i];
    for (size_t d = 0; d < 2 * to->dim; d++)
      to->sums[at * 2 * to->dim + d] += from->sums[i * 2 * to->dim + d];
  }
  return SN_OK;
}

void sn_tree_stats_clear(sn_tree_stats *s) {
  sn_free(s->ctx);
  sn_free(s->occ);
  sn_free(s->sums);
  sn_free(s->slots);
  memset(s, 0, sizeof *s);
}

/* ---- Trees ---- */

typedef enum asks { ASKS_LEFT, ASKS_RIGHT, ASKS_POS, ASKS_STATE, N_ASKS } asks;

typedef struct question {
  asks asks;
  const uint8_t *set; /* by value */
} question;

typedef struct node {
  question q;
  int32_t yes, no; /* -1: a leaf */
  int32_t root, pdf;
} node;

struct sn_tree {
  sn_tree_opts o;
  SN_ARR(node) nodes;
  int32_t *root; /* [P x S] node */
  uint8_t *sets; /* [n_sets x P] of phones, then positions and states */
  int32_t n_pdfs;
};

/* What stands at a leaf while the tree grows. */
typedef struct leaf {
  int32_t node;
  SN_ARR(int32_t) items;
  double *sums; /* [1 + 2 D]: occ, ... */
  double logp, gain;
  question best;
} leaf;

typedef struct grower {
  const sn_tree_stats *s;
  sn_tree *t;
  SN_ARR(leaf) leaves;
  SN_ARR(question) questions;
  double *by;  /* [values][1 + 2 D] */
  double *yes; /* [1 + 2 D] */
  size_t W;    /* 1 + 2 D */
} grower;

/* Log-likelihood of frames under their own Gaussian; variances of at least
 * 0.01. sums: occ, sum, squares. */
static double own_logp(const double *sums, size_t D) {
  double v = 0;
  if (!(sums[0] > 0)) return 0;
  for (size_t d = 0; d < D; d++) {
    const double mean = sums[1 + d] / sums[0];
    double var = sums[1 + D + d] / sums[0] - mean * mean;
    if (!(var > 0.01)) var = 0.01;
    v += log(6.283185307179586 * var) + 1.0;
  }
  return -0.5 * sums[0] * v;
}

static int32_t value_of(asks a, const sn_tree_ctx *c) {
  switch (a) {
    case ASKS_LEFT:
      return c->left;
    case ASKS_RIGHT:
      return c->right;
    case ASKS_POS:
      return c->pos;
    case ASKS_STATE:
      return c->state;
    case N_ASKS:
      break;
  }
  return 0;
}

static bool says_yes(const question *q, const sn_tree_ctx *c) {
  return q->set[value_of(q->asks, c)] != 0;
}

static void add_item(const grower *g, size_t i, double *to) {
  const size_t D2 = g->W - 1;
  to[0] += g->s->occ[i];
  for (size_t d = 0; d < D2; d++) to[1 + d] += g->s->sums[i * D2 + d];
}

static double gain_of(grower *g, const leaf *l, const question *q, size_t n) {
  memset(g->yes, 0, g->W * sizeof *g->yes);
  for (size_t v = 0; v < n; v++)
    if (q->set[v] != 0 && g->by[v * g->W] > 0)
      for (size_t d = 0; d < g->W; d++) g->yes[d] += g->by[v * g->W + d];
  const double min = g->t->o.min_count;
  if (g->yes[0] < min || l->sums[0] - g->yes[0] < min) return 0;
  const size_t D = g->s->dim;
  double gain = own_logp(g->yes, D) - l->logp;
  for (size_t d = 0; d < g->W; d++) g->yes[d] = l->sums[d] - g->yes[d];
  gain += own_logp(g->yes, D);
  return gain;
}

static void find_best(grower *g, leaf *l) {
  const size_t P = (size_t)g->t->o.n_phones;
  l->gain = 0;
  for (int a = 0; a < N_ASKS; a++) {
    const size_t n = a <= ASKS_RIGHT ? P : 4 + (size_t)g->t->o.n_states;
    memset(g->by, 0, n * g->W * sizeof *g->by);
    for (size_t k = 0; k < l->items.n; k++) {
      const size_t i = (size_t)l->items.data[k];
      add_item(g, i, g->by + (size_t)value_of((asks)a, &g->s->ctx[i]) * g->W);
    }
    for (size_t q = 0; q < g->questions.n; q++) {
      const question *const qu = &g->questions.data[q];
      if (qu->asks != (asks)a) continue;
      const double gain = gain_of(g, l, qu,
                                  a <= ASKS_RIGHT ? P
                                  : a == ASKS_POS ? 4
                                                  : (size_t)g->t->o.n_states);
      if (gain > l->gain) {
        l->gain = gain;
        l->best = *qu;
      }
    }
  }
}

static sn_status add_leaf(grower *g, int32_t root, size_t *out, sn_err *err) {
  const node n = {.yes = -1, .no = -1, .root = root};
  const leaf l = {.node = (int32_t)g->t->nodes.n};
  SN_TRY(SN_ARR_PUSH(&g->t->nodes, n, err));
  SN_TRY(SN_ARR_PUSH(&g->leaves, l, err));
  *out = g->leaves.n - 1;
  leaf *const at = &g->leaves.data[*out];
  at->sums = sn_calloc(g->W, sizeof *at->sums);
  return at->sums == NULL ? sn_fail_nomem(err, "tree") : SN_OK;
}

static sn_status split(grower *g, size_t at, sn_err *err) {
  const int32_t node_at = g->leaves.data[at].node;
  const int32_t root = g->t->nodes.data[node_at].root;
  size_t side[2];
  for (int k = 0; k < 2; k++) SN_TRY(add_leaf(g, root, &side[k], err));
  leaf *const from = &g->leaves.data[at];
  node *const n = &g->t->nodes.data[node_at];
  n->q = from->best;
  n->yes = g->leaves.data[side[0]].node;
  n->no = g->leaves.data[side[1]].node;
  for (size_t k = 0; k < from->items.n; k++) {
    const int32_t i = from->items.data[k];
    leaf *const to =
        &g->leaves.data[side[says_yes(&n->q, &g->s->ctx[i]) ? 0 : 1]];
    SN_TRY(SN_ARR_PUSH(&to->items, i, err));
    add_item(g, (size_t)i, to->sums);
  }
  for (int k = 0; k < 2; k++) {
    leaf *const l = &g->leaves.data[side[k]];
    l->logp = own_logp(l->sums, g->s->dim);
    find_best(g, l);
  }
  /* The last leaf takes the place of the one that is a leaf no more. */
  SN_ARR_FREE(&from->items);
  sn_free(from->sums);
  *from = g->leaves.data[--g->leaves.n];
  return SN_OK;
}

/* ---- Questions: phones clustered bottom up ---- */

static sn_status add_question(grower *g, asks a, const uint8_t *set,
                              sn_err *err) {
  const question q = {a, set};
  return SN_ARR_PUSH(&g->questions, q, err);
}

/* Statistics of each phone in its middle state. */
static void phone_sums(grower *g, double *of) {
  for (size_t i = 0; i < g->s->n; i++)
    if (g->s->ctx[i].state == g->t->o.n_states / 2)
      add_item(g, i, of + (size_t)g->s->ctx[i].phone * g->W);
}

static double loss_of(const double *a, const double *b, double *both,
                      size_t W) {
  for (size_t d = 0; d < W; d++) both[d] = a[d] + b[d];
  const size_t D = (W - 1) / 2;
  return own_logp(a, D) + own_logp(b, D) - own_logp(both, D);
}

/* sets [2 P x P]: each phone, then each cluster; live: clusters that are not
 * part of another. */
static sn_status cluster(grower *g, double *of, int32_t *live, sn_err *err) {
  const size_t P = (size_t)g->t->o.n_phones;
  uint8_t *const sets = g->t->sets;
  size_t n = P, next = P;
  for (size_t p = 0; p < P; p++) {
    sets[p * P + p] = 1;
    live[p] = (int32_t)p;
  }
  for (; n > 2; n--, next++) {
    size_t a = 0, b = 1;
    double best = INFINITY;
    for (size_t i = 0; i < n; i++)
      for (size_t j = i + 1; j < n; j++) {
        const double loss = loss_of(of + (size_t)live[i] * g->W,
                                    of + (size_t)live[j] * g->W, g->yes, g->W);
        if (loss < best) {
          best = loss;
          a = i;
          b = j;
        }
      }
    const size_t x = (size_t)live[a], y = (size_t)live[b];
    for (size_t p = 0; p < P; p++)
      sets[next * P + p] = sets[x * P + p] | sets[y * P + p];
    for (size_t d = 0; d < g->W; d++)
      of[next * g->W + d] = of[x * g->W + d] + of[y * g->W + d];
    live[a] = (int32_t)next;
    live[b] = live[n - 1];
  }
  for (size_t i = 0; i < next; i++) {
    SN_TRY(add_question(g, ASKS_LEFT, sets + i * P, err));
    SN_TRY(add_question(g, ASKS_RIGHT, sets + i * P, err));
  }
  return SN_OK;
}

static sn_status make_questions(grower *g, sn_err *err) {
  const size_t P = (size_t)g->t->o.n_phones, n_st = (size_t)g->t->o.n_states;
  double *const of = sn_calloc(2 * P * g->W, sizeof *of);
  int32_t *const live = sn_calloc(P, sizeof *live);
  g->t->sets = sn_calloc(2 * P * P + 14 * 4 + n_st * n_st, 1);
  sn_status s = SN_OK;
  if (of == NULL || live == NULL || g->t->sets == NULL) {
    s = sn_fail_nomem(err, "tree");
  } else {
    phone_sums(g, of);
    s = cluster(g, of, live, err);
  }
  sn_free(of);
  sn_free(live);
  SN_TRY(s);
  uint8_t *at = g->t->sets + 2 * P * P;
  for (unsigned m = 1; m < 8; m++, at += 4) { /* half of the subsets of 4 */
    for (unsigned v = 0; v < 4; v++) at[v] = (m >> v & 1u) != 0;
    if (g->t->o.word_pos) SN_TRY(add_question(g, ASKS_POS, at, err));
  }
  for (size_t k = 1; k < n_st; k++, at += n_st) {
    for (size_t v = 0; v < n_st; v++) at[v] = v < k;
    SN_TRY(add_question(g, ASKS_STATE, at, err));
  }
  return SN_OK;
}

/* ---- Growing and joining ---- */

static sn_status plant(grower *g, sn_err *err) {
  const sn_tree_opts *const o = &g->t->o;
  const int32_t P = o->n_phones, n_st = o->n_states;
  int32_t *const leaf_of = sn_calloc((size_t)(P * n_st), sizeof *leaf_of);
  if (leaf_of == NULL) return sn_fail_nomem(err, "tree");
  sn_status s = SN_OK;
  for (int32_t i = 0; s == SN_OK && i < P * n_st; i++) {
    const bool own =
        o->roots == SN_ROOTS_STATE || i / n_st == o->silence || i % n_st == 0;
    size_t at = 0;
    if (own) s = add_leaf(g, i, &at, err);
    leaf_of[i] = own ? (int32_t)at : leaf_of[i - 1];
    if (s == SN_OK) g->t->root[i] = g->leaves.data[leaf_of[i]].node;
  }
  for (size_t k = 0; s == SN_OK && k < g->s->n; k++) {
    const sn_tree_ctx *const c = &g->s->ctx[k];
    leaf *const l = &g->leaves.data[leaf_of[c->phone * n_st + c->state]];
    s = SN_ARR_PUSH(&l->items, (int32_t)k, err);
    add_item(g, k, l->sums);
  }
  sn_free(leaf_of);
  SN_TRY(s);
  if ((size_t)o->max_leaves < g->leaves.n)
    return sn_fail(err, SN_EARG,
                   "%d leaves are asked for, but there are %zu roots: ask for "
                   "more, or for one root a phone",
                   o->max_leaves, g->leaves.n);
  for (size_t k = 0; k < g->leaves.n; k++) {
    leaf *const l = &g->leaves.data[k];
    l->logp = own_logp(l->sums, g->s->dim);
    if (g->t->nodes.data[l->node].root / n_st != o->silence) find_best(g, l);
  }
  return SN_OK;
}

/* Leaves of a root that are one: pdfs get the same number. */
static sn_status number(grower *g, double threshold, sn_err *err) {
  const size_t n = g->leaves.n;
  int32_t *const into = sn_calloc(n, sizeof *into);
  if (into == NULL) return sn_fail_nomem(err, "tree");
  for (size_t i = 0; i < n; i++) into[i] = (int32_t)i;
  for (bool again = true; again;) {
    double best = threshold;
    size_t a = 0, b = 0;
    again = false;
    for (size_t i = 0; i < n; i++) {
      const node *const x = &g->t->nodes.data[g->leaves.data[i].node];
      if (into[i] != (int32_t)i) continue;
      for (size_t j = i + 1; j < n; j++) {
        const node *const y = &g->t->nodes.data[g->leaves.data[j].node];
        if (into[j] != (int32_t)j || x->root != y->root) continue;
        const double loss = loss_of(g->leaves.data[i].sums,
                                    g->leaves.data[j].sums, g->yes, g->W);
        if (loss < best) {
          best = loss;
          a = i;
          b = j;
          again = true;
        }
      }
    }
    if (!again) break;
    into[b] = (int32_t)a;
    for (size_t d = 0; d < g->W; d++)
      g->leaves.data[a].sums[d] += g->leaves.data[b].sums[d];
  }
  for (size_t i = 0; i < n; i++)
    if (into[i] == (int32_t)i)
      g->t->nodes.data[g->leaves.data[i].node].pdf = g->t->n_pdfs++;
  for (size_t i = 0; i < n; i++) {
    size_t to = i;
    while (into[to] != (int32_t)to) to = (size_t)into[to];
    g->t->nodes.data[g->leaves.data[i].node].pdf =
        g->t->nodes.data[g->leaves.data[to].node].pdf;
  }
  sn_free(into);
  return SN_OK;
}

static sn_status grow_tree(grower *g, sn_err *err) {
  const size_t P = (size_t)g->t->o.n_phones, n_st = (size_t)g->t->o.n_states;
  const size_t values = P > 4 + n_st ? P : 4 + n_st;
  g->W = 1 + 2 * g->s->dim;
  g->by = sn_calloc(values * g->W, sizeof *g->by);
  g->yes = sn_calloc(g->W, sizeof *g->yes);
  g->t->root = sn_calloc(P * n_st, sizeof *g->t->root);
  if (g->by == NULL || g->yes == NULL || g->t->root == NULL)
    return sn_fail_nomem(err, "tree");
  SN_TRY(make_questions(g, err));
  SN_TRY(plant(g, err));
  double last = 0;
  while (g->leaves.n < (size_t)g->t->o.max_leaves) {
    size_t best = 0;
    for (size_t k = 1; k < g->leaves.n; k++)
      if (g->leaves.data[k].gain > g->leaves.data[best].gain) best = k;
    if (!(g->leaves.data[best].gain > 0)) break;
    last = g->leaves.data[best].gain;
    SN_TRY(split(g, best, err));
  }
  return number(g, last, err);
}

sn_status sn_tree_build(const sn_tree_stats *s, const sn_tree_opts *o,
                        sn_tree **out, sn_err *err) {
  grower g = {.s = s};
  *out = NULL;
  sn_tree *const t = sn_calloc(1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "tree");
  t->o = *o;
  g.t = t;
  const sn_status st = grow_tree(&g, err);
  for (size_t k = 0; k < g.leaves.n; k++) {
    SN_ARR_FREE(&g.leaves.data[k].items);
    sn_free(g.leaves.data[k].sums);
  }
  SN_ARR_FREE(&g.leaves);
  SN_ARR_FREE(&g.questions);
  sn_free(g.by);
  sn_free(g.yes);
  if (st != SN_OK) {
    sn_tree_destroy(t);
    return st;
  }
  *out = t;
  return SN_OK;
}

void sn_tree_destroy(sn_tree *t) {
  if (t == NULL) return;
  SN_ARR_FREE(&t->nodes);
  sn_free(t->root);
  sn_free(t->sets);
  sn_free(t);
}

int32_t sn_tree_n_pdfs(const sn_tree *t) { return t->n_pdfs; }
const sn_tree_opts *sn_tree_opts_of(const sn_tree *t) { return &t->o; }

int32_t sn_tree_pdf(const sn_tree *t, const sn_tree_ctx *c) {
  int32_t at = t->root[c->phone * t->o.n_states + c->state];
  while (t->nodes.data[at].yes >= 0)
    at = says_yes(&t->nodes.data[at].q, c) ? t->nodes.data[at].yes
                                           : t->nodes.data[at].no;
  return t->nodes.data[at].pdf;
}

/* ---- JSON ---- */

static sn_status json_text(sn_str *out, const char *s, sn_err *err) {
  SN_TRY(sn_str_adds(out, "\"", err));
  for (; *s != '\0'; s++)
    SN_TRY(*s == '"' || *s == '\\' ? sn_str_addf(out, err, "\\%c", *s)
           : (unsigned char)*s < 0x20
               ? sn_str_addf(out, err, "\\u%04x", (unsigned)*s)
               : sn_str_add(out, s, 1, err));
  return sn_str_adds(out, "\"", err);
}

static sn_status json_question(const sn_tree *t, const question *q,
                               const char *const *phones, sn_str *out,
                               sn_err *err) {
  static const char *const keys[] = {"left", "right", "position", "state"};
  static const char *const places[] = {"internal", "begin", "end", "single"};
  const int32_t n = q->asks == ASKS_POS     ? 4
                    : q->asks == ASKS_STATE ? t->o.n_states
                                            : t->o.n_phones;
  bool any = false;
  SN_TRY(sn_str_addf(out, err, "\"%s\": [", keys[q->asks]));
  for (int32_t v = 0; v < n; v++) {
    if (q->set[v] == 0) continue;
    if (any) SN_TRY(sn_str_adds(out, ", ", err));
    any = true;
    SN_TRY(q->asks == ASKS_STATE ? sn_str_addf(out, err, "\"%d\"", v)
           : q->asks == ASKS_POS ? json_text(out, places[v], err)
                                 : json_text(out, phones[v], err));
  }
  return sn_str_adds(out, "]", err);
}

static sn_status json_roots(const sn_tree *t, const char *const *phones,
                            sn_str *out, sn_err *err) {
  const int32_t n_st = t->o.n_states;
  for (int32_t i = 0, n = 1; i < t->o.n_phones * n_st; i += n) {
    for (n = 1; (i + n) % n_st != 0 && t->root[i + n] == t->root[i];) n++;
    SN_TRY(sn_str_addf(out, err, "%s\n    {\"phone\": ", i > 0 ? "," : ""));
    SN_TRY(json_text(out, phones[i / n_st], err));
    SN_TRY(sn_str_addf(out, err,
                       ", \"state\": %d, \"states\": %d, \"node\": %d}",
                       i % n_st, n, t->root[i]));
  }
  return SN_OK;
}

sn_status sn_tree_json(const sn_tree *t, const char *const *phones, sn_str *out,
                       sn_err *err) {
  SN_TRY(sn_str_adds(out, "{\n  \"format\": 1,\n  \"roots\": [", err));
  SN_TRY(json_roots(t, phones, out, err));
  SN_TRY(sn_str_adds(out, "\n  ],\n  \"nodes\": [", err));
  for (size_t i = 0; i < t->nodes.n; i++) {
    const node *const x = &t->nodes.data[i];
    SN_TRY(sn_str_addf(out, err, "%s\n    {", i > 0 ? "," : ""));
    if (x->yes < 0) {
      SN_TRY(sn_str_addf(out, err, "\"pdf\": %d}", x->pdf));
      continue;
    }
    SN_TRY(json_question(t, &x->q, phones, out, err));
    SN_TRY(sn_str_addf(out, err, ", \"yes\": %d, \"no\": %d}", x->yes, x->no));
  }
  return sn_str_adds(out, "\n  ]\n}\n", err);
}
