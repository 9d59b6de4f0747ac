/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's HCLG as a search graph.
 *
 * There, every arc consumes a transition id, self-loops are arcs, and nothing
 * says that the arcs into a state agree. Here a state has one label, which
 * knows its self-loop. So a state of the result is a pair (HCLG state, label
 * that it is entered with; -1: by epsilon or as the start), made when the walk
 * from the start first comes to it:
 *   1. label of an arc with transition id F into state s: (F, L, cost), where L
 *      is the self-loop of s if it belongs to the same HMM state as F;
 *   2. arcs of a pair: those of its HCLG state, without the self-loop that its
 *      label has. A self-loop that it has not (the state was entered by epsilon
 *      or with the pdf of another state) stays an arc, to the pair that L
 *      itself enters.
 * In a graph of utils/mkgraph.sh each state has one pair, or few: only the
 * last HMM state of a phone can be left by several transitions.
 *
 * Pairs are numbered as they are found and worked on in that order, so arcs
 * come out sorted by source. Work: arcs of the result; each pair is found
 * through the list of its HCLG state, each label through that of F. */
#include "graphs/kaldi_graph.h"

#include <math.h>
#include <string.h>

#include "am/am.h"
#include "base/arr.h"
#include "base/mem.h"
#include "graphs/graph_writer.h"

#define MAX_ARCS ((size_t)1 << 28)

typedef struct pair {
  int32_t state, label;
  int32_t other; /* the next pair of this state; -1: none */
} pair;

typedef struct work {
  const sn_kaldi_hclg *in;
  SN_ARR(pair) pairs;
  int32_t *first_pair; /* [HCLG states] -1: none */
  int64_t *loop;       /* [HCLG states] its first self-loop; -1: none */
  SN_ARR(sn_graph_label) labels;
  sn_arr_i32 tids;        /* two a label */
  sn_arr_i32 other_label; /* with the same F; -1: none */
  int32_t *first_label;   /* [transition ids] -1: none */
  SN_ARR(sn_graph_state) states;
  SN_ARR(sn_graph_arc) emit, eps;
  SN_ARR(const char *) words, phones;
  sn_str numbers; /* names of phones without table */
} work;

static void work_clear(work *w) {
  SN_ARR_FREE(&w->pairs);
  sn_free(w->first_pair);
  sn_free(w->loop);
  SN_ARR_FREE(&w->labels);
  SN_ARR_FREE(&w->tids);
  SN_ARR_FREE(&w->other_label);
  sn_free(w->first_label);
  SN_ARR_FREE(&w->states);
  SN_ARR_FREE(&w->emit);
  SN_ARR_FREE(&w->eps);
  SN_ARR_FREE(&w->words);
  SN_ARR_FREE(&w->phones);
  sn_str_clear(&w->numbers);
}

/* ---- What the tables must agree on ---- */

static sn_status check_arc(const sn_kaldi_hclg *in, const sn_fst_file_arc *a,
                           sn_err *err) {
  if (a->input > 0 && (size_t)a->input >= in->trans->tids.n)
    return sn_fail(err, SN_EMISMATCH,
                   "%s: transition id %d, but the model has %zu; is it the "
                   "model that the graph was made with?",
                   in->name, a->input, in->trans->tids.n - 1);
  if (a->output >= sn_symtab_n(in->words))
    return sn_fail(err, SN_EMISMATCH,
                   "%s: word id %d, but the word table ends at %d; is it the "
                   "table that the graph was made with?",
                   in->name, a->output, sn_symtab_n(in->words) - 1);
  if (a->input > 0 && in->phones != NULL) {
    const int32_t phone = in->trans->tids.data[a->input].phone;
    if (phone >= sn_symtab_n(in->phones))
      return sn_fail(err, SN_EMISMATCH,
                     "%s: phone %d, but the phone table ends at %d", in->name,
                     phone, sn_symtab_n(in->phones) - 1);
  }
  return SN_OK;
}

