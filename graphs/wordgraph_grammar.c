/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/wordgraph_grammar.c - G from grammars, alone or beside n-grams.
 *
 * A grammar comes as a word automaton with empty arcs. OpenFst takes these away
 * and makes it deterministic and minimal over (word, weight) pairs: that form
 * exists for every grammar, which is not so for weighted determinisation. A
 * grammar whose deterministic form is too large stays as it is without its
 * empty arcs. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"
#include "graphs/fst.h"

enum { MAX_GROWTH = 20 }; /* deterministic states a state */

/* Words that the lexicon lacks leave their arcs out. */
static sn_status to_fst(const sn_grammar *grammar, const int32_t *word_ids,
                        sn_fst *f, sn_err *err) {
  for (int32_t i = 0; i < grammar->n_states; i++) {
    int32_t id = 0;
    SN_TRY(sn_fst_add_state(f, &id, err));
  }
  SN_TRY(sn_fst_set_start(f, grammar->start, err));
  SN_TRY(sn_fst_set_final(f, grammar->final, 0, err));
  for (size_t i = 0; i < grammar->arcs.n; i++) {
    const sn_grammar_arc *a = &grammar->arcs.data[i];
    int32_t label = 0;
    if (a->word >= 0) {
      if (word_ids[a->word] < 0) continue;
      label = word_ids[a->word] + 1;
    }
    if (isfinite(a->logp))
      SN_TRY(sn_fst_add_arc(f, a->from, label, label, -a->logp, a->to, err));
  }
  return SN_OK;
}

static sn_status from_fst(const sn_fst *f, sni_wordgraph *g, sn_err *err) {
  g->n_states = sn_fst_n_states(f);
  g->start = sn_fst_start(f);
  for (int32_t s = 0; s < g->n_states; s++) {
    SN_TRY(SN_ARR_PUSH(&g->first, (uint32_t)g->arcs.n, err));
    SN_TRY(SN_ARR_PUSH(&g->final, sn_fst_final(f, s), err));
    for (int64_t i = 0; i < sn_fst_n_arcs(f, s); i++) {
      const sn_fst_arc a = sn_fst_arc_at(f, s, i);
      const sni_g_arc x = {a.in - 1, a.next, a.cost};
      SN_TRY(SN_ARR_PUSH(&g->arcs, x, err));
    }
  }
  return SN_ARR_PUSH(&g->first, (uint32_t)g->arcs.n, err);
}

/* Without empty arcs, trimmed; deterministic and minimal where possible. */
static sn_status tidy(const sn_fst *f, sn_fst **out, sn_err *err) {
  sn_fst *bare = NULL;
  SN_TRY(sn_fst_rm_epsilon(f, &bare, err));
  const int32_t n = sn_fst_n_states(bare);
  const int32_t max =
      n > INT32_MAX / MAX_GROWTH - 1000 ? INT32_MAX : n * MAX_GROWTH + 1000;
  const sn_status s = sn_fst_optimise(bare, max, out, err);
  if (s == SN_OK && *out == NULL) {
    *out = bare;
    return SN_OK;
  }
  sn_fst_destroy(bare);
  return s;
}

sn_status sni_wordgraph_grammar(const sn_grammar *grammar,
                                const sn_lexicon *lex, const bool *has_pron,
                                const sn_graph_opts *opts, sn_log *log,
                                sni_missing *missing, sni_wordgraph *out,
                                sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_status s = SN_OK;
  sn_fst *raw = NULL, *tidied = NULL;
  const int32_t n_words = sn_symtab_n(grammar->words);
  int32_t *ids = sn_calloc((size_t)n_words, sizeof *ids);
  uint8_t *is_used = sn_calloc((size_t)n_words, 1);
  if (ids == NULL || is_used == NULL) {
    s = sn_fail_nomem(err, "words of the grammar");
    goto fail;
  }
  SN_TRY_GOTO(s, sn_symtab_create(&out->words, err));
  for (size_t i = 0; i < grammar->arcs.n; i++)
    if (grammar->arcs.data[i].word >= 0)
      is_used[grammar->arcs.data[i].word] = 1;
  for (int32_t w = 0; w < n_words; w++) {
    ids[w] = -1;
    if (is_used[w])
      SN_TRY_GOTO(s, sni_wordgraph_word(out, lex, has_pron, opts, log, missing,
                                        sn_symtab_get(grammar->words, w),
                                        &ids[w], err));
  }
  SN_TRY_GOTO(s, sn_fst_create(&raw, err));
  SN_TRY_GOTO(s, to_fst(grammar, ids, raw, err));
  SN_TRY_GOTO(s, tidy(raw, &tidied, err));
  if (sn_fst_start(tidied) < 0) {
    s = missing->n_words > 0
            ? sn_fail(err, SN_EMISMATCH,
                      "grammar: no sentence is left: the lexicon lacks %s%s",
                      sn_str_get(&missing->names), sni_missing_hint(missing))
            : sn_fail(err, SN_EARG, "grammar: it has no sentence");
    goto fail;
  }
  SN_TRY_GOTO(s, from_fst(tidied, out, err));
fail:
  sn_fst_destroy(raw);
  sn_fst_destroy(tidied);
  sn_free(ids);
  sn_free(is_used);
  if (s != SN_OK) sni_wordgraph_clear(out);
  return s;
}

/* Copies b's state into a, with its states numbered from `base`; is_entry: as
 * where b begins, which can not end at once (that would be nothing said). */
