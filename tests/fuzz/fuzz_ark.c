/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi archives: the first byte chooses what is asked for. */
#include <stddef.h>
#include <stdint.h>

#include "base/kaldi_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  sn_reader *r = NULL;
  sn_ark_reader *a = NULL;
  sn_err err = {0};
  if (sn_reader_memory(data + 1, size - 1, "fuzz", &r, &err) != SN_OK ||
      sn_ark_reader_on(r, &a, &err) != SN_OK)
    return 0;
  const char *key = "";
  for (unsigned i = 0; key != NULL; i++) {
    const int32_t *v = NULL;
    size_t n = 0;
    sn_cmat m;
    /* mats, ints, or in turn */
    const unsigned kind = data[0] % 3u == 2 ? i % 2 : data[0] % 3u;
    const sn_status s = kind ? sn_ark_next_ints(a, &key, &v, &n, &err)
                             : sn_ark_next_mat(a, &key, &m, &err);
    if (s != SN_OK) break;
  }
  sn_ark_reader_destroy(a);
  return 0;
}