static sn_status prepare(work *w, sn_err *err) {
  const sn_fst_file *const f = w->in->fst;
  if (f->start < 0)
    return sn_fail(err, SN_EFORMAT, "%s: the graph is empty (no start state)",
                   w->in->name);
  if (sn_symtab_n(w->in->words) < 1 || w->in->trans->tids.n < 1)
    return sn_fail(err, SN_EMISMATCH,
                   "%s: an empty word table or transition model", w->in->name);
  w->first_pair = sn_calloc((size_t)f->n_states, sizeof *w->first_pair);
  w->loop = sn_calloc((size_t)f->n_states, sizeof *w->loop);
  w->first_label = sn_calloc(w->in->trans->tids.n, sizeof *w->first_label);
  if (!w->first_pair || !w->loop || !w->first_label)
    return sn_fail_nomem(err, "Kaldi graph");
  for (size_t i = 0; i < w->in->trans->tids.n; i++) w->first_label[i] = -1;
  for (int32_t s = 0; s < f->n_states; s++) {
    w->first_pair[s] = -1;
    w->loop[s] = -1;
    for (int64_t i = f->first.data[s]; i < f->first.data[s + 1]; i++) {
      const sn_fst_file_arc *const a = &f->arcs.data[i];
      SN_TRY(check_arc(w->in, a, err));
      if (a->next == s && a->input > 0 && a->output == 0 && w->loop[s] < 0)
        w->loop[s] = i;
    }
  }
  return SN_OK;
}

/* ---- Labels ---- */

/* Position in the word by Kaldi's suffixes; false: there is none. */
static bool position_of(const work *w, int32_t phone, uint8_t *pos) {
  if (w->in->phones == NULL) return false;
  const char *const name = sn_symtab_get(w->in->phones, phone);
  const size_t n = strlen(name);
  if (n < 3 || name[n - 2] != '_') return false;
  switch (name[n - 1]) {
    case 'B':
      *pos = SN_POS_BEGIN;
      return true;
    case 'E':
      *pos = SN_POS_END;
      return true;
    case 'I':
      *pos = SN_POS_INTERNAL;
      return true;
    case 'S':
      *pos = SN_POS_SINGLE;
      return true;
    default:
      return false;
  }
}

static sn_status add_label(work *w, int32_t f, int32_t loop, float cost,
                           int32_t *label, sn_err *err) {
  const sn_kaldi_tid *const t = &w->in->trans->tids.data[f];
  sn_graph_label l = {.pdf = t->pdf,
                      .loop_cost = cost,
                      .phone = t->phone - 1,
                      .hmm_state = (uint8_t)t->hmm_state,
                      .is_entry = t->hmm_state == 0 && !t->is_loop};
  l.is_filler = !position_of(w, t->phone, &l.wordpos);
  SN_TRY(SN_ARR_PUSH(&w->labels, l, err));
  SN_TRY(SN_ARR_PUSH(&w->tids, f, err));
  SN_TRY(SN_ARR_PUSH(&w->tids, loop, err));
  SN_TRY(SN_ARR_PUSH(&w->other_label, w->first_label[f], err));
  *label = (int32_t)w->labels.n - 1;
  w->first_label[f] = *label;
  return SN_OK;
}

/* Step 1. */
static sn_status label_of(work *w, const sn_fst_file_arc *a, int32_t *label,
                          sn_err *err) {
  const sn_kaldi_tid *const tids = w->in->trans->tids.data;
  int32_t loop = 0;
  float cost = INFINITY;
  if (w->loop[a->next] >= 0) {
    const sn_fst_file_arc *const self =
        &w->in->fst->arcs.data[w->loop[a->next]];
    if (tids[self->input].state == tids[a->input].state &&
        tids[self->input].pdf == tids[a->input].pdf) {
      loop = self->input;
      cost = self->cost;
    }
  }
  for (int32_t l = w->first_label[a->input]; l >= 0; l = w->other_label.data[l])
    if (w->tids.data[2 * l + 1] == loop &&
        !(w->labels.data[l].loop_cost < cost) &&
        !(w->labels.data[l].loop_cost > cost)) {
      *label = l;
      return SN_OK;
    }
  return add_label(w, a->input, loop, cost, label, err);
}

/* ---- Pairs ---- */

static sn_status pair_of(work *w, int32_t state, int32_t label, int32_t *id,
                         sn_err *err) {
  for (int32_t p = w->first_pair[state]; p >= 0; p = w->pairs.data[p].other)
    if (w->pairs.data[p].label == label) {
      *id = p;
      return SN_OK;
    }
  const pair x = {state, label, w->first_pair[state]};
  SN_TRY(SN_ARR_PUSH(&w->pairs, x, err));
  *id = (int32_t)w->pairs.n - 1;
  w->first_pair[state] = *id;
  return SN_OK;
}