static sn_status copy_state(sni_wordgraph *a, const sni_wordgraph *b,
                            int32_t state, int32_t base, const int32_t *words,
                            int32_t at, bool is_entry, sn_err *err) {
  const double leave = (double)b->final.data[state];
  const double end = leave + (double)a->final.data[at];
  SN_TRY(SN_ARR_PUSH(&a->final, is_entry ? INFINITY : (float)end, err));
  for (uint32_t i = b->first.data[state]; i < b->first.data[state + 1]; i++) {
    const sni_g_arc *from = &b->arcs.data[i];
    const sni_g_arc x = {words[from->word], base + from->dest, from->cost};
    SN_TRY(SN_ARR_PUSH(&a->arcs, x, err));
  }
  /* Behind the words: what stands first counts as a back-off (expand.c,
   * home_of), which leaving a phrase that can go on is not. */
  if (!is_entry && isfinite(leave)) {
    const sni_g_arc back = {-1, at, (float)leave};
    SN_TRY(SN_ARR_PUSH(&a->arcs, back, err));
  }
  return SN_ARR_PUSH(&a->first, (uint32_t)a->arcs.n, err);
}

/* Puts an arc without a word at the end of state `at`'s arcs. */
static sn_status insert_arc(sni_wordgraph *a, int32_t at, sni_g_arc arc,
                            sn_err *err) {
  SN_TRY(SN_ARR_PUSH(&a->arcs, arc, err));
  const uint32_t end = a->first.data[at + 1];
  memmove(&a->arcs.data[end + 1], &a->arcs.data[end],
          (a->arcs.n - 1 - end) * sizeof *a->arcs.data);
  a->arcs.data[end] = arc;
  for (int32_t s = at + 1; s <= a->n_states; s++) a->first.data[s]++;
  return SN_OK;
}

sn_status sni_wordgraph_merge_words(sni_wordgraph *a, const sni_wordgraph *b,
                                    int32_t **ids, sn_err *err) {
  const int32_t n_words = sn_symtab_n(b->words);
  int32_t *const words = sn_calloc((size_t)n_words, sizeof *words);
  *ids = words;
  if (words == NULL) return sn_fail_nomem(err, "words of the grammar");
  for (int32_t w = 0; w < n_words; w++) {
    const char *name = sn_symtab_get(b->words, w);
    SN_TRY(sn_symtab_add(a->words, name, strlen(name), &words[w], err));
    if ((size_t)words[w] == a->lexicon.n)
      SN_TRY(SN_ARR_PUSH(&a->lexicon, b->lexicon.data[w], err));
  }
  return SN_OK;
}

sn_status sni_wordgraph_add(sni_wordgraph *a, const sni_wordgraph *b,
                            int32_t at, double cost, sn_err *err) {
  sn_status s = SN_OK;
  const int32_t base = a->n_states;
  int32_t *words = NULL;
  SN_TRY_GOTO(s, sni_wordgraph_merge_words(a, b, &words, err));
  const sni_g_arc in = {-1, base + b->n_states, (float)cost};
  SN_TRY_GOTO(s, insert_arc(a, at, in, err));
  for (int32_t i = 0; i < b->n_states; i++)
    SN_TRY_GOTO(s, copy_state(a, b, i, base, words, at, false, err));
  SN_TRY_GOTO(s, copy_state(a, b, b->start, base, words, at, true, err));
  a->n_states = base + b->n_states + 1;
fail:
  sn_free(words);
  return s;
}

/* ---- One or the other ---- */

/* The start of both: an arc without a word to the start of each. A grammar's
 * states have no such arcs, so no circle arises. */
static sn_status add_choice(sni_wordgraph *a, const sni_wordgraph *b,
                            int32_t base, double weight, sn_err *err) {
  const double costs[] = {-log1p(-weight), -log(weight)};
  const int32_t starts[] = {a->start, base + b->start};
  double end = INFINITY;
  for (int i = weight < 1 ? 0 : 1; i < 2; i++) {
    const sni_g_arc x = {-1, starts[i], (float)costs[i]};
    SN_TRY(SN_ARR_PUSH(&a->arcs, x, err));
    end = fmin(end, costs[i] + (double)a->final.data[starts[i]]);
  }
  SN_TRY(SN_ARR_PUSH(&a->final, (float)end, err));
  SN_TRY(SN_ARR_PUSH(&a->first, (uint32_t)a->arcs.n, err));
  a->start = base + b->n_states;
  a->n_states = a->start + 1;
  return SN_OK;
}

sn_status sni_wordgraph_choose(sni_wordgraph *a, const sni_wordgraph *b,
                               double weight, sn_err *err) {
  sn_status s = SN_OK;
  int32_t *words = NULL;
  const int32_t base = a->n_states;
  SN_TRY_GOTO(s, sni_wordgraph_merge_words(a, b, &words, err));
  for (int32_t i = 0; i < b->n_states; i++) {
    SN_TRY_GOTO(s, SN_ARR_PUSH(&a->final, b->final.data[i], err));
    for (uint32_t k = b->first.data[i]; k < b->first.data[i + 1]; k++) {
      const sni_g_arc *const from = &b->arcs.data[k];
      const sni_g_arc x = {words[from->word], base + from->dest, from->cost};
      SN_TRY_GOTO(s, SN_ARR_PUSH(&a->arcs, x, err));
    }
    SN_TRY_GOTO(s, SN_ARR_PUSH(&a->first, (uint32_t)a->arcs.n, err));
  }
  SN_TRY_GOTO(s, add_choice(a, b, base, weight, err));
fail:
  sn_free(words);
  return s;
}
