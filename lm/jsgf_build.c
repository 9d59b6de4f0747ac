/* SPDX-License-Identifier: Apache-2.0 */
/* From JSGF trees to a word automaton.
 *
 * A context-free grammar becomes a finite automaton by copying rules into the
 * places that refer to them, as long as rules that refer back to themselves do
 * so at the very end only ("recursion on the right"). So:
 * 1. Find for every reference whether it is last in its rule, and whether it
 *    is first. In the graph of rules, no reference that stays within a
 *    strongly connected component may be other than last, and no cycle may
 *    consist of first references.
 * 2. Build (rule, from, to). A reference copies the rule's body in place; one
 *    that is last and recursive, or deep, goes to the instance (rule, to), one
 *    for each pair, which is built when its turn comes in a queue.
 * 3. Tidy (grammar_tidy.c).
 *
 * build() adds arcs that leave `from` and arcs that enter `to`, never arcs
 * into `from` or out of `to` (loops get a state of their own), so that what is
 * built side by side between the same two states does not mix.
 *
 * Weights are made to sum to one: w / sum in a choice; an option is taken, and
 * a repetition goes on, with probability 1/2. Unless the grammar is ambiguous
 * or loops without a word, the probabilities of all its sentences sum to 1. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/jsgf_internal.h"

#define MAX_ARCS 3000000u /* 50 MB: rules that double and double again */
#define MAX_DEPTH 1000    /* of trees and rules within each other */
#define INLINE_DEPTH 100  /* deeper last references become instances */
#define LOG_HALF (-0.693147180559945309)

typedef struct instance {
  int32_t rule, to, entry;
} instance;

typedef struct builder {
  sni_jsgf *g;
  sn_grammar *out;
  int32_t *component;     /* [rules] */
  bool *is_recursive;     /* [rules] refers to itself, maybe through others */
  SN_ARR(instance) queue; /* [0 .. n_built) have their body */
  int32_t *index;         /* hash table: position in queue + 1 */
  size_t n_index;
} builder;

/* ---- Step 1: references ---- */

typedef struct reference {
  int32_t from, to; /* rules */
  bool is_first, is_last;
  int64_t line;
} reference;

typedef SN_ARR(reference) references;

/* Flags of the whole apply to the parts that share its edges. The tree is at
 * most a few hundred deep (the parser's limit). */
static sn_status collect(const sni_jsgf *g, int32_t node, int32_t rule,
                         bool is_first, bool is_last, references *out,
                         sn_err *err) {
  const sni_jsgf_node *const n = &g->nodes.data[node];
  if (n->kind == SNI_JSGF_RULE) {
    const reference r = {rule, n->value, is_first, is_last, n->line};
    return SN_ARR_PUSH(out, r, err);
  }
  const bool is_loop = n->kind == SNI_JSGF_STAR || n->kind == SNI_JSGF_PLUS;
  const bool is_sequence = n->kind == SNI_JSGF_SEQUENCE;
  for (int32_t c = n->child; c >= 0; c = g->nodes.data[c].next) {
    const bool first = is_first && (!is_sequence || c == n->child);
    const bool last =
        is_last && !is_loop && (!is_sequence || g->nodes.data[c].next < 0);
    SN_TRY(collect(g, c, rule, first, last, out, err));
  }
  return SN_OK;
}

/* Components of the graph whose edges are the references that `first_only`
 * lets through. */
static sn_status components_of(const sni_jsgf *g, const references *refs,
                               bool first_only, int32_t *component,
                               sn_err *err) {
  const size_t n = g->rules.n;
  int32_t *const first = sn_calloc(n + 2, sizeof *first);
  int32_t *const to = sn_calloc(refs->n + 1, sizeof *to);
  sn_status s = SN_OK;
  if (first == NULL || to == NULL) {
    s = sn_fail_nomem(err, "grammar");
    goto done;
  }
  for (size_t i = 0; i < refs->n; i++)
    if (!first_only || refs->data[i].is_first) first[refs->data[i].from + 2]++;
  for (size_t v = 2; v < n + 2; v++) first[v] += first[v - 1];
  for (size_t i = 0; i < refs->n; i++)
    if (!first_only || refs->data[i].is_first)
      to[first[refs->data[i].from + 1]++] = refs->data[i].to;
  s = sni_components((int32_t)n, first, to, component, err);
done:
  sn_free(first);
  sn_free(to);
  return s;
}

static sn_status check_recursion(builder *b, const references *refs,
                                 sn_err *err) {
  const sni_jsgf *const g = b->g;
  int32_t *const first_component =
      sn_calloc(g->rules.n + 1, sizeof *first_component);
  if (first_component == NULL) return sn_fail_nomem(err, "grammar");
  sn_status s = components_of(g, refs, true, first_component, err);
  if (s == SN_OK) s = components_of(g, refs, false, b->component, err);
  for (size_t i = 0; i < refs->n && s == SN_OK; i++) {
    const reference *const r = &refs->data[i];
    if (b->component[r->from] != b->component[r->to]) continue;
    b->is_recursive[r->to] = true;
    const bool is_left =
        r->is_first && first_component[r->from] == first_component[r->to];
    if (!is_left && r->is_last) continue;
    s = sn_fail(err, SN_EFORMAT,
                "%s:%lld: <%.80s> refers to itself through <%.80s> %s; only "
                "recursion at the end of a rule is allowed (use * or +)",
                g->path, (long long)r->line,
                sn_symtab_get(g->rule_names, r->from),
                sn_symtab_get(g->rule_names, r->to),
                is_left ? "on the left" : "in the middle");
  }
  sn_free(first_component);
  return s;
}

