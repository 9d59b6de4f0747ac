/* SPDX-License-Identifier: Apache-2.0 */
/* Graph files: whatever opens can be walked as a search walks it. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every arc of every state; what sn_graph_touch lets through is in range. */
static void walk(const sn_graph *g, size_t size) {
  for (int32_t s = 0; s < g->n_states && s < 100000; s++) {
    if (sn_graph_touch(g, s, NULL) != SN_OK) continue;
    const sn_graph_state *x = &g->states[s];
    for (uint32_t i = x[0].first_emit; i < x[1].first_emit; i++) {
      const sn_graph_arc *a = &g->emit[i];
      SN_ASSERT(a->next >= 0 && a->next < g->n_states);
      SN_ASSERT(a->label >= 0 && a->label < g->n_labels);
      SN_ASSERT(g->labels[a->label].pdf < g->n_pdfs);
      if (a->output > 0)
        SN_ASSERT(strlen(sn_graph_word(g, a->output - 1)) < size);
    }
    for (uint32_t i = x[0].first_eps; i < x[1].first_eps; i++)
      SN_ASSERT(g->eps[i].next >= 0 && g->eps[i].next < g->n_states);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t *copy = sn_calloc(size / 8 + 1, 8);
  sn_graph *g = NULL;
  if (copy == NULL) return 0;
  if (size > 0) memcpy(copy, data, size);
  if (sn_graph_open_memory(copy, size, "fuzz", &g, NULL) == SN_OK) {
    const char *value = NULL;
    for (size_t i = 0; sn_graph_meta_at(g, i, &value) != NULL; i++)
      SN_ASSERT(strlen(value) < size);
    for (int32_t p = 0; p < g->n_phones; p++)
      SN_ASSERT(strlen(sn_graph_phone(g, p)) < size);
    walk(g, size);
    if (sn_graph_verify(g, NULL) == SN_OK) {
      sn_str text = {0};
      sn_graph_summary x;
      sn_graph_summarise(g, &x);
      (void)!sn_graph_draw(g, 100, &text, NULL);
      sn_str_clear(&text);
    }
    sn_graph_destroy(g);
  }
  sn_free(copy);
  return 0;
}
