/* SPDX-License-Identifier: Apache-2.0 */
/* Corpora for inspection: the four files, with 0xFF between. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "train/corpus.h"
#include "train/corpus_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"wav.scp", "segments", "text", "utt2spk"};
  sn_reader *r[4] = {NULL, NULL, NULL, NULL};
  for (int i = 0; i < 4 && (i == 0 || size > 0); i++) {
    const uint8_t *const end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    const size_t n = end != NULL ? (size_t)(end - data) : size;
    if (sn_reader_memory(data, n, names[i], &r[i], NULL) != SN_OK) break;
    const size_t used = n + (end != NULL ? 1 : 0);
    data += used;
    size -= used;
  }
  if (r[0] != NULL) {
    const sni_corpus_files files = {r[0], r[1], r[2], r[3], "corpus/", false};
    sn_corpus_check_opts opts;
    sn_corpus c;
    sn_opt_defaults(sn_corpus_check_opt_table, &opts);
    opts.audio = 0;
    if (sni_corpus_parse(&files, &c, NULL) == SN_OK) {
      if (sn_corpus_check(&c, NULL, &opts, NULL, NULL, NULL) == SN_OK) {
        sn_corpus_stats t;
        if (sn_corpus_count(&c, NULL, NULL, &t, NULL) != SN_OK) t.n_utts = 0;
      }
      sn_corpus_clear(&c);
    }
  }
  for (int i = 0; i < 4; i++) sn_reader_destroy(r[i]);
  return 0;
}