static sn_status analyse(builder *b, sn_err *err) {
  const sni_jsgf *const g = b->g;
  references refs = {0};
  sn_status s = SN_OK;
  for (size_t i = 0; i < g->rules.n && s == SN_OK; i++)
    s = collect(g, g->rules.data[i].body, (int32_t)i, true, true, &refs, err);
  if (s == SN_OK) s = check_recursion(b, &refs, err);
  SN_ARR_FREE(&refs);
  return s;
}

/* ---- Step 2: states and arcs ---- */

static int32_t new_state(builder *b) { return b->out->n_states++; }

static sn_status add_arc(builder *b, int32_t from, int32_t to, int32_t word,
                         double logp, sn_err *err) {
  if (from == to && word < 0) return SN_OK;
  if (b->out->arcs.n >= MAX_ARCS)
    return sn_fail(err, SN_ELIMIT,
                   "%s: more than %u arcs; rules are copied into each place "
                   "that refers to them, so use fewer references within "
                   "references, or recursion on the right",
                   b->g->path, MAX_ARCS);
  const sn_grammar_arc arc = {from, to, word, (float)logp};
  return SN_ARR_PUSH(&b->out->arcs, arc, err);
}

static size_t instance_slot(const builder *b, int32_t rule, int32_t to) {
  uint64_t h = (uint64_t)(uint32_t)rule << 32 | (uint32_t)to;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9u;
  h ^= h >> 32;
  size_t i = (size_t)h & (b->n_index - 1);
  while (b->index[i] != 0) {
    const instance *const x = &b->queue.data[b->index[i] - 1];
    if (x->rule == rule && x->to == to) break;
    i = (i + 1) & (b->n_index - 1);
  }
  return i;
}

static sn_status grow_index(builder *b, sn_err *err) {
  if (b->n_index > 2 * b->queue.n + 1) return SN_OK;
  const size_t n = b->n_index == 0 ? 64 : 2 * b->n_index;
  int32_t *const index = sn_calloc(n, sizeof *index);
  if (index == NULL) return sn_fail_nomem(err, "grammar");
  sn_free(b->index);
  b->index = index;
  b->n_index = n;
  for (size_t i = 0; i < b->queue.n; i++) {
    const instance *const x = &b->queue.data[i];
    b->index[instance_slot(b, x->rule, x->to)] = (int32_t)i + 1;
  }
  return SN_OK;
}

/* The state where the instance (rule, to) begins. */
static sn_status instance_of(builder *b, int32_t rule, int32_t to,
                             int32_t *entry, sn_err *err) {
  SN_TRY(grow_index(b, err));
  const size_t slot = instance_slot(b, rule, to);
  if (b->index[slot] == 0) {
    const instance x = {rule, to, new_state(b)};
    SN_TRY(SN_ARR_PUSH(&b->queue, x, err));
    b->index[slot] = (int32_t)b->queue.n;
  }
  *entry = b->queue.data[b->index[slot] - 1].entry;
  return SN_OK;
}

/* What build() needs to know about the place. */
typedef struct place {
  int32_t from, to;
  double logp; /* to put on the first arc of each path */
  int32_t depth;
  bool is_last; /* of the rule that is copied, and of those around it up to an
                   instance */
} place;

static sn_status build(builder *b, int32_t node, place at, sn_err *err);

static sn_status build_rule(builder *b, int32_t rule, place at, sn_err *err) {
  const bool is_recursive = b->is_recursive[rule];
  if (!is_recursive && (!at.is_last || at.depth < INLINE_DEPTH))
    return build(b, b->g->rules.data[rule].body, at, err);
  /* A recursive rule in the middle of another leads to a fresh `to`, so its
   * instance is its own; at the end of one of its kind it is found again. */
  int32_t entry;
  SN_TRY(instance_of(b, rule, at.to, &entry, err));
  return add_arc(b, at.from, entry, -1, at.logp, err);
}

static sn_status build_sequence(builder *b, const sni_jsgf_node *n, place at,
                                sn_err *err) {
  place part = at;
  for (int32_t c = n->child; c >= 0; c = b->g->nodes.data[c].next) {
    const bool is_end = b->g->nodes.data[c].next < 0;
    part.to = is_end ? at.to : new_state(b);
    part.is_last = at.is_last && is_end;
    SN_TRY(build(b, c, part, err));
    part.from = part.to;
    part.logp = 0.0;
  }
  return SN_OK;
}

