/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of an utterance: a row of phones that goes forward only: optional
 * silence, the pronunciations of word 1, optional silence, ... At each of these
 * places, also before the first word and behind the last one, there is silence
 * with probability p or none with 1 - p. Where HMMs depend on contexts, the
 * first phone of a pronunciation stands once for each phone that may be before
 * it, the last once for each that may follow, and arcs join what agrees. */
#include "train/utt_graph_internal.h"

#include <math.h>

typedef struct builder {
  const sni_trainer *t;
  sni_ugraph *g;
  const int32_t *words;
  size_t n_words;
  sn_arr_i32 left, right, last, next_last; /* contexts; nodes */
  int32_t silence;                         /* node before the word */
  float with, without; /* log probability of silence at a place; of none */
} builder;

static const sn_lexicon *lex_of(const builder *b) { return &b->t->corpus->lex; }

static sn_status add_once(sn_arr_i32 *a, int32_t v, sn_err *err) {
  for (size_t i = 0; i < a->n; i++)
    if (a->data[i] == v) return SN_OK;
  return SN_ARR_PUSH(a, v, err);
}

/* First or last phones of a word's pronunciations, and silence. */
static sn_status contexts(const builder *b, size_t word, bool exists, bool last,
                          sn_arr_i32 *out, sn_err *err) {
  out->n = 0;
  if (b->t->tied.triphone == NULL) return SN_ARR_PUSH(out, SNI_ANY, err);
  SN_TRY(SN_ARR_PUSH(out, 0, err));
  if (!exists) return SN_OK;
  int32_t first = 0;
  const int32_t n = sn_lexicon_prons(lex_of(b), b->words[word], &first);
  for (int32_t p = first; p < first + n; p++) {
    const int32_t *const ph = sn_lexicon_phones(lex_of(b), p);
    const int32_t k = lex_of(b)->prons.data[p].n_phones;
    SN_TRY(add_once(out, ph[last ? k - 1 : 0] + 1, err));
  }
  return SN_OK;
}

static sn_status add_pred(builder *b, int32_t from, float logp, sn_err *err) {
  const sni_upred p = {from, logp};
  return SN_ARR_PUSH(&b->g->preds, p, err);
}

static bool fits(int32_t wanted, int32_t phone) {
  return wanted == SNI_ANY || wanted == phone;
}

/* Arcs into a node whose left context is outside the word. */
static sn_status enter_word(builder *b, sni_unode *n, float pron, sn_err *err) {
  if (fits(n->seg.left, 0)) {
    SN_TRY(add_pred(b, b->silence, pron, err));
    if (n->seg.word == 0) n->start = b->without + pron;
  }
  for (size_t i = 0; i < b->last.n; i++) {
    const sni_unode *const before = &b->g->nodes.data[b->last.data[i]];
    if (fits(before->seg.right, n->seg.phone) &&
        fits(n->seg.left, before->seg.phone))
      SN_TRY(add_pred(b, b->last.data[i], b->without + pron, err));
  }
  return SN_OK;
}

static sn_status push_node(builder *b, sni_unode n, sn_err *err) {
  n.hmm = sni_tied_hmm(&b->t->tied, &n.seg);
  return SN_ARR_PUSH(&b->g->nodes, n, err);
}

