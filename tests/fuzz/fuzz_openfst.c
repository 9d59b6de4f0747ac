/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFst files: whatever is read has its indices in range, and is refused or
 * made into a graph that can be walked. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/kaldi_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_TIDS = 8, N_WORDS = 4 };

/* Three HMM states, each with a loop (odd) and a way on. */
static sn_status make_model(sn_kaldi_trans *t, sn_symtab *words) {
  for (int32_t i = 0; i < N_TIDS; i++) {
    const int32_t state = i / 2;
    const sn_kaldi_tid x = {1, state % 3, state % 3, state, 0.0f, i % 2 == 1};
    SN_TRY(SN_ARR_PUSH(&t->tids, x, NULL));
  }
  t->n_pdfs = 3;
  t->n_states = 4;
  for (int32_t i = 0; i < N_WORDS; i++) {
    const char name[1] = {(char)('a' + i)};
    int32_t id;
    SN_TRY(sn_symtab_add(words, name, 1, &id, NULL));
  }
  return SN_OK;
}

static void check(const sn_fst_file *f) {
  SN_ASSERT(f->first.n == (size_t)f->n_states + 1);
  SN_ASSERT(f->start >= -1 && (f->start == -1 || f->start < f->n_states));
  for (size_t i = 0; i < f->arcs.n; i++) {
    SN_ASSERT(f->arcs.data[i].next >= 0 && f->arcs.data[i].next < f->n_states);
    SN_ASSERT(f->arcs.data[i].input >= 0 && f->arcs.data[i].output >= 0);
  }
}

static void make(const sn_fst_file *f) {
  sn_kaldi_trans trans = {0};
  sn_symtab *words = NULL;
  sn_graph *g = NULL;
  int32_t *tids = NULL;
  if (sn_symtab_create(&words, NULL) == SN_OK &&
      make_model(&trans, words) == SN_OK) {
    const sn_kaldi_hclg in = {f, &trans, words, NULL, "fuzz"};
    if (sn_kaldi_graph_make(&in, &g, &tids, NULL) == SN_OK) {
      for (int64_t i = 0; i < g->n_emit; i++)
        SN_ASSERT(tids[2 * g->emit[i].label] > 0);
      for (int32_t w = 0; w < g->n_words; w++)
        SN_ASSERT(strlen(sn_graph_word(g, w)) == 1);
    }
  }
  sn_graph_destroy(g);
  sn_free(tids);
  sn_symtab_destroy(words);
  sn_kaldi_trans_clear(&trans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r = NULL;
  sn_fst_file f;
  if (sn_reader_memory(data, size, "fuzz", &r, NULL) != SN_OK) return 0;
  if (sn_fst_file_read(r, &f, NULL) == SN_OK) {
    check(&f);
    make(&f);
    sn_fst_file_clear(&f);
  }
  sn_reader_destroy(r);
  return 0;
}
