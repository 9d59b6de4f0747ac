/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph_writer.c - see graph_writer.h; the layout is in docs/graph.md.
 *
 * Arcs come after the states that own them, so the block that an arc belongs
 * to is known when it comes: the states' pass leaves the arc offsets at which
 * blocks end. */
#include "graphs/graph_writer.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "graphs/graph_internal.h"

enum { STAGE_STATES, STAGE_EMIT, STAGE_EPS };

struct sn_graph_writer {
  sn_box_writer *box;
  sni_graph_info info;
  int stage;
  int64_t n_states;    /* written so far, the terminal one included */
  int64_t n_arcs;      /* written so far of this stage's kind */
  int32_t n_blocks;    /* of the whole graph */
  int32_t arc_block;   /* that the next arc falls into */
  sni_graph_sum *sums; /* [n_blocks] */
  int64_t *emit_end;   /* [n_blocks] index of the arc behind the block */
  int64_t *eps_end;    /* [n_blocks] */
};

static sn_status add_strings(sn_box_writer *box, const char *name,
                             const char *offset_name, const char *const *text,
                             size_t n, sn_err *err) {
  sn_status s = SN_OK;
  SN_ARR(uint32_t) offsets = {0};
  uint64_t total = 0;
  SN_TRY_GOTO(s, sn_box_start(box, name, 1, err));
  SN_TRY_GOTO(s, SN_ARR_RESIZE(&offsets, n + 1, err));
  for (size_t i = 0; i < n; i++) {
    const size_t length = strlen(text[i]) + 1;
    offsets.data[i] = (uint32_t)total;
    total += length;
    if (total > UINT32_MAX) {
      s = sn_fail(err, SN_ELIMIT, "graph section '%s': more than 4 GiB of text",
                  name);
      goto fail;
    }
    SN_TRY_GOTO(s, sn_box_append(box, text[i], length, err));
  }
  offsets.data[n] = (uint32_t)total;
  SN_TRY_GOTO(s, sn_box_add(box, offset_name, sizeof *offsets.data,
                            offsets.data, n + 1, err));
fail:
  SN_ARR_FREE(&offsets);
  return s;
}

/* All but the states and arcs. */
static sn_status check_small_parts(const sn_graph_parts *parts, sn_err *err) {
  if (parts->n_states < 1 || parts->start < 0 ||
      parts->start >= parts->n_states || parts->n_labels < 0 ||
      parts->n_words < 0 || parts->n_phones < 0 ||
      !(parts->lm_scale > 0 && isfinite(parts->lm_scale)))
    return sn_fail(err, SN_EARG,
                   "graph to write: %d states, start %d, %d labels, %d words, "
                   "%d phones, lm scale %g",
                   parts->n_states, parts->start, parts->n_labels,
                   parts->n_words, parts->n_phones, parts->lm_scale);
  for (int32_t i = 0; i < parts->n_labels; i++) {
    const sn_graph_label *l = &parts->labels[i];
    if (l->pdf < 0 || l->pdf >= parts->n_pdfs || l->phone < 0 ||
        l->phone >= parts->n_phones || isnan(l->loop_cost))
      return sn_fail(err, SN_EARG,
                     "graph to write: label %d: pdf %d of %d, phone %d of %d, "
                     "loop cost %g",
                     i, l->pdf, parts->n_pdfs, l->phone, parts->n_phones,
                     (double)l->loop_cost);
  }
  return SN_OK;
}

sn_status sn_graph_writer_create(const sn_graph_parts *parts, const char *path,
                                 sn_graph_writer **out, sn_err *err) {
  *out = NULL;
  sn_status s = SN_OK;
  SN_TRY(check_small_parts(parts, err));
  sn_graph_writer *w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "graph writer");
  w->info = (sni_graph_info){.n_states = parts->n_states,
                             .n_labels = parts->n_labels,
                             .n_words = parts->n_words,
                             .n_phones = parts->n_phones,
                             .n_pdfs = parts->n_pdfs,
                             .start = parts->start,
                             .block_shift = SNI_GRAPH_BLOCK_SHIFT,
                             .lm_scale = parts->lm_scale};
  w->n_blocks = (parts->n_states - 1) / (1 << SNI_GRAPH_BLOCK_SHIFT) + 1;
  w->sums = sn_calloc((size_t)w->n_blocks, sizeof *w->sums);
  w->emit_end = sn_calloc((size_t)w->n_blocks, sizeof *w->emit_end);
  w->eps_end = sn_calloc((size_t)w->n_blocks, sizeof *w->eps_end);
  if (w->sums == NULL || w->emit_end == NULL || w->eps_end == NULL) {
    s = sn_fail_nomem(err, "graph writer");
    goto fail;
  }
  SN_TRY_GOTO(
      s, sn_box_create(path, SN_GRAPH_MAGIC, SN_GRAPH_VERSION, &w->box, err));
  SN_TRY_GOTO(s, sn_box_start(w->box, "meta", 1, err));
  for (size_t i = 0; i < 2 * parts->n_meta; i++)
    SN_TRY_GOTO(s, sn_box_append(w->box, parts->meta[i],
                                 strlen(parts->meta[i]) + 1, err));
  SN_TRY_GOTO(s, add_strings(w->box, "words", "words.off", parts->words,
                             (size_t)parts->n_words, err));
  SN_TRY_GOTO(s, add_strings(w->box, "phones", "phones.off", parts->phones,
                             (size_t)parts->n_phones, err));
  SN_TRY_GOTO(s, sn_box_add(w->box, "labels", sizeof *parts->labels,
                            parts->labels, (size_t)parts->n_labels, err));
  SN_TRY_GOTO(s, sn_box_start(w->box, "states", sizeof(sn_graph_state), err));
  *out = w;
  return SN_OK;
