/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. Written to be obviously right, not fast. */
#include "tests/graphs/world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const phone_names[WORLD_PHONES] = {"SIL", "+NOISE+", "a",
                                                      "b",   "c",       "d"};

/* ---- The model ---- */

static const char *get_phone(const void *user, int32_t p) {
  (void)user;
  return phone_names[p];
}
static bool get_is_filler(const void *user, int32_t p) {
  (void)user;
  return p < WORLD_FILLERS;
}
static sn_hmm get_hmm(const void *user, int32_t h) {
  const world *w = user;
  return (sn_hmm){w->n_states[h / 4], w->pdfs[h], w->logp[h / 4]};
}
static int32_t get_triphone(const void *user, int32_t base, int32_t left,
                            int32_t right, sn_wordpos pos) {
  const world *w = user;
  if (w->n_contexts == 1) return base * 4;
  if (left < WORLD_FILLERS) left = 0;
  if (right < WORLD_FILLERS) right = 0;
  uint64_t h =
      w->salt + (uint64_t)(((base * 8 + left) * 8 + right) * 4 + (int)pos);
  h *= 0x9e3779b97f4a7c15u;
  return base * 4 + (int32_t)(h >> 40 & 3);
}
static int32_t get_monophone(const void *user, int32_t base) {
  (void)user;
  return base * 4;
}
static sn_am_filler get_filler(const void *user, int32_t i) {
  const world *w = user;
  static const char *const names[] = {"<sil>", "[NOISE]"};
  return (sn_am_filler){names[i], i, w->filler_logp[i]};
}

static int32_t below(sn_rng *rng, int32_t n) {
  return (int32_t)sn_rng_below(rng, (uint32_t)n);
}
static void make_hmms(world *w, sn_rng *rng, const world_shape *shape) {
  for (int32_t p = 0; p < WORLD_PHONES; p++) {
    const int32_t n = w->n_states[p] = 1 + below(rng, WORLD_STATES);
    for (int32_t i = 0; i < n; i++)
      for (int32_t j = 0; j <= n; j++) {
        const bool is_there =
            j == i || j == i + 1 || (shape->skips && j > i && below(rng, 2));
        w->logp[p][i * (n + 1) + j] =
            is_there ? (float)log(0.1 + 0.8 * sn_rng_uniform(rng)) : -INFINITY;
      }
    for (int32_t h = 4 * p; h < 4 * p + 4; h++)
      for (int32_t i = 0; i < n; i++)
        w->pdfs[h][i] = p * 6 + i * 2 + below(rng, 2);
  }
  w->hmms = (sni_hmms){.user = w,
                       .n_phones = WORLD_PHONES,
                       .n_pdfs = WORLD_PHONES * 6,
                       .silence = 0,
                       .n_fillers = WORLD_FILLERS,
                       .phone = get_phone,
                       .is_filler = get_is_filler,
                       .hmm = get_hmm,
                       .triphone = get_triphone,
                       .monophone = get_monophone,
                       .filler = get_filler};
}

static void make_lexicon(world *w, sn_rng *rng, int32_t n_words) {
  sn_err err = {0};
  assert_int_equal(sn_lexicon_init(&w->lex, &err), SN_OK);
  for (int32_t i = 0; i < n_words; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", i);
    const int32_t n_prons = 1 + (below(rng, 4) == 0);
    for (int32_t k = 0; k < n_prons; k++) {
      const char *phones[3];
      const size_t n = (size_t)(1 + below(rng, 3));
      for (size_t j = 0; j < n; j++)
        phones[j] = phone_names[WORLD_FILLERS +
                                below(rng, WORLD_PHONES - WORLD_FILLERS)];
      assert_int_equal(
          sn_lexicon_add(&w->lex, name,
                         (float)log(0.2 + 0.8 * sn_rng_uniform(rng)), phones, n,
                         &err),
          SN_OK);
    }
  }
  assert_int_equal(sn_lexicon_group(&w->lex, &err), SN_OK);
}

/* What ending costs at s, by whichever arcs without words. */
static double closure_final(const sni_wordgraph *g, const double *own,
                            int32_t s) {
  double best = own[s];
  for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++)
    if (g->arcs.data[i].word < 0)
      best = fmin(best, (double)g->arcs.data[i].cost +
                            closure_final(g, own, g->arcs.data[i].dest));
  return best;
}

