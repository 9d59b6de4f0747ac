/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph.c - opens and verifies graph files; the layout is in
 * docs/graph.md.
 *
 * A large graph is half a gigabyte, and a short utterance visits a fraction of
 * it. So opening maps the file and reads the small sections only; a block of
 * states is checked when the search first comes to it. What is known then:
 *   1. its states' checksum holds, so their arc offsets are what was written;
 *   2. the offsets do not decrease and end within the arcs, so the checksums
 *      of its arcs can be computed, and hold;
 *   3. every next state, label and output of its arcs is in range.
 * 2 and 3 are tested as well as the checksum since a file may have been made
 * by other hands. */
#include "graphs/graph.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "graphs/graph_internal.h"

static sn_status load_strings(sn_graph *g, const char *name,
                              const char *offset_name, int32_t n,
                              sni_graph_strings *out, sn_err *err) {
  const void *text = NULL, *offsets = NULL;
  size_t n_text = 0, n_offsets = 0;
  SN_TRY(sn_box_section(g->file->box, name, 1, 0, &text, &n_text, err));
  SN_TRY(sn_box_section(g->file->box, offset_name, sizeof(uint32_t), 0,
                        &offsets, &n_offsets, err));
  out->text = text;
  out->offsets = offsets;
  if (n_offsets != (size_t)n + 1 || out->offsets[0] != 0 ||
      out->offsets[n] != n_text)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section '%s': %zu offsets for %d entries of %zu bytes",
                   g->file->name, offset_name, n_offsets, n, n_text);
  for (int32_t i = 0; i < n; i++) {
    const uint32_t end = out->offsets[i + 1];
    if (end <= out->offsets[i] || end > n_text || out->text[end - 1] != '\0')
      return sn_fail(err, SN_EFORMAT,
                     "%s: section '%s': entry %d: bytes %u to %u of %zu are no "
                     "string",
                     g->file->name, name, i, out->offsets[i], end, n_text);
  }
  return SN_OK;
}

static sn_status load_meta(sn_graph *g, sn_err *err) {
  const void *data = NULL;
  struct sni_graph_file *f = g->file;
  SN_TRY(sn_box_section(f->box, "meta", 1, 0, &data, &f->meta_bytes, err));
  f->meta = data;
  size_t n = 0;
  for (size_t i = 0; i < f->meta_bytes; i++) n += f->meta[i] == '\0';
  if (n % 2 != 0 || (f->meta_bytes > 0 && f->meta[f->meta_bytes - 1] != '\0'))
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'meta' is no list of keys and values: %zu "
                   "strings in %zu bytes",
                   f->name, n, f->meta_bytes);
  return SN_OK;
}

static sn_status load_info(sn_graph *g, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  sni_graph_info i;
  SN_TRY(sn_box_section(g->file->box, "info", sizeof i, 0, &data, &n, err));
  if (n != 1)
    return sn_fail(err, SN_EFORMAT, "%s: section 'info' has %zu records, not 1",
                   g->file->name, n);
  memcpy(&i, data, sizeof i);
  if (i.n_states < 1 || i.start < 0 || i.start >= i.n_states ||
      i.n_labels < 0 || i.n_words < 0 || i.n_phones < 0 || i.n_pdfs < 0 ||
      i.n_emit < 0 || i.n_eps < 0 || i.block_shift < 4 || i.block_shift > 24 ||
      !(i.lm_scale > 0 && isfinite(i.lm_scale)))
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'info': %d states, start %d, %d labels, %d "
                   "words, %d phones, %d pdfs, %lld and %lld arcs, blocks of "
                   "2^%d states, lm scale %g",
                   g->file->name, i.n_states, i.start, i.n_labels, i.n_words,
                   i.n_phones, i.n_pdfs, (long long)i.n_emit,
                   (long long)i.n_eps, i.block_shift, i.lm_scale);
  g->n_states = i.n_states;
  g->n_labels = i.n_labels;
  g->n_words = i.n_words;
  g->n_phones = i.n_phones;
  g->n_pdfs = i.n_pdfs;
  g->n_emit = i.n_emit;
  g->n_eps = i.n_eps;
  g->start = i.start;
  g->lm_scale = i.lm_scale;
  g->block_shift = i.block_shift;
  g->n_blocks = (i.n_states - 1) / (1 << i.block_shift) + 1;
  return SN_OK;
}