fail:
  sn_graph_writer_destroy(w);
  return s;
}

sn_status sn_graph_writer_states(sn_graph_writer *w,
                                 const sn_graph_state *states, size_t n,
                                 sn_err *err) {
  SN_ASSERT(w->stage == STAGE_STATES);
  SN_ASSERT(n <= (uint64_t)w->info.n_states + 1 - (uint64_t)w->n_states);
  SN_TRY(sn_box_append(w->box, states, n, err));
  const int64_t mask = (1 << SNI_GRAPH_BLOCK_SHIFT) - 1;
  for (size_t i = 0; i < n;) {
    const int64_t at = w->n_states + (int64_t)i;
    if (at > 0 && ((at & mask) == 0 || at == w->info.n_states)) {
      /* Ends the block before it. */
      const int32_t before = (int32_t)((at - 1) >> SNI_GRAPH_BLOCK_SHIFT);
      w->sums[before].states =
          sn_crc32(w->sums[before].states, &states[i], sizeof *states);
      w->emit_end[before] = states[i].first_emit;
      w->eps_end[before] = states[i].first_eps;
    }
    if (at == w->info.n_states) break;
    const int32_t block = (int32_t)(at >> SNI_GRAPH_BLOCK_SHIFT);
    int64_t end = ((int64_t)block + 1) << SNI_GRAPH_BLOCK_SHIFT;
    if (end > w->info.n_states) end = w->info.n_states;
    size_t piece = (size_t)(end - at);
    if (piece > n - i) piece = n - i;
    w->sums[block].states =
        sn_crc32(w->sums[block].states, &states[i], piece * sizeof *states);
    i += piece;
  }
  w->n_states += (int64_t)n;
  return SN_OK;
}

/* Ends a stage, begins the next. */
static sn_status next_stage(sn_graph_writer *w, sn_err *err) {
  if (w->stage == STAGE_STATES) {
    SN_ASSERT(w->n_states == (int64_t)w->info.n_states + 1);
    SN_TRY(sn_box_start(w->box, "emit", sizeof(sn_graph_arc), err));
  } else {
    w->info.n_emit = w->n_arcs;
    SN_ASSERT(w->n_arcs == w->emit_end[w->n_blocks - 1]);
    SN_TRY(sn_box_start(w->box, "eps", sizeof(sn_graph_arc), err));
  }
  w->stage++;
  w->n_arcs = 0;
  w->arc_block = 0;
  return SN_OK;
}

static sn_status add_arcs(sn_graph_writer *w, int stage,
                          const sn_graph_arc *arcs, size_t n, sn_err *err) {
  while (w->stage < stage) SN_TRY(next_stage(w, err));
  SN_ASSERT(w->stage == stage);
  const int64_t *end = stage == STAGE_EMIT ? w->emit_end : w->eps_end;
  SN_TRY(sn_box_append(w->box, arcs, n, err));
  for (size_t i = 0; i < n;) {
    while (w->n_arcs >= end[w->arc_block]) {
      w->arc_block++;
      SN_ASSERT(w->arc_block < w->n_blocks);
    }
    size_t piece = (size_t)(end[w->arc_block] - w->n_arcs);
    if (piece > n - i) piece = n - i;
    uint32_t *sum = stage == STAGE_EMIT ? &w->sums[w->arc_block].emit
                                        : &w->sums[w->arc_block].eps;
    *sum = sn_crc32(*sum, &arcs[i], piece * sizeof *arcs);
    w->n_arcs += (int64_t)piece;
    i += piece;
  }
  return SN_OK;
}

sn_status sn_graph_writer_emit(sn_graph_writer *w, const sn_graph_arc *arcs,
                               size_t n, sn_err *err) {
  return add_arcs(w, STAGE_EMIT, arcs, n, err);
}

