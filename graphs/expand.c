/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/expand.c - H o C o L o G, determinised and minimised as it is made.
 *
 * General transducer algorithms would hold all of the composition at once and
 * look at each state several times. The shape of the result is known, so it is
 * built directly, one state g of G after the other:
 *
 *   R(g,x)  g behind a word whose last phone x = (left, phone, position) is
 *           still pending: its HMM waits for the right neighbour
 *   B(g,x)  the same, come to by backing off: no fillers, no end, which were
 *           on offer before (so that they are not searched once a back-off)
 *   S(g)    g behind a filler (or at the start); W(g): the same, backed off to
 *   N(g)    g before a noise, backed off to (with --noises=backed-off)
 *
 * These are junctions: states without a label, known by g and x. All between
 * them is a tree over the rows of HMM states (so deterministic: a prefix is
 * shared), stored bottom-up with equal states shared (so minimal):
 *
 *   1. T(c,d): for each pair of first two phones, the tree over the rest of
 *      the words of g up to the last but one phone, whose leaves lead into
 *      R(g',(last but one, last)).
 *   2. X(b,c): behind left neighbour b, the tree over the HMMs of first phones
 *      b-c-d, which lead into T(c,d); words of one phone lead into
 *      R(g',(b,c)) at once.
 *   3. R(g,x): the tree over x's HMMs before every first phone c, which lead
 *      into X(x.phone, c); and before silence, into the fillers or the end.
 *      Where several c give the same HMM, what follows is the union.
 *   4. S(g): the fillers, which lead to S(g), and X(silence, c) for all c.
 *
 * Weights: a tree's state gets the sum of the probabilities of the words that
 * it can still lead to (log semiring pushing; Mohri, Pereira, Riley 2002,
 * section 3.4, who find it better for beams than the tropical one), an arc the
 * difference; at a junction the sum is taken as 1, so that paths between
 * junctions cost what their words cost. Words are written out on the first
 * arc behind which no other word can come.
 *
 * Lists of arcs in the making carry total costs from the junction (`pot`);
 * they are subtracted when a state is stored. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

enum { MAX_FILLERS = 32 };
enum { WORD_MANY = -2 }; /* no word, or several, can come: nothing to write */

typedef struct tarc {
  int32_t dest; /* as in sni_arc */
  int32_t word; /* the only one behind it, or WORD_MANY */
  int32_t pot;  /* what it can still lead to, from the junction */
} tarc;

/* A list of arcs, its sum and its word. */
typedef struct span {
  size_t from, n;
  int32_t pot, word;
} span;

/* A unit that leads to a list. */
typedef struct item {
  int32_t unit;
  span list;
} item;

/* A state of a tree, stored; by depth within the unit. */
typedef struct deep {
  int32_t node, word, pot;
} deep;

typedef struct entry {
  int32_t rank;
  int32_t pron;
  int32_t word;
  int32_t cost;
  int32_t dest; /* state of G */
} entry;

typedef struct group {
  int32_t c, d;
  span list;
} group;

typedef struct expander {
  sni_build *b;
  double word_cost;  /* nats of the word penalty over the scale */
  int32_t n_fillers; /* the first n_silences of them are silence */
  int32_t n_silences;
  int32_t filler_units[MAX_FILLERS];
  int32_t filler_costs[MAX_FILLERS];
  bool ends_in_silence; /* an utterance's edges are silence */
  int32_t start_junction;
  SN_ARR(tarc) lists;
  SN_ARR(item) items;
  SN_ARR(tarc) ends;
  SN_ARR(deep) deep[SNI_MAX_HMM_STATES];
  SN_ARR(sni_arc) arcs; /* of a state in the making */
  SN_ARR(entry) entries, singles, other;
  SN_ARR(group) groups;
  SN_ARR(span) xs;   /* [lefts of g x P] X(left, c) */
  sn_arr_i32 lefts;  /* of g */
  int32_t *left_at;  /* [P] index in lefts, or -1 */
  size_t *item_from; /* [max_units + 2] per open level of the tree */
  size_t *end_from;
} expander;

/* ---- Junctions ---- */

enum { JUNCTION_S, JUNCTION_W, JUNCTION_N, N_JUNCTIONS };
static int32_t junction_base(const expander *x, int32_t g) {
  return (int32_t)(2 * x->b->contexts.first.data[g] +
                   N_JUNCTIONS * (uint32_t)g);
}

static int32_t junction_r(const expander *x, int32_t g, int32_t key) {
  const sni_contexts *c = &x->b->contexts;
  return (int32_t)(2 * sni_contexts_at(c, g, key) +
                   N_JUNCTIONS * ((uint32_t)g + 1));
}

/* ---- Sums ---- */

typedef struct sum {
  int32_t min, word;
  double mass; /* relative to min */
  int64_t n;
} sum;

static void sum_add(sum *s, const expander *x, int32_t pot, int32_t word) {
  const double a = x->b->opts->lookahead / SNI_COST_ONE;
  if (s->n++ == 0) {
    *s = (sum){pot, word, 1, 1};
    return;
  }
  if (word != s->word) s->word = WORD_MANY;
  if (pot >= s->min) {
    s->mass += exp(-a * ((double)pot - s->min));
  } else {
    s->mass = 1 + s->mass * exp(-a * ((double)s->min - pot));
    s->min = pot;
  }
}

static int32_t sum_pot(const sum *s, const expander *x) {
  if (s->n < 2) return s->min;
  const double nats = log(s->mass) / x->b->opts->lookahead;
  return s->min - (int32_t)lrint(nats * SNI_COST_ONE);
}

/* The list from `from` to the end of x->lists. */
static span end_list(const expander *x, size_t from) {
  sum s = {0};
  s.word = WORD_MANY;
  for (size_t i = from; i < x->lists.n; i++)
    sum_add(&s, x, x->lists.data[i].pot, x->lists.data[i].word);
  return (span){from, x->lists.n - from, sum_pot(&s, x), s.word};
}

/* ---- Trees over HMM states ---- */

static int32_t tmat_cost(const expander *x, const sni_unit *u, int32_t from,
                         int32_t to) {
  const sni_units *us = &x->b->units;
  return us->costs
      .data[us->tmats.data[u->tmat] + from * (u->n_states + 1) + to];
}

static sn_status put_arc(expander *x, int32_t dest, int32_t word,
                         int32_t node_word, int32_t cost, sn_err *err) {
  const sni_arc a = {dest, node_word == WORD_MANY && word >= 0 ? word + 1 : 0,
                     cost};
  return SN_ARR_PUSH(&x->arcs, a, err);
}

/* Stores the state at depth j of the units of items [lo, hi), which share
 * their labels up to and with j; the states behind it were stored by then and
 * stand in x->deep from `behind`. */
static sn_status store(expander *x, size_t lo, size_t hi, int32_t j,
                       const size_t *behind, sn_err *err) {
  const sni_units *us = &x->b->units;
  const sni_unit *u = &us->units.data[x->items.data[lo].unit];
  const int32_t n = u->n_states;
  sum s = {0};
  s.word = WORD_MANY;
  if (j + 1 < n) {
    for (size_t i = behind[j + 1]; i < x->deep[j + 1].n; i++)
      sum_add(&s, x, x->deep[j + 1].data[i].pot, x->deep[j + 1].data[i].word);
  } else {
    for (size_t i = lo; i < hi; i++)
      sum_add(&s, x, x->items.data[i].list.pot, x->items.data[i].list.word);
  }
  const int32_t pot = sum_pot(&s, x);
  x->arcs.n = 0;
  for (int32_t k = j + 1; k < n; k++) {
    const int32_t trans = tmat_cost(x, u, j, k);
    if (trans == SNI_COST_INF) continue;
    for (size_t i = behind[k]; i < x->deep[k].n; i++) {
      const deep d = x->deep[k].data[i];
      SN_TRY(put_arc(x, d.node, d.word, s.word, trans + d.pot - pot, err));
    }
  }
  const int32_t exit = tmat_cost(x, u, j, n);
  if (exit != SNI_COST_INF) {
    for (size_t i = lo; i < hi; i++) {
      const span l = x->items.data[i].list;
      for (size_t k = l.from; k < l.from + l.n; k++) {
        const tarc *t = &x->lists.data[k];
        SN_TRY(put_arc(x, t->dest, t->word, s.word, exit + t->pot - pot, err));
      }
    }
  }
  int32_t node = 0;
  SN_TRY(sni_nodes_intern(&x->b->nodes,
                          us->unit_labels.data[u->first_label + j],
                          x->arcs.data, x->arcs.n, &node, err));
  const deep d = {node, s.word, pot};
  return SN_ARR_PUSH(&x->deep[j], d, err);
}

/* Items [lo, hi), sorted, share their labels before depth j: stores the states
 * at depth j and deeper. Recursion is as deep as an HMM is long. */
static sn_status store_level(expander *x, size_t lo, size_t hi, int32_t j,
                             sn_err *err) {
  const sni_units *us = &x->b->units;
  while (lo < hi) {
    const sni_unit *u = &us->units.data[x->items.data[lo].unit];
    const int32_t label = us->unit_labels.data[u->first_label + j];
    size_t end = lo + 1;
    for (; end < hi; end++) {
      const sni_unit *v = &us->units.data[x->items.data[end].unit];
      if (us->unit_labels.data[v->first_label + j] != label) break;
    }
    size_t behind[SNI_MAX_HMM_STATES] = {0};
    for (int32_t k = j + 1; k < u->n_states; k++) behind[k] = x->deep[k].n;
    if (j + 1 < u->n_states) SN_TRY(store_level(x, lo, end, j + 1, err));
    SN_TRY(store(x, lo, end, j, behind, err));
    lo = end;
  }
  return SN_OK;
}

/* The tree over x->items from `from`, which it takes away; its first states
 * are added to x->lists. */
static sn_status tree(expander *x, size_t from, sn_err *err) {
  const sni_units *us = &x->b->units;
  for (size_t i = from + 1; i < x->items.n; i++) {
    const item it = x->items.data[i];
    size_t to = i;
    for (; to > from &&
           sni_units_compare(us, it.unit, x->items.data[to - 1].unit) < 0;
         to--)
      x->items.data[to] = x->items.data[to - 1];
    x->items.data[to] = it;
  }
  SN_TRY(store_level(x, from, x->items.n, 0, err));
  for (size_t i = 0; i < x->deep[0].n; i++) {
    const deep d = x->deep[0].data[i];
    const tarc t = {d.node, d.word, d.pot};
    SN_TRY(SN_ARR_PUSH(&x->lists, t, err));
  }
  for (int32_t k = 0; k < SNI_MAX_HMM_STATES; k++) x->deep[k].n = 0;
  x->items.n = from;
  return SN_OK;
}

static sn_status push_item(expander *x, int32_t unit, span list, sn_err *err) {
  const item it = {unit, list};
  return SN_ARR_PUSH(&x->items, it, err);
}

static sn_status copy_list(expander *x, span l, sn_err *err) {
  SN_TRY(SN_ARR_RESERVE(&x->lists, x->lists.n + l.n, err));
  for (size_t i = 0; i < l.n; i++)
    x->lists.data[x->lists.n++] = x->lists.data[l.from + i];
  return SN_OK;
}

/* ---- Step 1: the inner parts of words ---- */

static sn_status add_entry(expander *x, const sni_g_arc *a, int32_t pron,
                           sn_err *err) {
  const sni_pron *p = &x->b->prons.prons.data[pron];
  const int32_t cost = sni_cost((double)a->cost + x->word_cost);
  if (cost == SNI_COST_INF) return SN_OK;
  const entry e = {p->rank, pron, a->word, cost + p->cost, a->dest};
  return p->n_phones == 1 ? SN_ARR_PUSH(&x->singles, e, err)
                          : SN_ARR_PUSH(&x->entries, e, err);
}

/* By rank: insertion for the few, else by radix, 11 bits a pass. */
static sn_status sort_entries(expander *x, sn_err *err) {
  entry *e = x->entries.data;
  const size_t n = x->entries.n;
  if (n <= 32) {
    for (size_t i = 1; i < n; i++) {
      const entry a = e[i];
      size_t to = i;
      for (; to > 0 && e[to - 1].rank > a.rank; to--) e[to] = e[to - 1];
      e[to] = a;
    }
    return SN_OK;
  }
  enum { BITS = 11, SIZE = 1 << BITS };
  SN_TRY(SN_ARR_RESIZE(&x->other, n, err));
  entry *from = e, *to = x->other.data;
  for (int shift = 0; shift < 33; shift += BITS) {
    uint32_t at[SIZE] = {0};
    for (size_t i = 0; i < n; i++)
      at[((uint32_t)from[i].rank >> shift) & (SIZE - 1)]++;
    uint32_t before = 0;
    for (size_t k = 0; k < SIZE; k++) {
      const uint32_t count = at[k];
      at[k] = before;
      before += count;
    }
    for (size_t i = 0; i < n; i++)
      to[at[((uint32_t)from[i].rank >> shift) & (SIZE - 1)]++] = from[i];
    entry *const swap = from;
    from = to;
    to = swap;
  }
  memcpy(e, x->other.data, n * sizeof *e); /* three passes: it is there */
  return SN_OK;
}

/* Closes the tree's deepest open level, which becomes a list. */
static sn_status close_level(expander *x, int32_t level, span *out,
                             sn_err *err) {
  const size_t from = x->lists.n;
  SN_TRY(tree(x, x->item_from[level], err));
  for (size_t i = x->end_from[level]; i < x->ends.n; i++)
    SN_TRY(SN_ARR_PUSH(&x->lists, x->ends.data[i], err));
  x->ends.n = x->end_from[level];
  *out = end_list(x, from);
  return SN_OK;
}

/* Words of g with two phones and more, sorted: the lists T(c,d). The tree's
 * open levels are those of the last word; a new one closes what it does not
 * share (Daciuk et al. 2000: minimal automata from sorted data). */
static sn_status inner_trees(expander *x, sn_err *err) {
  const sni_prons *prons = &x->b->prons;
  const sni_pron *last = NULL;
  x->groups.n = 0;
  for (size_t i = 0; i <= x->entries.n; i++) {
    const entry *e = i < x->entries.n ? &x->entries.data[i] : NULL;
    const sni_pron *p = e == NULL ? NULL : &prons->prons.data[e->pron];
    const bool is_same_group = last != NULL && p != NULL &&
                               p->first == last->first &&
                               p->second == last->second;
    int32_t shared = 0;
    if (is_same_group)
      while (shared < p->n_units && shared < last->n_units &&
             prons->units.data[p->first_unit + shared] ==
                 prons->units.data[last->first_unit + shared])
        shared++;
    for (int32_t level = last == NULL ? 0 : last->n_units; level > shared;
         level--) {
      span list;
      SN_TRY(close_level(x, level, &list, err));
      SN_TRY(push_item(x, prons->units.data[last->first_unit + level - 1], list,
                       err));
    }
    if (last != NULL && !is_same_group) {
      group gr = {.c = last->first, .d = last->second};
      SN_TRY(close_level(x, 0, &gr.list, err));
      SN_TRY(SN_ARR_PUSH(&x->groups, gr, err));
    }
    if (p == NULL) break;
    for (int32_t level = is_same_group ? shared + 1 : 0; level <= p->n_units;
         level++) {
      x->item_from[level] = x->items.n;
      x->end_from[level] = x->ends.n;
    }
    const int32_t key =
        sni_contexts_key(&x->b->contexts, p->last_but, p->last, false);
    const tarc end = {~junction_r(x, e->dest, key), e->word, e->cost};
    SN_TRY(SN_ARR_PUSH(&x->ends, end, err));
    last = p;
  }
  return SN_OK;
}

/* ---- Step 2: first phones ---- */

/* X(left, c) for all c, for every left neighbour that g has. */
static sn_status first_trees(expander *x, sn_err *err) {
  sni_build *b = x->b;
  const size_t p = (size_t)b->hmms->n_phones;
  SN_TRY(SN_ARR_RESIZE(&x->xs, x->lefts.n * p, err));
  if (x->xs.n > 0) memset(x->xs.data, 0, x->xs.n * sizeof *x->xs.data);
  for (size_t l = 0; l < x->lefts.n; l++) {
    const int32_t left = x->lefts.data[l];
    for (size_t i = 0; i < x->groups.n;) {
      const int32_t c = x->groups.data[i].c;
      const size_t from_items = x->items.n, from = x->lists.n;
      for (; i < x->groups.n && x->groups.data[i].c == c; i++) {
        int32_t unit = 0;
        SN_TRY(sni_units_triphone(&b->units, c, left, x->groups.data[i].d,
                                  SN_POS_BEGIN, &unit, err));
        SN_TRY(push_item(x, unit, x->groups.data[i].list, err));
      }
      SN_TRY(tree(x, from_items, err));
      x->xs.data[l * p + (size_t)c] = end_list(x, from);
    }
    /* Words of one phone; they go behind what is there. */
    for (size_t i = 0; i < x->singles.n; i++) {
      const entry *e = &x->singles.data[i];
      const int32_t c = b->prons.prons.data[e->pron].first;
      span *at = &x->xs.data[l * p + (size_t)c];
      const size_t from = x->lists.n;
      SN_TRY(copy_list(x, *at, err));
      const int32_t key = sni_contexts_key(&b->contexts, left, c, true);
      const tarc end = {~junction_r(x, e->dest, key), e->word, e->cost};
      SN_TRY(SN_ARR_PUSH(&x->lists, end, err));
      *at = end_list(x, from);
    }
  }
  return SN_OK;
}

/* ---- Steps 3 and 4: junctions ---- */

static sn_status write_list(expander *x, span l, sn_err *err) {
  for (size_t i = l.from; i < l.from + l.n; i++) {
    const tarc *t = &x->lists.data[i];
    const sni_arc a = {t->dest, t->word >= 0 ? t->word + 1 : 0, t->pot};
    SN_TRY(sni_nodes_junction_arc(&x->b->nodes, a, err));
  }
  return SN_OK;
}

/* Arcs without words: to B(g', key), or with key < 0 to W(g'). */
static sn_status write_back_offs(expander *x, int32_t g, int32_t key,
                                 sn_err *err) {
  const sni_wordgraph *wg = x->b->g;
  for (uint32_t i = wg->first.data[g]; i < wg->first.data[g + 1]; i++) {
    const sni_g_arc *a = &wg->arcs.data[i];
    if (a->word >= 0) continue;
    const int32_t to = key < 0 ? junction_base(x, a->dest) + JUNCTION_W
                               : junction_r(x, a->dest, key) + 1;
    const sni_arc e = {~to, 0, sni_cost((double)a->cost)};
    if (e.cost != SNI_COST_INF)
      SN_TRY(sni_nodes_junction_arc(&x->b->nodes, e, err));
  }
  return SN_OK;
}

/* Fillers [from, to) that lead to S(g). */
static sn_status filler_tree(expander *x, int32_t g, int32_t from, int32_t to,
                             sn_err *err) {
  const size_t from_items = x->items.n;
  const size_t from_lists = x->lists.n;
  const int32_t s = junction_base(x, g) + JUNCTION_S;
  for (int32_t i = from; i < to; i++) {
    const size_t at = x->lists.n;
    const tarc t = {~s, WORD_MANY, x->filler_costs[i]};
    SN_TRY(SN_ARR_PUSH(&x->lists, t, err));
    SN_TRY(push_item(x, x->filler_units[i], end_list(x, at), err));
  }
  /* The tree goes where the lists were that it has taken up. */
  const size_t n_used = x->lists.n - from_lists;
  SN_TRY(tree(x, from_items, err));
  const size_t n_made = x->lists.n - from_lists - n_used;
  memmove(&x->lists.data[from_lists], &x->lists.data[from_lists + n_used],
          n_made * sizeof *x->lists.data);
  x->lists.n = from_lists + n_made;
  return SN_OK;
}

/* The state that g backs off to in the end; *cost grows. An n-gram history's
 * back-off is its first arc and leads to a lower state. */
static int32_t home_of(const sni_wordgraph *wg, int32_t g, double *cost) {
  for (; g != wg->start && wg->first.data[g] < wg->first.data[g + 1];) {
    const sni_g_arc *a = &wg->arcs.data[wg->first.data[g]];
    if (a->word >= 0 || a->dest >= g) break;
    *cost += (double)a->cost;
    g = a->dest;
  }
  return g;
}

/* What noises cost together: paid on the way into N(g), as elsewhere. */
static int32_t noises_pot(const expander *x) {
  sum s = {0};
  for (int32_t i = x->n_silences; i < x->n_fillers; i++)
    sum_add(&s, x, x->filler_costs[i], WORD_MANY);
  return sum_pot(&s, x);
}

/* What can stand between words at g. */
static sn_status filler_list(expander *x, int32_t g, span *out, sn_err *err) {
  sni_build *b = x->b;
  double cost = 0;
  const size_t from = x->lists.n;
  const int32_t home =
      b->opts->noises == SN_NOISES_BACKED_OFF ? home_of(b->g, g, &cost) : g;
  SN_TRY(filler_tree(x, g, 0, home == g ? x->n_fillers : x->n_silences, err));
  if (home != g && x->n_fillers > x->n_silences) {
    const tarc t = {~(junction_base(x, home) + JUNCTION_N), WORD_MANY,
                    sni_cost(cost) + noises_pot(x)};
    SN_TRY(SN_ARR_PUSH(&x->lists, t, err));
  }
  *out = end_list(x, from);
  return SN_OK;
}

/* R(g,x), with `silence` behind x before silence, or B(g,x) without. */
static sn_status pending_tree(expander *x, int32_t key, span silence, span *out,
                              sn_err *err) {
  sni_build *b = x->b;
  const int32_t n_phones = b->hmms->n_phones;
  int32_t left = 0, phone = 0;
  bool is_single = false;
  sni_contexts_unpack(&b->contexts, key, &left, &phone, &is_single);
  const sn_wordpos pos = is_single ? SN_POS_SINGLE : SN_POS_END;
  const int32_t l = x->left_at[b->contexts.canon_left[phone]];
  const size_t from_items = x->items.n;
  int32_t unit = 0;
  for (int32_t c = 0; c < n_phones; c++) {
    const span list = x->xs.data[l * n_phones + c];
    if (list.n == 0) continue;
    SN_TRY(sni_units_triphone(&b->units, phone, left, c, pos, &unit, err));
    SN_TRY(push_item(x, unit, list, err));
  }
  if (silence.n > 0) {
    SN_TRY(sni_units_triphone(&b->units, phone, left, b->hmms->silence, pos,
                              &unit, err));
    SN_TRY(push_item(x, unit, silence, err));
  }
  const size_t from = x->lists.n;
  SN_TRY(tree(x, from_items, err));
  *out = end_list(x, from);
  return SN_OK;
}

/* S(g), W(g) and N(g). */
static sn_status silence_junctions(expander *x, int32_t g, span fillers,
                                   sn_err *err) {
  sni_build *b = x->b;
  sni_nodes *nodes = &b->nodes;
  const int32_t n_phones = b->hmms->n_phones;
  const bool is_used = b->contexts.has_silence[g];
  const int32_t l = x->left_at[b->contexts.canon_left[b->hmms->silence]];
  const sni_arc end = {SNI_FINAL, 0, sni_cost((double)b->g->final.data[g])};
  double cost = 0;
  if (is_used) {
    SN_TRY(write_list(x, fillers, err));
    if (end.cost != SNI_COST_INF)
      SN_TRY(sni_nodes_junction_arc(nodes, end, err));
  }
  for (int32_t junction = JUNCTION_S; junction <= JUNCTION_W; junction++) {
    if (is_used && (junction == JUNCTION_S || b->contexts.has_eps_in[g])) {
      for (int32_t c = 0; c < n_phones; c++)
        SN_TRY(write_list(x, x->xs.data[l * n_phones + c], err));
      SN_TRY(write_back_offs(x, g, -1, err));
    }
    SN_TRY(sni_nodes_end_junction(nodes, err));
  }
  if (is_used && b->contexts.has_eps_in[g] &&
      b->opts->noises == SN_NOISES_BACKED_OFF && home_of(b->g, g, &cost) == g) {
    const size_t from = x->lists.n;
    SN_TRY(filler_tree(x, g, x->n_silences, x->n_fillers, err));
    for (size_t i = from; i < x->lists.n; i++)
      x->lists.data[i].pot -= noises_pot(x);
    SN_TRY(write_list(x, end_list(x, from), err));
  }
  return sni_nodes_end_junction(nodes, err);
}

static sn_status find_lefts(expander *x, int32_t g, sn_err *err) {
  const sni_contexts *c = &x->b->contexts;
  x->lefts.n = 0;
  for (uint32_t i = c->first.data[g]; i < c->first.data[g + 1]; i++) {
    int32_t left = 0, phone = 0;
    bool is_single = false;
    sni_contexts_unpack(c, c->list.data[i].key, &left, &phone, &is_single);
    const int32_t l = c->canon_left[phone];
    if (x->left_at[l] >= 0) continue;
    x->left_at[l] = (int32_t)x->lefts.n;
    SN_TRY(SN_ARR_PUSH(&x->lefts, l, err));
  }
  const int32_t l = c->canon_left[x->b->hmms->silence];
  if (c->has_silence[g] && x->left_at[l] < 0) {
    x->left_at[l] = (int32_t)x->lefts.n;
    SN_TRY(SN_ARR_PUSH(&x->lefts, l, err));
  }
  return SN_OK;
}

static sn_status pending_junctions(expander *x, int32_t g, span silence,
                                   sn_err *err) {
  sni_build *b = x->b;
  const sni_contexts *c = &b->contexts;
  const span nothing = {0, 0, 0, WORD_MANY};
  for (uint32_t i = c->first.data[g]; i < c->first.data[g + 1]; i++) {
    const sni_context ctx = c->list.data[i];
    const size_t mark = x->lists.n;
    span list;
    if (ctx.is_direct) {
      SN_TRY(pending_tree(x, ctx.key, silence, &list, err));
      SN_TRY(write_list(x, list, err));
      SN_TRY(write_back_offs(x, g, ctx.key, err));
    }
    SN_TRY(sni_nodes_end_junction(&b->nodes, err));
    if (c->has_eps_in[g]) {
      SN_TRY(pending_tree(x, ctx.key, nothing, &list, err));
      SN_TRY(write_list(x, list, err));
      SN_TRY(write_back_offs(x, g, ctx.key, err));
    }
    SN_TRY(sni_nodes_end_junction(&b->nodes, err));
    x->lists.n = mark;
  }
  return SN_OK;
}

static sn_status expand_state(expander *x, int32_t g, sn_err *err) {
  sni_build *b = x->b;
  const sni_wordgraph *wg = b->g;
  x->lists.n = x->entries.n = x->singles.n = x->items.n = x->ends.n = 0;
  for (uint32_t i = wg->first.data[g]; i < wg->first.data[g + 1]; i++) {
    const sni_g_arc *a = &wg->arcs.data[i];
    if (a->word < 0 || !b->contexts.is_reached[g]) continue;
    const int32_t w = wg->lexicon.data[a->word];
    for (uint32_t k = b->prons.word_first.data[w];
         k < b->prons.word_first.data[w + 1]; k++)
      SN_TRY(add_entry(x, a, (int32_t)k, err));
  }
  SN_TRY(sort_entries(x, err));
  SN_TRY(find_lefts(x, g, err));
  SN_TRY(inner_trees(x, err));
  SN_TRY(first_trees(x, err));
  span fillers = {0, 0, 0, WORD_MANY};
  if (b->contexts.is_reached[g]) SN_TRY(filler_list(x, g, &fillers, err));
  /* What follows a word before silence: a filler, or the end. */
  span silence = fillers;
  const int32_t end = sni_cost((double)wg->final.data[g]);
  if (end != SNI_COST_INF && !x->ends_in_silence) {
    const size_t from = x->lists.n;
    const tarc t = {SNI_FINAL, WORD_MANY, end};
    SN_TRY(copy_list(x, fillers, err));
    SN_TRY(SN_ARR_PUSH(&x->lists, t, err));
    silence = end_list(x, from);
  }
  SN_TRY(silence_junctions(x, g, fillers, err));
  SN_TRY(pending_junctions(x, g, silence, err));
  for (size_t i = 0; i < x->lefts.n; i++) x->left_at[x->lefts.data[i]] = -1;
  return SN_OK;
}

/* ---- All of it ---- */

static sn_status add_filler(expander *x, int32_t phone, double logp,
                            sn_err *err) {
  if (x->n_fillers == MAX_FILLERS)
    return sn_fail(err, SN_ELIMIT,
                   "the acoustic model lists more than %d fillers",
                   MAX_FILLERS);
  const int32_t at = x->n_fillers++;
  x->filler_costs[at] = sni_cost(-logp / x->b->scale);
  return sni_units_filler(&x->b->units, phone, &x->filler_units[at], err);
}

/* Silence first, then noises. */
static sn_status find_fillers(expander *x, sn_err *err) {
  const sni_hmms *h = x->b->hmms;
  const sn_graph_opts *o = x->b->opts;
  if (!o->fillers) return SN_OK;
  for (int32_t i = 0; i < h->n_fillers; i++) {
    const sn_am_filler f = h->filler(h->user, i);
    if (f.phone == h->silence)
      SN_TRY(add_filler(x, f.phone, (double)f.logp, err));
  }
  if (h->n_fillers == 0 && o->silence_prob > 0)
    SN_TRY(add_filler(x, h->silence, log(o->silence_prob), err));
  x->n_silences = x->n_fillers;
  for (int32_t i = 0; i < h->n_fillers && o->noises != SN_NOISES_NONE; i++) {
    const sn_am_filler f = h->filler(h->user, i);
    if (f.phone != h->silence)
      SN_TRY(add_filler(x, f.phone, (double)f.logp, err));
  }
  return SN_OK;
}

/* Silence that must come before the first word, at no cost. */
static sn_status start_silence(expander *x, sn_err *err) {
  sni_build *b = x->b;
  int32_t unit = 0;
  SN_TRY(sni_units_filler(&b->units, b->hmms->silence, &unit, err));
  x->lists.n = 0;
  const tarc t = {~(junction_base(x, b->g->start) + JUNCTION_S), WORD_MANY, 0};
  SN_TRY(SN_ARR_PUSH(&x->lists, t, err));
  SN_TRY(push_item(x, unit, end_list(x, 0), err));
  const size_t from = x->lists.n;
  SN_TRY(tree(x, 0, err));
  SN_TRY(write_list(x, end_list(x, from), err));
  b->start = (int32_t)b->nodes.junction_first.n - 1;
  return sni_nodes_end_junction(&b->nodes, err);
}

static sn_status expand(expander *x, sn_err *err) {
  sni_build *b = x->b;
  const int32_t n = b->g->n_states;
  const size_t max_levels = (size_t)b->prons.max_units + 2;
  x->item_from = sn_calloc(max_levels, sizeof *x->item_from);
  x->end_from = sn_calloc(max_levels, sizeof *x->end_from);
  x->left_at = sn_calloc((size_t)b->hmms->n_phones, sizeof *x->left_at);
  if (x->item_from == NULL || x->end_from == NULL || x->left_at == NULL)
    return sn_fail_nomem(err, "graph compiler");
  for (int32_t i = 0; i < b->hmms->n_phones; i++) x->left_at[i] = -1;
  if (b->contexts.list.n > (size_t)(INT32_MAX / 2) - 2 * (size_t)n - 1)
    return sn_fail(err, SN_ELIMIT,
                   "the search graph has more than 2^31 states; prune the "
                   "language model (senone lm prune)");
  for (int32_t g = 0; g < n; g++) {
    SN_ASSERT(b->nodes.junction_first.n - 1 == (size_t)junction_base(x, g));
    SN_TRY(expand_state(x, g, err));
    sn_log_progress(b->log, "compiling the graph", "histories", g + 1, n,
                    g + 1 == n);
    if (sn_log_cancelled(b->log))
      return sn_fail(err, SN_ECANCEL, "interrupted while compiling the graph");
  }
  b->start = junction_base(x, b->g->start) + JUNCTION_S;
  return x->ends_in_silence ? start_silence(x, err) : SN_OK;
}

sn_status sni_expand(sni_build *b, sn_err *err) {
  expander x = {.b = b};
  sn_status s = SN_OK;
  x.word_cost = -b->opts->word_penalty / b->scale;
  x.ends_in_silence = b->opts->edges == SN_EDGES_SILENCE;
  SN_TRY_GOTO(s, find_fillers(&x, err));
  if (x.ends_in_silence && x.n_fillers == 0) {
    s = sn_fail(err, SN_EARG,
                "--edges=silence needs fillers, which are off or unknown to "
                "the acoustic model");
    goto fail;
  }
  SN_TRY_GOTO(s, expand(&x, err));
fail:
  SN_ARR_FREE(&x.lists);
  SN_ARR_FREE(&x.items);
  SN_ARR_FREE(&x.ends);
  for (int32_t k = 0; k < SNI_MAX_HMM_STATES; k++) SN_ARR_FREE(&x.deep[k]);
  SN_ARR_FREE(&x.arcs);
  SN_ARR_FREE(&x.entries);
  SN_ARR_FREE(&x.singles);
  SN_ARR_FREE(&x.other);
  SN_ARR_FREE(&x.groups);
  SN_ARR_FREE(&x.xs);
  SN_ARR_FREE(&x.lefts);
  sn_free(x.left_at);
  sn_free(x.item_from);
  sn_free(x.end_from);
  return s;
}