/* Arcs without words lead to lower states only. */
static void make_g(world *w, sn_rng *rng, const world_shape *shape) {
  sni_wordgraph *g = &w->g;
  sn_err err = {0};
  assert_int_equal(sn_symtab_create(&g->words, &err), SN_OK);
  for (int32_t i = 0; i < shape->n_words; i++) {
    int32_t id = 0;
    const char *name = sn_symtab_get(w->lex.words, i);
    assert_int_equal(sn_symtab_add(g->words, name, strlen(name), &id, &err),
                     SN_OK);
    assert_int_equal(SN_ARR_PUSH(&g->lexicon, i, &err), SN_OK);
  }
  g->n_states = shape->n_g_states;
  g->start = below(rng, g->n_states);
  double own[16];
  assert_true(g->n_states <= 16);
  for (int32_t s = 0; s < g->n_states; s++) {
    own[s] = s == 0 || below(rng, 2) ? 2 * sn_rng_uniform(rng) : HUGE_VAL;
    assert_int_equal(SN_ARR_PUSH(&g->first, (uint32_t)g->arcs.n, &err), SN_OK);
    if (shape->back_offs && s > 0) {
      const sni_g_arc a = {-1, below(rng, s), (float)sn_rng_uniform(rng)};
      assert_int_equal(SN_ARR_PUSH(&g->arcs, a, &err), SN_OK);
    }
    for (int32_t v = 0; v < shape->n_words; v++) {
      if (s > 0 && below(rng, 3) == 0) continue;
      const sni_g_arc a = {v, below(rng, g->n_states),
                           (float)(0.1 + 3 * sn_rng_uniform(rng))};
      assert_int_equal(SN_ARR_PUSH(&g->arcs, a, &err), SN_OK);
    }
  }
  assert_int_equal(SN_ARR_PUSH(&g->first, (uint32_t)g->arcs.n, &err), SN_OK);
  for (int32_t s = 0; s < g->n_states; s++)
    assert_int_equal(
        SN_ARR_PUSH(&g->final, (float)closure_final(g, own, s), &err), SN_OK);
}

void world_make(world *w, sn_rng *rng, const world_shape *shape) {
  memset(w, 0, sizeof *w);
  w->salt = (uint64_t)sn_rng_u32(rng) << 32 | sn_rng_u32(rng);
  w->n_contexts = shape->contexts ? 4 : 1;
  for (int32_t i = 0; i < WORLD_FILLERS; i++)
    w->filler_logp[i] = (float)log(0.05 + 0.5 * sn_rng_uniform(rng));
  make_hmms(w, rng, shape);
  make_lexicon(w, rng, shape->n_words);
  make_g(w, rng, shape);
  sn_opt_defaults(sn_graph_opt_table, &w->opts);
  w->opts.lm_scale = 1 + sn_rng_uniform(rng);
  w->opts.word_penalty = sn_rng_uniform(rng) - 0.5;
  w->opts.fillers = shape->fillers;
  w->opts.noises =
      shape->noises_backed_off ? SN_NOISES_BACKED_OFF : SN_NOISES_EVERYWHERE;
  w->opts.edges = shape->silence_edges ? SN_EDGES_SILENCE : SN_EDGES_OPTIONAL;
}

void world_clear(world *w) {
  sn_lexicon_clear(&w->lex);
  sni_wordgraph_clear(&w->g);
}

void world_copy_g(const sni_wordgraph *from, sni_wordgraph *to) {
  sn_err err = {0};
  memset(to, 0, sizeof *to);
  to->n_states = from->n_states;
  to->start = from->start;
  assert_int_equal(sn_symtab_create(&to->words, &err), SN_OK);
  for (int32_t i = 0; i < sn_symtab_n(from->words); i++) {
    const char *name = sn_symtab_get(from->words, i);
    int32_t id = 0;
    assert_int_equal(sn_symtab_add(to->words, name, strlen(name), &id, &err),
                     SN_OK);
    assert_int_equal(SN_ARR_PUSH(&to->lexicon, from->lexicon.data[i], &err),
                     SN_OK);
  }
  for (size_t i = 0; i < from->first.n; i++)
    assert_int_equal(SN_ARR_PUSH(&to->first, from->first.data[i], &err), SN_OK);
  for (size_t i = 0; i < from->final.n; i++)
    assert_int_equal(SN_ARR_PUSH(&to->final, from->final.data[i], &err), SN_OK);
  for (size_t i = 0; i < from->arcs.n; i++)
    assert_int_equal(SN_ARR_PUSH(&to->arcs, from->arcs.data[i], &err), SN_OK);
}

