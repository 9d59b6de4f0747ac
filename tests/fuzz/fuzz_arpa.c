/* SPDX-License-Identifier: Apache-2.0 */
/* ARPA text, then every kind of question to the model. */
#include <stdint.h>

#include "tests/fuzz/use_ngram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* Without a magic of the binary kinds it is text. */
  sn_ngram *lm = NULL;
  sn_err err = {0};
  if (sn_ngram_load_memory(data, size, "fuzz", &lm, &err) == SN_OK)
    fuzz_use_ngram(lm);
  sn_ngram_destroy(lm);
  return 0;
}