sn_status sn_graph_writer_eps(sn_graph_writer *w, const sn_graph_arc *arcs,
                              size_t n, sn_err *err) {
  return add_arcs(w, STAGE_EPS, arcs, n, err);
}

sn_status sn_graph_writer_commit(sn_graph_writer *w, sn_err *err) {
  while (w->stage < STAGE_EPS) SN_TRY(next_stage(w, err));
  SN_ASSERT(w->n_arcs == w->eps_end[w->n_blocks - 1]);
  w->info.n_eps = w->n_arcs;
  SN_TRY(sn_box_add(w->box, "blocks", sizeof *w->sums, w->sums,
                    (size_t)w->n_blocks, err));
  SN_TRY(sn_box_add(w->box, "info", sizeof w->info, &w->info, 1, err));
  return sn_box_commit(w->box, err);
}

void sn_graph_writer_destroy(sn_graph_writer *w) {
  if (w == NULL) return;
  sn_box_writer_destroy(w->box);
  sn_free(w->sums);
  sn_free(w->emit_end);
  sn_free(w->eps_end);
  sn_free(w);
}

static sn_status check_arcs(const sn_graph_parts *p, bool emitting, int32_t s,
                            sn_err *err) {
  const char *kind = emitting ? "emitting" : "epsilon";
  const sn_graph_arc *arcs = emitting ? p->emit : p->eps;
  const int64_t total = emitting ? p->n_emit : p->n_eps;
  const int64_t from =
      emitting ? p->states[s].first_emit : p->states[s].first_eps;
  const int64_t to =
      emitting ? p->states[s + 1].first_emit : p->states[s + 1].first_eps;
  if (from > to || to > total)
    return sn_fail(err, SN_EARG,
                   "graph to write: state %d: %s arcs %lld to %lld of %lld", s,
                   kind, (long long)from, (long long)to, (long long)total);
  for (int64_t i = from; i < to; i++) {
    const sn_graph_arc *a = &arcs[i];
    const bool is_in_range =
        a->next >= 0 && a->next < p->n_states && a->output >= 0 &&
        a->output <= p->n_words && !isnan(a->cost) &&
        (emitting ? a->label >= 0 && a->label < p->n_labels &&
                        p->states[a->next].label == a->label
                  : a->label == -1);
    if (!is_in_range)
      return sn_fail(err, SN_EARG,
                     "graph to write: %s arc %lld of state %d: next %d, label "
                     "%d, output %d, cost %g",
                     kind, (long long)i, s, a->next, a->label, a->output,
                     (double)a->cost);
  }
  return SN_OK;
}

sn_status sni_graph_check_parts(const sn_graph_parts *p, sn_err *err) {
  SN_TRY(check_small_parts(p, err));
  for (int32_t i = 0; i < p->n_states; i++) {
    const sn_graph_state *st = &p->states[i];
    if (st->label < -1 || st->label >= p->n_labels || isnan(st->final_cost))
      return sn_fail(err, SN_EARG,
                     "graph to write: state %d: label %d of %d, final cost %g",
                     i, st->label, p->n_labels, (double)st->final_cost);
    SN_TRY(check_arcs(p, true, i, err));
    SN_TRY(check_arcs(p, false, i, err));
  }
  const sn_graph_state *last = &p->states[p->n_states];
  if (p->states[0].first_emit != 0 || p->states[0].first_eps != 0 ||
      last->first_emit != p->n_emit || last->first_eps != p->n_eps)
    return sn_fail(err, SN_EARG,
                   "graph to write: arcs %u to %u and %u to %u belong to "
                   "states, but there are %lld emitting and %lld epsilon arcs",
                   p->states[0].first_emit, last->first_emit,
                   p->states[0].first_eps, last->first_eps,
                   (long long)p->n_emit, (long long)p->n_eps);
  return SN_OK;
}

sn_status sn_graph_write(const sn_graph_parts *p, const char *path,
                         sn_err *err) {
  sn_status s = SN_OK;
  sn_graph_writer *w = NULL;
  SN_TRY(sni_graph_check_parts(p, err));
  SN_TRY(sn_graph_writer_create(p, path, &w, err));
  SN_TRY_GOTO(
      s, sn_graph_writer_states(w, p->states, (size_t)p->n_states + 1, err));
  SN_TRY_GOTO(s, sn_graph_writer_emit(w, p->emit, (size_t)p->n_emit, err));
  SN_TRY_GOTO(s, sn_graph_writer_eps(w, p->eps, (size_t)p->n_eps, err));
  s = sn_graph_writer_commit(w, err);
fail:
  sn_graph_writer_destroy(w);
  return s;
}
