/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs that were made in this process and have no file behind them: the
 * arrays of the parts, copied. There is nothing to verify lazily, so block_ok
 * is NULL and no state has to be touched. */
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "graphs/graph_internal.h"
#include "graphs/graph_writer.h"

/* A copy of n elements that the graph owns as its array number `slot`; NULL:
 * out of memory. */
static void *keep(sn_graph *g, size_t slot, const void *from, size_t n,
                  size_t size) {
  SN_ASSERT(slot < SNI_GRAPH_N_OWNED && g->file->owned[slot] == NULL);
  void *const to = sn_calloc(n, size);
  g->file->owned[slot] = to;
  if (to != NULL && n > 0) memcpy(to, from, n * size);
  return to;
}

/* Strings end to end; offsets (may be NULL) gets where each begins and where
 * the last ends. The text is the graph's array number `slot`. */
static sn_status keep_strings(sn_graph *g, size_t slot, const char *const *list,
                              size_t n, uint32_t *offsets, size_t *n_bytes,
                              sn_err *err) {
  size_t total = 0;
  for (size_t i = 0; i < n; i++) total += strlen(list[i]) + 1;
  if (total > UINT32_MAX)
    return sn_fail(err, SN_ELIMIT, "graph: more than 4 GiB of text");
  char *const text = sn_calloc(total, 1);
  if (text == NULL) return sn_fail_nomem(err, "graph");
  g->file->owned[slot] = text;
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t length = strlen(list[i]) + 1;
    if (offsets != NULL) offsets[i] = (uint32_t)at;
    memcpy(text + at, list[i], length);
    at += length;
  }
  if (offsets != NULL) offsets[n] = (uint32_t)at;
  *n_bytes = total;
  return SN_OK;
}

static sn_status keep_table(sn_graph *g, size_t slot, const char *const *list,
                            int32_t n, sni_graph_strings *out, sn_err *err) {
  size_t n_bytes = 0;
  uint32_t *const offsets = sn_calloc((size_t)n + 1, sizeof *offsets);
  if (offsets == NULL) return sn_fail_nomem(err, "graph");
  g->file->owned[slot + 1] = offsets;
  SN_TRY(keep_strings(g, slot, list, (size_t)n, offsets, &n_bytes, err));
  out->text = g->file->owned[slot];
  out->offsets = offsets;
  return SN_OK;
}

static sn_status fill(sn_graph *g, const sn_graph_parts *p, const char *name,
                      sn_err *err) {
  g->file = sn_calloc(1, sizeof *g->file);
  if (g->file == NULL || (g->file->name = sn_strdup(name)) == NULL)
    return sn_fail_nomem(err, "graph");
  g->states = keep(g, 0, p->states, (size_t)p->n_states + 1, sizeof *p->states);
  g->emit = keep(g, 1, p->emit, (size_t)p->n_emit, sizeof *p->emit);
  g->eps = keep(g, 2, p->eps, (size_t)p->n_eps, sizeof *p->eps);
  g->labels = keep(g, 3, p->labels, (size_t)p->n_labels, sizeof *p->labels);
  if (!g->states || !g->emit || !g->eps || !g->labels)
    return sn_fail_nomem(err, "graph");
  SN_TRY(keep_table(g, 4, p->words, p->n_words, &g->file->words, err));
  SN_TRY(keep_table(g, 6, p->phones, p->n_phones, &g->file->phones, err));
  SN_TRY(keep_strings(g, 8, p->meta, 2 * p->n_meta, NULL, &g->file->meta_bytes,
                      err));
  g->file->meta = g->file->owned[8];
  g->n_states = p->n_states;
  g->n_labels = p->n_labels;
  g->n_words = p->n_words;
  g->n_phones = p->n_phones;
  g->n_pdfs = p->n_pdfs;
  g->n_emit = p->n_emit;
  g->n_eps = p->n_eps;
  g->start = p->start;
  g->lm_scale = p->lm_scale;
  g->block_shift = 30;
  return SN_OK;
}

sn_status sn_graph_make(const sn_graph_parts *parts, const char *name,
                        sn_graph **out, sn_err *err) {
  *out = NULL;
  SN_TRY(sni_graph_check_parts(parts, err));
  sn_graph *const g = sn_calloc(1, sizeof *g);
  if (g == NULL) return sn_fail_nomem(err, "graph");
  const sn_status s = fill(g, parts, name, err);
  if (s != SN_OK) {
    sn_graph_destroy(g);
    return s;
  }
  *out = g;
  return SN_OK;
}
