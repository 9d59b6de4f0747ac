/* SPDX-License-Identifier: Apache-2.0 */
/* SphinxTrain's feature_transform files. */
#include <stddef.h>
#include <stdint.h>

#include "frontend/sphinx_post_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r;
  sn_mat m;
  if (sn_reader_memory(data, size, "fuzz", &r, NULL) != SN_OK) return 0;
  if (sni_sphinx_lda_read(r, &m, NULL) == SN_OK) sn_mat_free(&m);
  sn_reader_destroy(r);
  return 0;
}