/* ---- Lists of paths ---- */

static int by_text(const void *a, const void *b) {
  const world_path *x = a, *y = b;
  const int c = strcmp(x->text, y->text);
  return c != 0 ? c : (x->cost > y->cost) - (x->cost < y->cost);
}

static void add_path(world_paths *p, const char *labels, const char *words,
                     double cost) {
  sn_err err = {0};
  const size_t n = strlen(labels) + strlen(words) + 4;
  char *text = malloc(n);
  assert_non_null(text);
  snprintf(text, n, "%s : %s", labels, words);
  const world_path x = {text, cost};
  assert_int_equal(SN_ARR_PUSH(p, x, &err), SN_OK);
}

static void keep_best(world_paths *p) {
  if (p->n == 0) return;
  qsort(p->data, p->n, sizeof *p->data, by_text);
  size_t n = 1;
  for (size_t i = 1; i < p->n; i++) {
    if (strcmp(p->data[n - 1].text, p->data[i].text) == 0)
      free(p->data[i].text);
    else
      p->data[n++] = p->data[i];
  }
  p->n = n;
}

void world_paths_clear(world_paths *p) {
  for (size_t i = 0; i < p->n; i++) free(p->data[i].text);
  SN_ARR_FREE(p);
}

static void label_text(char *out, size_t size, int32_t pdf, int32_t phone,
                       int32_t state, int32_t pos, bool is_filler,
                       double loop) {
  snprintf(out, size, "%d/%d/%d/%d/%d/%.3f ", pdf, phone, state, pos, is_filler,
           loop);
}

/* ---- By definition ---- */

typedef struct spoken {
  int32_t phone;
  sn_wordpos pos;
  bool is_filler;
} spoken;

typedef struct definition {
  const world *w;
  int32_t max_labels;
  world_paths *out;
  spoken said[16];
  int32_t n_said;
  char words[256];
} definition;

/* HMM states of phone i and all behind it; `labels` so far. */
static void define_states(definition *d, int32_t i, int32_t state, double cost,
                          char *labels, int32_t n_labels) {
  const world *w = d->w;
  if (i == d->n_said) {
    add_path(d->out, labels, d->words, cost);
    return;
  }
  if (n_labels == d->max_labels) return;
  const spoken x = d->said[i];
  const int32_t left = i == 0 ? 0 : d->said[i - 1].phone;
  const int32_t right = i + 1 == d->n_said ? 0 : d->said[i + 1].phone;
  const sn_hmm h =
      get_hmm(w, x.is_filler ? get_monophone(w, x.phone)
                             : get_triphone(w, x.phone, left, right, x.pos));
  const int32_t n = h.n_states;
  const size_t end = strlen(labels);
  label_text(labels + end, 64, h.pdfs[state], x.phone, state, (int32_t)x.pos,
             x.is_filler,
             -(double)h.logp[state * (n + 1) + state] / w->opts.lm_scale);
  for (int32_t j = state + 1; j <= n; j++) {
    const float t = h.logp[state * (n + 1) + j];
    if (t == -INFINITY) continue;
    const double c = cost - (double)t / w->opts.lm_scale;
    if (j == n)
      define_states(d, i + 1, 0, c, labels, n_labels + 1);
    else
      define_states(d, i, j, c, labels, n_labels + 1);
  }
  labels[end] = '\0';
}

static void define_words(definition *d, int32_t g, double cost, bool has_begun);

static void say_word(definition *d, const sni_g_arc *a, double cost) {
  const world *w = d->w;
  const int32_t n_before = d->n_said;
  const size_t end = strlen(d->words);
  snprintf(d->words + end, 16, "w%d ", a->word);
  int32_t first = 0;
  const int32_t n =
      sn_lexicon_prons(&w->lex, w->g.lexicon.data[a->word], &first);
  for (int32_t k = first; k < first + n; k++) {
    const sn_pron *p = &w->lex.prons.data[k];
    if (d->n_said + p->n_phones > d->max_labels) continue;
    for (int32_t i = 0; i < p->n_phones; i++) {
      const char *name =
          sn_symtab_get(w->lex.phones, w->lex.phone_ids.data[p->first + i]);
      int32_t phone = 0;
      while (strcmp(phone_names[phone], name) != 0) phone++;
      d->said[d->n_said++] = (spoken){phone,
                                      p->n_phones == 1      ? SN_POS_SINGLE
                                      : i == 0              ? SN_POS_BEGIN
                                      : i + 1 < p->n_phones ? SN_POS_INTERNAL
                                                            : SN_POS_END,
                                      false};
    }
    define_words(
        d, a->dest,
        cost + (double)a->cost -
            (w->opts.word_penalty + (double)p->logp) / w->opts.lm_scale,
        true);
    d->n_said = n_before;
  }
  d->words[end] = '\0';
}