static sn_status add_arc(work *w, const sn_fst_file_arc *a, sn_err *err) {
  sn_graph_arc x = {.label = -1, .output = a->output, .cost = a->cost};
  if (w->emit.n + w->eps.n >= MAX_ARCS)
    return sn_fail(err, SN_ELIMIT, "%s: more than %zu arcs", w->in->name,
                   MAX_ARCS);
  if (a->input > 0) SN_TRY(label_of(w, a, &x.label, err));
  SN_TRY(pair_of(w, a->next, x.label, &x.next, err));
  return a->input > 0 ? SN_ARR_PUSH(&w->emit, x, err)
                      : SN_ARR_PUSH(&w->eps, x, err);
}

/* Step 2. */
static sn_status add_pair(work *w, size_t p, sn_err *err) {
  const sn_fst_file *const f = w->in->fst;
  const pair from = w->pairs.data[p];
  const sn_graph_state state = {(uint32_t)w->emit.n, (uint32_t)w->eps.n,
                                from.label, f->finals.data[from.state]};
  SN_TRY(SN_ARR_PUSH(&w->states, state, err));
  const bool has_loop = from.label >= 0 && w->tids.data[2 * from.label + 1] > 0;
  for (int64_t i = f->first.data[from.state]; i < f->first.data[from.state + 1];
       i++) {
    if (has_loop && i == w->loop[from.state]) continue;
    if (!(f->arcs.data[i].cost < INFINITY)) continue;
    SN_TRY(add_arc(w, &f->arcs.data[i], err));
  }
  return SN_OK;
}

/* ---- Names ---- */

static sn_status add_names(work *w, sn_err *err) {
  for (int32_t i = 1; i < sn_symtab_n(w->in->words); i++)
    SN_TRY(SN_ARR_PUSH(&w->words, sn_symtab_get(w->in->words, i), err));
  if (w->in->phones != NULL) {
    for (int32_t i = 1; i < sn_symtab_n(w->in->phones); i++)
      SN_TRY(SN_ARR_PUSH(&w->phones, sn_symtab_get(w->in->phones, i), err));
    return SN_OK;
  }
  int32_t n = 0;
  for (size_t i = 1; i < w->in->trans->tids.n; i++)
    if (w->in->trans->tids.data[i].phone > n)
      n = w->in->trans->tids.data[i].phone;
  for (int32_t i = 1; i <= n; i++) {
    SN_TRY(sn_str_addf(&w->numbers, err, "%d", i));
    SN_TRY(sn_str_add(&w->numbers, "", 1, err)); /* the NUL */
  }
  const char *at = sn_str_get(&w->numbers);
  for (int32_t i = 1; i <= n; i++, at += strlen(at) + 1)
    SN_TRY(SN_ARR_PUSH(&w->phones, at, err));
  return SN_OK;
}

static sn_status make(work *w, sn_graph **out, sn_err *err) {
  int32_t start = 0;
  SN_TRY(prepare(w, err));
  SN_TRY(pair_of(w, w->in->fst->start, -1, &start, err));
  for (size_t p = 0; p < w->pairs.n; p++) SN_TRY(add_pair(w, p, err));
  const sn_graph_state end = {(uint32_t)w->emit.n, (uint32_t)w->eps.n, -1,
                              INFINITY};
  SN_TRY(SN_ARR_PUSH(&w->states, end, err));
  SN_TRY(add_names(w, err));
  static const char *const meta[] = {"source", "kaldi"};
  const sn_graph_parts parts = {.states = w->states.data,
                                .emit = w->emit.data,
                                .eps = w->eps.data,
                                .labels = w->labels.data,
                                .n_states = (int32_t)w->pairs.n,
                                .n_labels = (int32_t)w->labels.n,
                                .n_words = (int32_t)w->words.n,
                                .n_phones = (int32_t)w->phones.n,
                                .n_pdfs = w->in->trans->n_pdfs,
                                .start = start,
                                .n_emit = (int64_t)w->emit.n,
                                .n_eps = (int64_t)w->eps.n,
                                .lm_scale = 1.0,
                                .words = w->words.data,
                                .phones = w->phones.data,
                                .meta = meta,
                                .n_meta = 1};
  SN_TRY(sn_graph_make(&parts, w->in->name, out, err));
  return sn_graph_verify(*out, err);
}

