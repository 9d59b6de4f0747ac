/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of Kaldi's lattices, text and binary. */
#include <stddef.h>
#include <stdint.h>

#include "decoder/lat_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r = NULL;
  sn_lat_reader *in = NULL;
  sn_err err = {0};
  if (sn_reader_memory(data, size, "fuzz", &r, &err) != SN_OK ||
      sn_lat_reader_on(r, &in, &err) != SN_OK)
    return 0;
  for (;;) {
    const char *key;
    sn_lat l;
    if (sn_lat_next(in, &key, &l, &err) != SN_OK || key == NULL) break;
    SN_ASSERT(sn_lat_check(&l, &err) == SN_OK);
    sn_lat_clear(&l);
  }
  sn_lat_reader_destroy(in);
  return 0;
}
