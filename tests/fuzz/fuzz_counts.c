/* SPDX-License-Identifier: Apache-2.0 */
/* Count files; what is accepted must give a model. Also takes every input as a
 * text, with and without repairs. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "lm/estimate.h"

static void use_counts(const sn_count_opts *o, const uint8_t *data,
                       size_t size) {
  sn_counts *c = NULL;
  sn_ngram *lm = NULL;
  const sn_estimate_opts how = {SN_ESTIMATE_MKN, "0,0,1"};
  if (sn_counts_create(o, NULL, &c, NULL) == SN_OK &&
      sn_counts_add_memory(c, data, size, "fuzz", NULL) == SN_OK &&
      sn_estimate_ngram(c, &how, &lm, NULL, NULL) == SN_OK) {
    const sn_ngram_state h = {0, 0};
    const double sum = sn_ngram_sum(lm, h);
    if (!(sum > 0.999 && sum < 1.001)) __builtin_trap();
  }
  sn_ngram_destroy(lm);
  sn_counts_destroy(c);
}

static void use_text(const sn_count_opts *o, const uint8_t *data, size_t size,
                     bool repair) {
  const sn_text_opts opts = {repair};
  sn_counts *c = NULL;
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  sn_status s = sn_counts_create(o, NULL, &c, NULL);
  if (s == SN_OK) s = sn_reader_memory(data, size, "fuzz", &r, NULL);
  if (s == SN_OK) s = sn_text_source_create(&opts, &t, NULL);
  if (s == SN_OK) s = sn_counts_add_text(c, t, r, NULL);
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  sn_counts_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const sn_count_opts o = {3, 1.0, "/tmp", "", NULL};
  void *const aligned = sn_calloc_aligned(size + 1, 1);
  if (aligned == NULL) return 0;
  if (size > 0) memcpy(aligned, data, size);
  use_counts(&o, aligned, size);
  sn_free_aligned(aligned);
  use_text(&o, data, size, false);
  use_text(&o, data, size, true);
  return 0;
}
