/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/wordgraph.c - G from n-grams.
 *
 * A state is a history that has successors; backing off is an arc without a
 * word. A history without successors is passed over: the arc into it goes to
 * what it backs off to, at that cost. An explicit n-gram may also be reached
 * around it, by backing off first; that is left in the graph, and best-path
 * costs are defined with it: docs/graph.md says when it is cheaper. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"
#include "lm/class_token.h"

enum { N_NAMED = 5 }; /* words named in a message */

void sni_wordgraph_clear(sni_wordgraph *g) {
  SN_ARR_FREE(&g->first);
  SN_ARR_FREE(&g->arcs);
  SN_ARR_FREE(&g->final);
  SN_ARR_FREE(&g->lexicon);
  sn_symtab_destroy(g->words);
  memset(g, 0, sizeof *g);
}

/* ---- Words ---- */

static void fold(char *text, bool upper) {
  for (; *text != '\0'; text++)
    if (upper ? *text >= 'a' && *text <= 'z' : *text >= 'A' && *text <= 'Z')
      *text = (char)(*text ^ 0x20);
}

/* The lexicon's word for one of the language model, or -1. */
static sn_status find_word(const sn_lexicon *lex, const bool *has_pron,
                           bool fold_case, const char *word, int32_t *out,
                           sn_err *err) {
  *out = sn_symtab_finds(lex->words, word);
  for (int upper = 0; upper < 2 && *out < 0 && fold_case; upper++) {
    char *copy = sn_strdup(word);
    if (copy == NULL) return sn_fail_nomem(err, "words");
    fold(copy, upper != 0);
    *out = sn_symtab_finds(lex->words, copy);
    sn_free(copy);
  }
  if (*out >= 0 && !has_pron[*out]) *out = -1;
  return SN_OK;
}

static sn_status add_missing(sni_missing *m, sn_log *log, const char *word,
                             sn_err *err) {
  sn_log_msg(log, SN_LOG_DEBUG, "not in the lexicon: '%s'", word);
  if (m->n_words++ < N_NAMED)
    return sn_str_addf(&m->names, err, "%s'%s'", m->n_words > 1 ? ", " : "",
                       word);
  return SN_OK;
}

sn_status sni_wordgraph_word(sni_wordgraph *g, const sn_lexicon *lex,
                             const bool *has_pron, const sn_graph_opts *opts,
                             sn_log *log, sni_missing *missing,
                             const char *word, int32_t *id, sn_err *err) {
  int32_t in_lexicon = -1;
  *id = -1;
  SN_TRY(find_word(lex, has_pron, opts->fold_case, word, &in_lexicon, err));
  if (in_lexicon < 0) return add_missing(missing, log, word, err);
  SN_TRY(SN_ARR_RESERVE(&g->lexicon, g->lexicon.n + 1, err));
  SN_TRY(sn_symtab_add(g->words, word, strlen(word), id, err));
  if ((size_t)*id == g->lexicon.n) g->lexicon.data[g->lexicon.n++] = in_lexicon;
  return SN_OK;
}

const char *sni_missing_hint(const sni_missing *m) {
  return strstr(sn_str_get(&m->names), "'$") != NULL
             ? "; a word like '$NAME' may stand for a list or a grammar: "
               "--class=NAME=FILE"
             : "";
}

/* ---- N-grams ---- */

typedef struct ngram_reader {
  const sn_ngram *lm;
  sni_wordgraph *g;
  int32_t order;
  int32_t *state_of[SN_NGRAM_MAX_ORDER]; /* by level, then node; -1: none */
  int32_t *words;                        /* [LM words] in g, or -1 */
} ngram_reader;

static int32_t find_class(const sn_word_classes *classes, const char *word) {
  for (size_t k = 0; classes != NULL && word[0] == '$' && k < classes->n; k++)
    if (strcmp(classes->list[k].token, word) == 0) return SNI_CLASS_WORD(k);
  return -1;
}