sn_status sn_kaldi_graph_make(const sn_kaldi_hclg *in, sn_graph **out,
                              int32_t **tids, sn_err *err) {
  *out = NULL;
  *tids = NULL;
  work w = {.in = in};
  sn_status s = make(&w, out, err);
  if (s == SN_OK) {
    *tids = sn_calloc(w.tids.n, sizeof **tids);
    if (*tids == NULL)
      s = sn_fail_nomem(err, "Kaldi graph");
    else if (w.tids.n > 0)
      memcpy(*tids, w.tids.data, w.tids.n * sizeof **tids);
  }
  if (s != SN_OK) {
    sn_graph_destroy(*out);
    *out = NULL;
  }
  work_clear(&w);
  return s;
}

/* ---- Symbols ---- */

typedef struct symbol {
  char *text; /* owned */
  int32_t id;
} symbol;

typedef struct symbols {
  SN_ARR(symbol) list; /* in the order of the lines */
  sn_arr_i32 by_id;    /* [list.n] index in list; -1: none yet */
} symbols;

static sn_status read_symbol(sn_reader *r, sn_span line, symbols *x,
                             sn_err *err) {
  sn_span text, number, more;
  symbol y = {0};
  if (!sn_next_field(&line, &text)) return SN_OK; /* an empty line */
  if (!sn_next_field(&line, &number) || sn_next_field(&line, &more) ||
      !sn_parse_int32(number, &y.id) || y.id < 0)
    return sn_reader_fail(r, err, "expected 'symbol id', an id from 0");
  y.text = sn_strndup(text.p, text.n);
  if (y.text == NULL) return sn_fail_nomem(err, "symbols");
  const sn_status s = SN_ARR_PUSH(&x->list, y, err);
  if (s != SN_OK) sn_free(y.text);
  return s;
}

static sn_status sort_symbols(const char *name, symbols *x, sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(&x->by_id, x->list.n, err));
  for (size_t i = 0; i < x->list.n; i++) x->by_id.data[i] = -1;
  for (size_t i = 0; i < x->list.n; i++) {
    const symbol *const y = &x->list.data[i];
    if ((size_t)y->id >= x->list.n)
      return sn_fail(err, SN_EFORMAT,
                     "%s: '%s' has id %d, but there are %zu symbols: ids must "
                     "be dense from 0",
                     name, y->text, y->id, x->list.n);
    if (x->by_id.data[y->id] >= 0)
      return sn_fail(err, SN_EFORMAT, "%s: id %d comes twice: '%s' and '%s'",
                     name, y->id, x->list.data[x->by_id.data[y->id]].text,
                     y->text);
    x->by_id.data[y->id] = (int32_t)i;
  }
  return SN_OK;
}

static sn_status read_symbols(sn_reader *r, symbols *x, sn_symtab *t,
                              sn_err *err) {
  for (;;) {
    sn_span line;
    bool more = true;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) break;
    SN_TRY(read_symbol(r, line, x, err));
  }
  SN_TRY(sort_symbols(sn_reader_name(r), x, err));
  for (size_t i = 0; i < x->list.n; i++) {
    const char *const text = x->list.data[x->by_id.data[i]].text;
    int32_t id = 0;
    SN_TRY(sn_symtab_add(t, text, strlen(text), &id, err));
    if ((size_t)id != i)
      return sn_fail(err, SN_EFORMAT, "%s: symbol '%s' has ids %d and %zu",
                     sn_reader_name(r), text, id, i);
  }
  return SN_OK;
}

sn_status sn_kaldi_symbols_read(sn_reader *r, sn_symtab **out, sn_err *err) {
  *out = NULL;
  symbols x = {0};
  sn_symtab *t = NULL;
  sn_status s = sn_symtab_create(&t, err);
  if (s == SN_OK) s = read_symbols(r, &x, t, err);
  for (size_t i = 0; i < x.list.n; i++) sn_free(x.list.data[i].text);
  SN_ARR_FREE(&x.list);
  SN_ARR_FREE(&x.by_id);
  if (s == SN_OK)
    *out = t;
  else
    sn_symtab_destroy(t);
  return s;
}

sn_status sn_kaldi_symbols_load(const char *path, sn_symtab **out,
                                sn_err *err) {
  *out = NULL;
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_kaldi_symbols_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}