/* Phone k of a pronunciation, once for each context that matters. */
static sn_status add_phone(builder *b, size_t word, int32_t pron, int32_t k,
                           sn_err *err) {
  const sn_pron *const p = &lex_of(b)->prons.data[pron];
  const int32_t *const ph = sn_lexicon_phones(lex_of(b), pron);
  const bool first = k == 0, last = k == p->n_phones - 1;
  const bool any = b->t->tied.triphone == NULL;
  const int32_t l_in = k > 0 && !any ? ph[k - 1] + 1 : SNI_ANY;
  const int32_t r_in = !last && !any ? ph[k + 1] + 1 : SNI_ANY;
  const int32_t back_first = (int32_t)b->g->nodes.n - 1;
  size_t n_prev = 1; /* nodes of phone k - 1 */
  if (k == 1) n_prev = b->left.n;
  for (size_t l = 0; l < (first ? b->left.n : 1); l++) {
    for (size_t r = 0; r < (last ? b->right.n : 1); r++) {
      sni_unode n = {.seg = {.phone = ph[k] + 1,
                             .left = first ? b->left.data[l] : l_in,
                             .right = last ? b->right.data[r] : r_in,
                             .pos = first && last ? SN_POS_SINGLE
                                    : first       ? SN_POS_BEGIN
                                    : last        ? SN_POS_END
                                                  : SN_POS_INTERNAL,
                             .word = (int32_t)word,
                             .pron = pron},
                     .first_pred = (int32_t)b->g->preds.n,
                     .is_first = first,
                     .is_last = last,
                     .start = -INFINITY,
                     .end = -INFINITY};
      if (first) {
        SN_TRY(enter_word(b, &n, p->logp, err));
      } else {
        for (size_t i = 0; i < n_prev; i++)
          SN_TRY(add_pred(b, back_first - (int32_t)i, 0, err));
      }
      if (last && word + 1 == b->n_words && fits(n.seg.right, 0))
        n.end = b->without;
      if (last) SN_TRY(SN_ARR_PUSH(&b->next_last, (int32_t)b->g->nodes.n, err));
      SN_TRY(push_node(b, n, err));
    }
  }
  return SN_OK;
}

/* Silence before word i, or behind the last one. */
static sn_status add_silence(builder *b, size_t i, sn_err *err) {
  sni_unode n = {.seg = {.word = -1, .pron = -1},
                 .first_pred = (int32_t)b->g->preds.n,
                 .start = i == 0 ? b->with : -INFINITY,
                 .end = i == b->n_words ? 0 : -INFINITY};
  for (size_t k = 0; k < b->last.n; k++)
    if (fits(b->g->nodes.data[b->last.data[k]].seg.right, 0))
      SN_TRY(add_pred(b, b->last.data[k], b->with, err));
  b->silence = (int32_t)b->g->nodes.n;
  return push_node(b, n, err);
}

static sn_status build(builder *b, sn_err *err) {
  for (size_t i = 0; i < b->n_words; i++) {
    SN_TRY(add_silence(b, i, err));
    SN_TRY(contexts(b, i - 1, i > 0, true, &b->left, err));
    SN_TRY(contexts(b, i + 1, i + 1 < b->n_words, false, &b->right, err));
    b->next_last.n = 0;
    int32_t first = 0;
    const int32_t n = sn_lexicon_prons(lex_of(b), b->words[i], &first);
    for (int32_t p = first; p < first + n; p++)
      for (int32_t k = 0; k < lex_of(b)->prons.data[p].n_phones; k++)
        SN_TRY(add_phone(b, i, p, k, err));
    const sn_arr_i32 old = b->last;
    b->last = b->next_last;
    b->next_last = old;
  }
  SN_TRY(add_silence(b, b->n_words, err));
  sni_unode end = {.first_pred = (int32_t)b->g->preds.n};
  return SN_ARR_PUSH(&b->g->nodes, end, err);
}

sn_status sni_ugraph_build(const sni_trainer *t, const int32_t *words,
                           size_t n_words, sni_ugraph *g, sn_err *err) {
  builder b = {.t = t,
               .g = g,
               .words = words,
               .n_words = n_words,
               .with = (float)log(t->o->silence),
               .without = (float)log1p(-t->o->silence)};
  const sn_status s = build(&b, err);
  SN_ARR_FREE(&b.left);
  SN_ARR_FREE(&b.right);
  SN_ARR_FREE(&b.last);
  SN_ARR_FREE(&b.next_last);
  if (s == SN_OK) g->nodes.n--; /* the one that ends the lists of arcs */
  return s;
}

void sni_ugraph_clear(sni_ugraph *g) {
  SN_ARR_FREE(&g->nodes);
  SN_ARR_FREE(&g->preds);
}
