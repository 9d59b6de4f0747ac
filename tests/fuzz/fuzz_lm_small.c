/* SPDX-License-Identifier: Apache-2.0 */
/* The small binary: opened without verifying it must be safe to use. The first
 * byte says whether it is verified first, and then unpacked. */
#include <stdint.h>

#include "lm/ngram_internal.h"
#include "tests/fuzz/use_ngram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  sn_ngram *lm = NULL, *plain = NULL;
  sn_err err = {0};
  if (sni_small_open_memory(data + 1, size - 1, "fuzz", &lm, &err) == SN_OK) {
    const bool is_verified =
        data[0] % 2 != 0 && sn_ngram_verify(lm, &err) == SN_OK;
    if (data[0] % 2 == 0 || is_verified) fuzz_use_ngram(lm);
    if (is_verified && sni_ngram_plain(lm, &plain, &err) == SN_OK)
      fuzz_use_ngram(plain);
  }
  sn_ngram_destroy(plain);
  sn_ngram_destroy(lm);
  return 0;
}
