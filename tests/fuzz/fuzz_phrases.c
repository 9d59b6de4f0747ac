/* SPDX-License-Identifier: Apache-2.0 */
/* Phrase lists of classes; the probabilities of each that is accepted sum to
 * one. */
#include <math.h>
#include <stdint.h>

#include "base/io.h"
#include "lm/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r = NULL;
  sn_grammar g;
  if (sn_reader_memory(data, size, "fuzz", &r, NULL) != SN_OK) return 0;
  if (sn_grammar_read_phrases(r, &g, NULL) == SN_OK) {
    double sum = 0;
    for (size_t i = 0; i < g.arcs.n; i++) {
      const sn_grammar_arc *const a = &g.arcs.data[i];
      if (a->from < 0 || a->from >= g.n_states || a->to < 0 ||
          a->to >= g.n_states || a->word < 0 ||
          a->word >= sn_symtab_n(g.words) || a->logp > 0)
        __builtin_trap();
      if (a->from == g.start) sum += exp((double)a->logp);
    }
    /* floats of size 1e-6 * ln p; weights that are lost beside 1e308 */
    if (!(fabs(sum - 1) < 1e-3)) __builtin_trap();
    sn_grammar_clear(&g);
  }
  sn_reader_destroy(r);
  return 0;
}