static void define_words(definition *d, int32_t g, double cost,
                         bool has_begun) {
  const world *w = d->w;
  /* has_begun: silence was said where an utterance must begin with it. */
  const bool in_silence = d->n_said > 0 && d->said[d->n_said - 1].is_filler;
  const bool needs_silence = w->opts.edges == SN_EDGES_SILENCE;
  if (isfinite(w->g.final.data[g]) && has_begun &&
      (!needs_silence || in_silence)) {
    char labels[2048] = "";
    define_states(d, 0, 0, cost + (double)w->g.final.data[g], labels, 0);
  }
  if (d->n_said == d->max_labels) return;
  /* Silence that must come first costs nothing. */
  if (needs_silence && !has_begun) {
    d->said[d->n_said++] = (spoken){0, SN_POS_SINGLE, true};
    define_words(d, g, cost, true);
    d->n_said--;
    return;
  }
  for (int32_t i = 0; i < WORLD_FILLERS && w->opts.fillers; i++) {
    int32_t to = g;
    double there = cost - (double)w->filler_logp[i] / w->opts.lm_scale;
    /* Back-off is a state's first arc here; the start keeps its noises. */
    if (i > 0 && w->opts.noises == SN_NOISES_BACKED_OFF)
      while (to > 0 && to != w->g.start) {
        const sni_g_arc *a = &w->g.arcs.data[w->g.first.data[to]];
        there += (double)a->cost;
        to = a->dest;
      }
    d->said[d->n_said++] = (spoken){i, SN_POS_SINGLE, true};
    define_words(d, to, there, true);
    d->n_said--;
  }
  for (uint32_t i = w->g.first.data[g]; i < w->g.first.data[g + 1]; i++) {
    const sni_g_arc *a = &w->g.arcs.data[i];
    if (a->word >= 0) {
      say_word(d, a, cost);
      continue;
    }
    define_words(d, a->dest, cost + (double)a->cost, true);
  }
}

void world_enumerate(const world *w, int32_t max_labels, world_paths *out) {
  definition d = {.w = w, .max_labels = max_labels, .out = out};
  assert_true(max_labels <= 16);
  define_words(&d, w->g.start, 0, w->opts.edges != SN_EDGES_SILENCE);
  keep_best(out);
}

/* ---- Of a graph ---- */

static void walk(const sn_graph *g, int32_t s, double cost, char *labels,
                 char *words, int32_t n_left, world_paths *out) {
  const sn_graph_state *x = &g->states[s];
  if (isfinite(x->final_cost))
    add_path(out, labels, words, cost + (double)x->final_cost);
  const size_t end = strlen(labels), end_word = strlen(words);
  for (uint32_t i = x[0].first_eps; i < x[1].first_eps; i++) {
    const sn_graph_arc *a = &g->eps[i];
    if (a->output > 0)
      snprintf(words + end_word, 16, "%s ", sn_graph_word(g, a->output - 1));
    walk(g, a->next, cost + (double)a->cost, labels, words, n_left, out);
    words[end_word] = '\0';
  }
  for (uint32_t i = x[0].first_emit; n_left > 0 && i < x[1].first_emit; i++) {
    const sn_graph_arc *a = &g->emit[i];
    const sn_graph_label *l = &g->labels[a->label];
    if (a->output > 0)
      snprintf(words + end_word, 16, "%s ", sn_graph_word(g, a->output - 1));
    label_text(labels + end, 64, l->pdf, l->phone, l->hmm_state, l->wordpos,
               l->is_filler != 0, (double)l->loop_cost);
    assert_int_equal(l->is_entry, l->hmm_state == 0);
    walk(g, a->next, cost + (double)a->cost, labels, words, n_left - 1, out);
    labels[end] = words[end_word] = '\0';
  }
}

void world_enumerate_graph(const sn_graph *g, int32_t max_labels,
                           world_paths *out) {
  char labels[2048] = "", words[256] = "";
  walk(g, g->start, 0, labels, words, max_labels, out);
  keep_best(out);
}