static sn_status build_choice(builder *b, const sni_jsgf_node *n, place at,
                              sn_err *err) {
  double sum = 0.0;
  for (int32_t c = n->child; c >= 0; c = b->g->nodes.data[c].next)
    sum += b->g->nodes.data[c].weight;
  for (int32_t c = n->child; c >= 0; c = b->g->nodes.data[c].next) {
    const double weight = b->g->nodes.data[c].weight;
    if (!(weight > 0.0)) continue;
    place part = at;
    part.logp += log(weight) - log(sum);
    SN_TRY(build(b, c, part, err));
  }
  return SN_OK;
}

/* from -> loop state, body from it and back to it, and on to `to`. For "+"
 * the body ends in a second state, which leads back and on. */
static sn_status build_loop(builder *b, const sni_jsgf_node *n, place at,
                            sn_err *err) {
  const bool is_star = n->kind == SNI_JSGF_STAR;
  place body = {0, 0, is_star ? LOG_HALF : 0.0, at.depth, false};
  body.from = new_state(b);
  body.to = is_star ? body.from : new_state(b);
  SN_TRY(add_arc(b, at.from, body.from, -1, at.logp, err));
  SN_TRY(build(b, n->child, body, err));
  if (!is_star) SN_TRY(add_arc(b, body.to, body.from, -1, LOG_HALF, err));
  return add_arc(b, body.to, at.to, -1, LOG_HALF, err);
}

static sn_status build(builder *b, int32_t node, place at, sn_err *err) {
  const sni_jsgf_node *const n = &b->g->nodes.data[node];
  if (++at.depth > MAX_DEPTH)
    return sn_fail(err, SN_ELIMIT,
                   "%s:%lld: rules and brackets nested deeper than %d",
                   b->g->path, (long long)n->line, MAX_DEPTH);
  switch (n->kind) {
    case SNI_JSGF_WORD:
      return add_arc(b, at.from, at.to, n->value, at.logp, err);
    case SNI_JSGF_NULL:
      return add_arc(b, at.from, at.to, -1, at.logp, err);
    case SNI_JSGF_VOID:
      return SN_OK;
    case SNI_JSGF_RULE:
      return build_rule(b, n->value, at, err);
    case SNI_JSGF_SEQUENCE:
      return build_sequence(b, n, at, err);
    case SNI_JSGF_CHOICE:
      return build_choice(b, n, at, err);
    case SNI_JSGF_OPTIONAL:
      at.logp += LOG_HALF;
      SN_TRY(add_arc(b, at.from, at.to, -1, at.logp, err));
      return build(b, n->child, at, err);
    case SNI_JSGF_STAR:
    case SNI_JSGF_PLUS:
      return build_loop(b, n, at, err);
  }
  return SN_OK;
}

static sn_status build_queue(builder *b, sn_err *err) {
  for (size_t i = 0; i < b->queue.n; i++) {
    const instance x = b->queue.data[i];
    const place at = {x.entry, x.to, 0.0, 0, true};
    SN_TRY(build(b, b->g->rules.data[x.rule].body, at, err));
  }
  return SN_OK;
}

static sn_status build_top(builder *b, const char *rule, sn_err *err) {
  sni_jsgf *const g = b->g;
  size_t n_public = 0;
  for (size_t i = 0; i < g->rules.n; i++)
    n_public += g->rules.data[i].is_public ? 1 : 0;
  int32_t only = -1;
  if (rule != NULL) {
    only = sn_symtab_finds(g->rule_names, rule);
    if (only < 0)
      return sn_fail(err, SN_EARG, "%s: there is no rule <%s>", g->path, rule);
    n_public = 1;
  }
  if (n_public == 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: no rule is public; put 'public' before the one to "
                   "start with",
                   g->path);
  place at = {new_state(b), new_state(b), -log((double)n_public), 0, true};
  b->out->start = at.from;
  b->out->final = at.to;
  for (size_t i = 0; i < g->rules.n; i++)
    if (only >= 0 ? (int32_t)i == only : g->rules.data[i].is_public)
      SN_TRY(build_rule(b, (int32_t)i, at, err));
  return build_queue(b, err);
}

sn_status sni_jsgf_build(sni_jsgf *g, const char *rule, sn_grammar *out,
                         sn_err *err) {
  builder b = {.g = g, .out = out};
  sn_status s = SN_ENOMEM;
  b.component = sn_calloc(g->rules.n + 1, sizeof *b.component);
  b.is_recursive = sn_calloc(g->rules.n + 1, sizeof *b.is_recursive);
  if (b.component == NULL || b.is_recursive == NULL)
    s = sn_fail_nomem(err, "grammar");
  else
    s = analyse(&b, err);
  if (s == SN_OK) s = build_top(&b, rule, err);
  if (s == SN_OK) {
    s = sni_grammar_tidy(out, err);
    if (s == SN_EFORMAT)
      s = sn_fail(err, s, "%s: the grammar accepts no sentence at all",
                  g->path);
  }
  if (s == SN_OK) {
    out->words = g->words;
    out->name = g->name;
    g->words = NULL;
    g->name = NULL;
  }
  sn_free(b.component);
  sn_free(b.is_recursive);
  sn_free(b.index);
  SN_ARR_FREE(&b.queue);
  return s;
}
