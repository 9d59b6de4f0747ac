/* SPDX-License-Identifier: Apache-2.0 */
/* tests/ref/jsgf_ref.h - random JSGF grammars as trees, their text, and the
 * probability of a word sequence by recursion over the tree (the inside
 * probability). No automaton.
 *
 * Words are single letters. A rule refers to later ones anywhere, and to any
 * rule as the last item behind a word (recursion on the right). */
#ifndef SN_TESTS_REF_JSGF_REF_H
#define SN_TESTS_REF_JSGF_REF_H
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

enum { REF_WORD, REF_RULE, REF_SEQ, REF_ALT, REF_OPT, REF_STAR, REF_PLUS };
enum { REF_MAX_NODES = 400, REF_MAX_RULES = 4, REF_MAX_LETTERS = 5 };

typedef struct ref_node {
  int kind, value; /* letter or rule */
  int child[3], n_children;
  double weight[3]; /* of an alternative's children */
  bool has_weights;
} ref_node;

typedef struct ref_jsgf {
  ref_node node[REF_MAX_NODES];
  int n_nodes, rule[REF_MAX_RULES], n_rules;
  bool has_null_loop; /* a loop around what may be nothing */
  double memo[REF_MAX_NODES][REF_MAX_LETTERS + 1][REF_MAX_LETTERS + 1];
} ref_jsgf;

static int ref_new(ref_jsgf *g, int kind, int value) {
  ref_node *const n = &g->node[g->n_nodes];
  memset(n, 0, sizeof *n);
  n->kind = kind;
  n->value = value;
  return g->n_nodes++;
}

static bool ref_nullable(const ref_jsgf *g, int node) {
  const ref_node *const n = &g->node[node];
  switch (n->kind) {
    case REF_WORD:
      return false;
    case REF_RULE:
      return ref_nullable(g, g->rule[n->value]);
    case REF_SEQ:
      for (int i = 0; i < n->n_children; i++)
        if (!ref_nullable(g, n->child[i])) return false;
      return true;
    case REF_ALT:
      for (int i = 0; i < n->n_children; i++)
        if (ref_nullable(g, n->child[i])) return true;
      return false;
    case REF_PLUS:
      return ref_nullable(g, n->child[0]);
    default:
      return true;
  }
}

/* Rules are made last first, so that later ones exist. */
static int ref_random(ref_jsgf *g, sn_rng *rng, int rule, int depth,
                      bool is_last) {
  const uint32_t pick =
      depth <= 0 ? sn_rng_below(rng, 2) : sn_rng_below(rng, 8);
  if (pick < 2 || g->n_nodes > REF_MAX_NODES - 40) {
    if (pick == 1 && rule + 1 < g->n_rules)
      return ref_new(
          g, REF_RULE,
          rule + 1 + (int)sn_rng_below(rng, (uint32_t)(g->n_rules - rule - 1)));
    return ref_new(g, REF_WORD, 'a' + (int)sn_rng_below(rng, 2));
  }
  const int kind = pick < 4    ? REF_SEQ
                   : pick == 4 ? REF_ALT
                   : pick == 5 ? REF_OPT
                   : pick == 6 ? REF_STAR
                               : REF_PLUS;
  const int me = ref_new(g, kind, 0);
  const int n_children =
      kind == REF_SEQ || kind == REF_ALT ? 2 + (int)sn_rng_below(rng, 2) : 1;
  g->node[me].has_weights = kind == REF_ALT && sn_rng_below(rng, 2) == 0;
  for (int i = 0; i < n_children; i++) {
    const bool last = is_last && kind != REF_STAR && kind != REF_PLUS &&
                      (kind != REF_SEQ || i + 1 == n_children);
    int c;
    if (kind == REF_SEQ && i == 0 && last == false && is_last &&
        sn_rng_below(rng, 3) == 0) {
      /* word <rule>: recursion, maybe. */
      c = ref_new(g, REF_WORD, 'a' + (int)sn_rng_below(rng, 2));
      g->node[me].child[0] = c;
      g->node[me].weight[0] = 1.0;
      c = ref_new(g, REF_RULE, (int)sn_rng_below(rng, (uint32_t)g->n_rules));
      g->node[me].child[1] = c;
      g->node[me].n_children = 2;
      return me;
    }
    c = ref_random(g, rng, rule, depth - 1, last);
    g->node[me].child[i] = c;
    g->node[me].n_children = i + 1;
    g->node[me].weight[i] =
        g->node[me].has_weights ? 1.0 + sn_rng_below(rng, 5) : 1.0;
  }
  return me;
}