static sn_status map_words(ngram_reader *r, const sn_lexicon *lex,
                           const bool *has_pron, const sn_graph_opts *opts,
                           const sn_word_classes *classes, sn_log *log,
                           sni_missing *missing, sn_err *err) {
  const int32_t n = sn_ngram_n_words(r->lm);
  SN_TRY(sn_class_refuse_found(r->lm, "the language model", err));
  r->words = sn_calloc((size_t)n, sizeof *r->words);
  if (r->words == NULL) return sn_fail_nomem(err, "words");
  for (int32_t w = 0; w < n; w++) {
    r->words[w] = find_class(classes, sn_ngram_word(r->lm, w));
    if (r->words[w] == -1 && w != sn_ngram_bos(r->lm) &&
        w != sn_ngram_eos(r->lm) && w != sn_ngram_unk(r->lm))
      SN_TRY(sni_wordgraph_word(r->g, lex, has_pron, opts, log, missing,
                                sn_ngram_word(r->lm, w), &r->words[w], err));
  }
  for (size_t k = 0; classes != NULL && k < classes->n; k++)
    if (!classes->list[k].is_part &&
        sn_ngram_find(r->lm, classes->list[k].token) < 0)
      return sn_fail(err, SN_EMISMATCH,
                     "class '%s': the language model has no such word",
                     classes->list[k].token);
  return SN_OK;
}

/* Numbers the histories that have successors, shortest first: 0 is the empty
 * one. The beginning of a sentence is one in any case: the back-off from it
 * belongs to every sentence's cost. */
static sn_status number_histories(ngram_reader *r, sn_err *err) {
  const sn_ngram_state begin = sn_ngram_begin(r->lm);
  r->g->n_states = 0;
  for (int32_t level = 0; level < r->order; level++) {
    const int64_t n = level == 0 ? 1 : sn_ngram_count(r->lm, level);
    r->state_of[level] = sn_calloc((size_t)n, sizeof **r->state_of);
    if (r->state_of[level] == NULL)
      return sn_fail_nomem(err, "histories of the language model");
    for (int64_t i = 0; i < n; i++) {
      int64_t first = 0;
      const sn_ngram_state h = {level, i};
      const bool is_used = level == 0 ||
                           sn_ngram_children(r->lm, h, &first) > 0 ||
                           (level == begin.level && i == begin.node);
      if (is_used && r->g->n_states == INT32_MAX - 1)
        return sn_fail(err, SN_ELIMIT,
                       "the language model has too many histories");
      r->state_of[level][i] = is_used ? r->g->n_states++ : -1;
    }
  }
  return SN_OK;
}

/* The nearest state at or behind h; *cost grows by the back-offs on the way. */
static int32_t resolve(const ngram_reader *r, sn_ngram_state h, double *cost) {
  while (r->state_of[h.level][h.node] < 0) {
    *cost -= sn_ngram_node_backoff(r->lm, h.level, h.node);
    h = sn_ngram_backoff_state(r->lm, h);
  }
  return r->state_of[h.level][h.node];
}

static sn_status add_history(ngram_reader *r, sn_ngram_state h, sn_err *err) {
  sni_wordgraph *g = r->g;
  SN_TRY(SN_ARR_PUSH(&g->first, (uint32_t)g->arcs.n, err));
  const int32_t eos = sn_ngram_eos(r->lm);
  const double end_cost =
      eos < 0 ? 0 : -sn_ngram_score(r->lm, h, eos, NULL, NULL);
  SN_TRY(SN_ARR_PUSH(&g->final, (float)end_cost, err));
  if (h.level > 0) {
    double cost = -sn_ngram_node_backoff(r->lm, h.level, h.node);
    const int32_t dest = resolve(r, sn_ngram_backoff_state(r->lm, h), &cost);
    const sni_g_arc a = {-1, dest, (float)cost};
    if (isfinite(cost)) SN_TRY(SN_ARR_PUSH(&g->arcs, a, err));
  }
  int64_t first = 0;
  const int64_t n = sn_ngram_children(r->lm, h, &first);
  for (int64_t k = first; k < first + n; k++) {
    const int32_t w = r->words[sn_ngram_child_word(r->lm, h.level + 1, k)];
    if (w == -1) continue;
    double cost = -sn_ngram_node_logp(r->lm, h.level + 1, k);
    const int32_t dest =
        resolve(r, sn_ngram_next_state(r->lm, h.level + 1, k), &cost);
    const sni_g_arc a = {w, dest, (float)cost};
    if (isfinite(cost)) SN_TRY(SN_ARR_PUSH(&g->arcs, a, err));
  }
  return SN_OK;
}