/* A section whose number of elements is known. */
static sn_status load_array(sn_graph *g, const char *name, size_t elem_size,
                            unsigned flags, size_t want, const void **out,
                            sn_err *err) {
  size_t n = 0;
  SN_TRY(sn_box_section(g->file->box, name, elem_size, flags, out, &n, err));
  if (n != want)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section '%s' has %zu elements, but 'info' says %zu",
                   g->file->name, name, n, want);
  return SN_OK;
}

static sn_status load_labels(sn_graph *g, sn_err *err) {
  const void *data = NULL;
  SN_TRY(load_array(g, "labels", sizeof *g->labels, 0, (size_t)g->n_labels,
                    &data, err));
  g->labels = data;
  for (int32_t i = 0; i < g->n_labels; i++) {
    const sn_graph_label *l = &g->labels[i];
    if (l->pdf < 0 || l->pdf >= g->n_pdfs || l->phone < 0 ||
        l->phone >= g->n_phones || isnan(l->loop_cost))
      return sn_fail(err, SN_EFORMAT,
                     "%s: label %d: pdf %d of %d, phone %d of %d, loop cost %g",
                     g->file->name, i, l->pdf, g->n_pdfs, l->phone, g->n_phones,
                     (double)l->loop_cost);
  }
  return SN_OK;
}

static sn_status load(sn_graph *g, sn_err *err) {
  const void *data = NULL;
  SN_TRY(load_info(g, err));
  SN_TRY(load_meta(g, err));
  SN_TRY(
      load_strings(g, "words", "words.off", g->n_words, &g->file->words, err));
  SN_TRY(load_strings(g, "phones", "phones.off", g->n_phones, &g->file->phones,
                      err));
  SN_TRY(load_labels(g, err));
  SN_TRY(load_array(g, "blocks", sizeof *g->file->sums, 0, (size_t)g->n_blocks,
                    &data, err));
  g->file->sums = data;
  SN_TRY(load_array(g, "states", sizeof *g->states, SN_BOX_LAZY,
                    (size_t)g->n_states + 1, &data, err));
  g->states = data;
  SN_TRY(load_array(g, "emit", sizeof *g->emit, SN_BOX_LAZY, (size_t)g->n_emit,
                    &data, err));
  g->emit = data;
  SN_TRY(load_array(g, "eps", sizeof *g->eps, SN_BOX_LAZY, (size_t)g->n_eps,
                    &data, err));
  g->eps = data;
  g->block_ok = sn_calloc((size_t)g->n_blocks, 1);
  if (g->block_ok == NULL) return sn_fail_nomem(err, "graph");
  return SN_OK;
}

static sn_status open_any(const char *path, const void *data, size_t n,
                          const char *name, sn_graph **out, sn_err *err) {
  *out = NULL;
  sn_status s = SN_OK;
  sn_graph *g = sn_calloc(1, sizeof *g);
  if (g == NULL) return sn_fail_nomem(err, "graph");
  g->file = sn_calloc(1, sizeof *g->file);
  if (g->file == NULL || (g->file->name = sn_strdup(name)) == NULL) {
    s = sn_fail_nomem(err, "graph");
    goto fail;
  }
  if (path != NULL)
    SN_TRY_GOTO(s, sn_box_open(path, SN_GRAPH_MAGIC, SN_GRAPH_VERSION,
                               &g->file->box, err));
  else
    SN_TRY_GOTO(s, sn_box_memory(data, n, name, SN_GRAPH_MAGIC,
                                 SN_GRAPH_VERSION, &g->file->box, err));
  SN_TRY_GOTO(s, load(g, err));
  *out = g;
  return SN_OK;
fail:
  sn_graph_destroy(g);
  return s;
}

sn_status sn_graph_open(const char *path, sn_graph **out, sn_err *err) {
  return open_any(path, NULL, 0, path, out, err);
}

sn_status sn_graph_open_memory(const void *data, size_t n, const char *name,
                               sn_graph **out, sn_err *err) {
  return open_any(NULL, data, n, name, out, err);
}

