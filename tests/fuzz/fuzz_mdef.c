/* SPDX-License-Identifier: Apache-2.0 */
/* Sphinx model definitions, text and binary. */
#include "am/sphinx_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sni_mdef m;
  sn_err err = {0};
  if (sni_mdef_read(data, size, "fuzz", &m, &err) == SN_OK) sni_mdef_clear(&m);
  return 0;
}