sn_status sni_wordgraph_ngram(const sn_ngram *lm, const sn_lexicon *lex,
                              const bool *has_pron, const sn_graph_opts *opts,
                              const sn_word_classes *classes, sn_log *log,
                              sni_missing *missing, sni_wordgraph *out,
                              sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_status s = SN_OK;
  ngram_reader r = {.lm = lm, .g = out, .order = sn_ngram_order(lm)};
  SN_TRY_GOTO(s, sn_symtab_create(&out->words, err));
  SN_TRY_GOTO(s,
              map_words(&r, lex, has_pron, opts, classes, log, missing, err));
  SN_TRY_GOTO(s, number_histories(&r, err));
  for (int32_t level = 0; level < r.order; level++) {
    const int64_t n = level == 0 ? 1 : sn_ngram_count(lm, level);
    for (int64_t i = 0; i < n; i++) {
      const sn_ngram_state h = {level, i};
      if (r.state_of[level][i] < 0) continue;
      SN_TRY_GOTO(s, add_history(&r, h, err));
      sn_log_progress(log, "reading the language model", "histories",
                      r.state_of[level][i], out->n_states, false);
    }
  }
  SN_TRY_GOTO(s, SN_ARR_PUSH(&out->first, (uint32_t)out->arcs.n, err));
  sn_log_progress(log, "reading the language model", "histories", out->n_states,
                  out->n_states, true);
  const sn_ngram_state begin = sn_ngram_begin(lm);
  out->start = r.state_of[begin.level][begin.node];
fail:
  for (int32_t i = 0; i < r.order; i++) sn_free(r.state_of[i]);
  sn_free(r.words);
  if (s != SN_OK) sni_wordgraph_clear(out);
  return s;
}

/* ---- Checks ---- */

sn_status sni_wordgraph_check(const sni_wordgraph *g, sn_err *err) {
  if (g->n_states < 1 || g->start < 0 || g->start >= g->n_states ||
      g->first.n != (size_t)g->n_states + 1 ||
      g->final.n != (size_t)g->n_states || g->first.data[0] != 0 ||
      g->first.data[g->n_states] != g->arcs.n)
    return sn_fail(err, SN_EARG, "word graph: %d states, start %d", g->n_states,
                   g->start);
  int32_t *n_in = sn_calloc((size_t)g->n_states, sizeof *n_in);
  int32_t *queue = sn_calloc((size_t)g->n_states, sizeof *queue);
  sn_status s = SN_OK;
  if (n_in == NULL || queue == NULL) {
    s = sn_fail_nomem(err, "word graph");
    goto fail;
  }
  for (int32_t i = 0; i < g->n_states; i++) {
    bool is_good =
        g->first.data[i] <= g->first.data[i + 1] && !isnan(g->final.data[i]);
    for (uint32_t k = g->first.data[i]; is_good && k < g->first.data[i + 1];
         k++) {
      const sni_g_arc *a = &g->arcs.data[k];
      is_good = a->dest >= 0 && a->dest < g->n_states && a->word >= -1 &&
                a->word < (int32_t)g->lexicon.n && isfinite(a->cost);
      if (is_good && a->word < 0) n_in[a->dest]++;
    }
    if (!is_good) {
      s = sn_fail(err, SN_EARG, "word graph: state %d of %d is damaged", i,
                  g->n_states);
      goto fail;
    }
  }
  /* Without circles every state loses its last empty arc in some order. */
  int32_t n = 0;
  for (int32_t i = 0; i < g->n_states; i++)
    if (n_in[i] == 0) queue[n++] = i;
  for (int32_t i = 0; i < n; i++)
    for (uint32_t k = g->first.data[queue[i]]; k < g->first.data[queue[i] + 1];
         k++)
      if (g->arcs.data[k].word < 0 && --n_in[g->arcs.data[k].dest] == 0)
        queue[n++] = g->arcs.data[k].dest;
  if (n < g->n_states)
    s = sn_fail(err, SN_EARG, "word graph: a circle of arcs without words");
fail:
  sn_free(n_in);
  sn_free(queue);
  return s;
}