void sn_graph_destroy(sn_graph *g) {
  if (g == NULL) return;
  if (g->file != NULL) {
    sn_box_destroy(g->file->box);
    sn_free(g->file->name);
    for (size_t i = 0; i < SNI_GRAPH_N_OWNED; i++) sn_free(g->file->owned[i]);
    sn_free(g->file);
  }
  sn_free(g->block_ok);
  sn_free(g);
}

/* Arcs [from, to) of a block against their checksum and the graph's sizes. */
static sn_status verify_arcs(const sn_graph *g, int32_t block, bool emitting,
                             uint32_t from, uint32_t to, sn_err *err) {
  const char *section = emitting ? "emit" : "eps";
  const sn_graph_arc *arcs = emitting ? g->emit : g->eps;
  const sni_graph_sum *sum = &g->file->sums[block];
  if (sn_crc32(0, arcs + from, (size_t)(to - from) * sizeof *arcs) !=
      (emitting ? sum->emit : sum->eps))
    return sn_fail(err, SN_EFORMAT,
                   "%s: block %d: checksum of section '%s', bytes %zu to %zu, "
                   "does not hold: the file was altered; build it again",
                   g->file->name, block, section, from * sizeof *arcs,
                   to * sizeof *arcs);
  for (uint32_t i = from; i < to; i++) {
    const sn_graph_arc *a = &arcs[i];
    if ((uint32_t)a->next >= (uint32_t)g->n_states ||
        (uint32_t)a->output > (uint32_t)g->n_words || isnan(a->cost) ||
        (emitting ? (uint32_t)a->label >= (uint32_t)g->n_labels
                  : a->label != -1))
      return sn_fail(err, SN_EFORMAT,
                     "%s: block %d: section '%s', byte %zu: arc to state %d of "
                     "%d, label %d of %d, output %d of %d, cost %g",
                     g->file->name, block, section, i * sizeof *arcs, a->next,
                     g->n_states, a->label, g->n_labels, a->output, g->n_words,
                     (double)a->cost);
  }
  return SN_OK;
}

sn_status sn_graph_verify_block(const sn_graph *g, int32_t block, sn_err *err) {
  SN_ASSERT(block >= 0 && block < g->n_blocks);
  const int32_t first = block << g->block_shift;
  const int64_t next = ((int64_t)block + 1) << g->block_shift;
  const int32_t end = next > g->n_states ? g->n_states : (int32_t)next;
  const sn_graph_state *states = g->states;
  const size_t n_bytes = (size_t)(end - first + 1) * sizeof *states;
  if (sn_crc32(0, states + first, n_bytes) != g->file->sums[block].states)
    return sn_fail(err, SN_EFORMAT,
                   "%s: block %d: checksum of section 'states', bytes %zu to "
                   "%zu, does not hold: the file was altered; build it again",
                   g->file->name, block, (size_t)first * sizeof *states,
                   (size_t)first * sizeof *states + n_bytes);
  for (int32_t s = first; s < end; s++)
    if (states[s].first_emit > states[s + 1].first_emit ||
        states[s].first_eps > states[s + 1].first_eps || states[s].label < -1 ||
        states[s].label >= g->n_labels || isnan(states[s].final_cost))
      return sn_fail(err, SN_EFORMAT,
                     "%s: block %d: section 'states', byte %zu: arcs %u to %u "
                     "and %u to %u, label %d of %d, final cost %g",
                     g->file->name, block, (size_t)s * sizeof *states,
                     states[s].first_emit, states[s + 1].first_emit,
                     states[s].first_eps, states[s + 1].first_eps,
                     states[s].label, g->n_labels,
                     (double)states[s].final_cost);
  if (states[end].first_emit > g->n_emit || states[end].first_eps > g->n_eps)
    return sn_fail(err, SN_EFORMAT,
                   "%s: block %d: section 'states', byte %zu: arcs up to %u of "
                   "%lld and %u of %lld",
                   g->file->name, block, (size_t)end * sizeof *states,
                   states[end].first_emit, (long long)g->n_emit,
                   states[end].first_eps, (long long)g->n_eps);
  SN_TRY(verify_arcs(g, block, true, states[first].first_emit,
                     states[end].first_emit, err));
  SN_TRY(verify_arcs(g, block, false, states[first].first_eps,
                     states[end].first_eps, err));
  __atomic_store_n(&g->block_ok[block], (uint8_t)1, __ATOMIC_RELEASE);
  return SN_OK;
}