static void ref_make(ref_jsgf *g, uint64_t seed) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  memset(g, 0, sizeof *g);
  g->n_rules = 1 + (int)sn_rng_below(&rng, REF_MAX_RULES);
  for (int r = g->n_rules - 1; r >= 0; r--)
    g->rule[r] = ref_random(g, &rng, r, 3, true);
  for (int i = 0; i < g->n_nodes; i++)
    if ((g->node[i].kind == REF_STAR || g->node[i].kind == REF_PLUS) &&
        ref_nullable(g, g->node[i].child[0]))
      g->has_null_loop = true;
}

static void ref_print(const ref_jsgf *g, int node, char *out) {
  const ref_node *const n = &g->node[node];
  char *const end = out + strlen(out);
  if (n->kind == REF_WORD) {
    sprintf(end, "%c", n->value);
    return;
  }
  if (n->kind == REF_RULE) {
    sprintf(end, "<r%d>", n->value);
    return;
  }
  strcat(out, n->kind == REF_OPT ? "[" : "(");
  for (int i = 0; i < n->n_children; i++) {
    if (i > 0) strcat(out, n->kind == REF_ALT ? " | " : " ");
    if (n->has_weights) sprintf(out + strlen(out), "/%g/ ", n->weight[i]);
    ref_print(g, n->child[i], out);
  }
  strcat(out, n->kind == REF_OPT    ? "]"
              : n->kind == REF_STAR ? ")*"
              : n->kind == REF_PLUS ? ")+ {tag}"
                                    : ")");
}

static void ref_text(const ref_jsgf *g, char *out) {
  strcpy(out, "#JSGF V1.0;\ngrammar random;\n");
  for (int r = 0; r < g->n_rules; r++) {
    sprintf(out + strlen(out), "%s<r%d> = ", r == 0 ? "public " : "", r);
    ref_print(g, g->rule[r], out);
    strcat(out, ";\n");
  }
}

/* p(words[i .. j) | node). With loops around nothing the empty rounds are left
 * out, so that only whether it is above 0 means anything. */
static double ref_inside(ref_jsgf *g, int node, const char *words, int i,
                         int j);

static double ref_inside_children(ref_jsgf *g, const ref_node *n, int c,
                                  const char *words, int i, int j) {
  if (c == n->n_children) return i == j ? 1.0 : 0.0;
  if (c + 1 == n->n_children) return ref_inside(g, n->child[c], words, i, j);
  double sum = 0.0;
  for (int k = i; k <= j; k++) {
    const double p = ref_inside(g, n->child[c], words, i, k);
    if (p > 0.0) sum += p * ref_inside_children(g, n, c + 1, words, k, j);
  }
  return sum;
}

static double ref_inside_new(ref_jsgf *g, int node, const char *words, int i,
                             int j) {
  const ref_node *const n = &g->node[node];
  double sum = 0.0, weights = 0.0;
  switch (n->kind) {
    case REF_WORD:
      return j == i + 1 && words[i] == n->value ? 1.0 : 0.0;
    case REF_RULE:
      return ref_inside(g, g->rule[n->value], words, i, j);
    case REF_SEQ:
      return ref_inside_children(g, n, 0, words, i, j);
    case REF_ALT:
      for (int c = 0; c < n->n_children; c++) weights += n->weight[c];
      for (int c = 0; c < n->n_children; c++)
        sum += n->weight[c] / weights * ref_inside(g, n->child[c], words, i, j);
      return sum;
    case REF_OPT:
      return 0.5 * (i == j ? 1.0 : 0.0) +
             0.5 * ref_inside(g, n->child[0], words, i, j);
    case REF_STAR:
      sum = i == j ? 0.5 : 0.0;
      for (int k = i + 1; k <= j; k++)
        sum += 0.5 * ref_inside(g, n->child[0], words, i, k) *
               ref_inside(g, node, words, k, j);
      return sum;
    default: /* REF_PLUS */
      sum = 0.5 * ref_inside(g, n->child[0], words, i, j);
      for (int k = i + 1; k <= j; k++)
        sum += 0.5 * ref_inside(g, n->child[0], words, i, k) *
               ref_inside(g, node, words, k, j);
      return sum;
  }
}

static double ref_inside(ref_jsgf *g, int node, const char *words, int i,
                         int j) {
  double *const memo = &g->memo[node][i][j];
  if (*memo < 0.0) *memo = ref_inside_new(g, node, words, i, j);
  return *memo;
}

/* Before each new word sequence. */
static void ref_forget(ref_jsgf *g) {
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i <= REF_MAX_LETTERS; i++)
      for (int j = 0; j <= REF_MAX_LETTERS; j++) g->memo[n][i][j] = -1.0;
}
#endif