/* No epsilon path comes back: depth-first with an explicit stack. */
static sn_status verify_eps(const sn_graph *g, sn_err *err) {
  enum { NEW, OPEN, DONE };
  typedef struct frame {
    int32_t state;
    uint32_t arc;
  } frame;
  if (g->n_eps == 0) return SN_OK;
  sn_status s = SN_OK;
  SN_ARR(frame) stack = {0};
  uint8_t *mark = sn_calloc((size_t)g->n_states, 1);
  if (mark == NULL) return sn_fail_nomem(err, "graph check");
  for (int32_t root = 0; root < g->n_states; root++) {
    if (mark[root] != NEW) continue;
    mark[root] = OPEN;
    const frame top = {root, g->states[root].first_eps};
    SN_TRY_GOTO(s, SN_ARR_PUSH(&stack, top, err));
    while (stack.n > 0) {
      frame *f = &stack.data[stack.n - 1];
      if (f->arc == g->states[f->state + 1].first_eps) {
        mark[f->state] = DONE;
        stack.n--;
        continue;
      }
      const int32_t next = g->eps[f->arc++].next;
      if (mark[next] == OPEN) {
        s = sn_fail(err, SN_EFORMAT,
                    "%s: block %d: section 'eps', byte %zu: a circle of "
                    "epsilon arcs through state %d",
                    g->file->name, f->state >> g->block_shift,
                    (f->arc - 1) * sizeof *g->eps, next);
        goto fail;
      }
      if (mark[next] != NEW) continue;
      mark[next] = OPEN;
      const frame child = {next, g->states[next].first_eps};
      SN_TRY_GOTO(s, SN_ARR_PUSH(&stack, child, err));
    }
  }
fail:
  SN_ARR_FREE(&stack);
  sn_free(mark);
  return s;
}

sn_status sn_graph_verify(const sn_graph *g, sn_err *err) {
  for (int32_t b = 0; b < g->n_blocks; b++)
    SN_TRY(sn_graph_verify_block(g, b, err));
  if (g->states[0].first_emit != 0 || g->states[0].first_eps != 0 ||
      g->states[g->n_states].first_emit != g->n_emit ||
      g->states[g->n_states].first_eps != g->n_eps)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'states': arcs that belong to no state",
                   g->file->name);
  for (int64_t i = 0; i < g->n_emit; i++)
    if (g->states[g->emit[i].next].label != g->emit[i].label)
      return sn_fail(err, SN_EFORMAT,
                     "%s: section 'emit', byte %lld: label %d into state %d, "
                     "whose label is %d",
                     g->file->name, (long long)(i * (int64_t)sizeof *g->emit),
                     g->emit[i].label, g->emit[i].next,
                     g->states[g->emit[i].next].label);
  return verify_eps(g, err);
}

const char *sn_graph_word(const sn_graph *g, int32_t word) {
  SN_ASSERT(word >= 0 && word < g->n_words);
  return g->file->words.text + g->file->words.offsets[word];
}

const char *sn_graph_phone(const sn_graph *g, int32_t phone) {
  SN_ASSERT(phone >= 0 && phone < g->n_phones);
  return g->file->phones.text + g->file->phones.offsets[phone];
}

const char *sn_graph_meta_at(const sn_graph *g, size_t i, const char **value) {
  const char *p = g->file->meta;
  const char *end = p + g->file->meta_bytes;
  while (p < end) {
    const char *key = p;
    const char *text = key + strlen(key) + 1;
    p = text + strlen(text) + 1;
    if (i-- == 0) {
      *value = text;
      return key;
    }
  }
  return NULL;
}

const char *sn_graph_meta(const sn_graph *g, const char *key) {
  const char *value = NULL;
  const char *k;
  for (size_t i = 0; (k = sn_graph_meta_at(g, i, &value)) != NULL; i++)
    if (strcmp(k, key) == 0) return value;
  return NULL;
}
