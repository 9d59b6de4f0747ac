/* SPDX-License-Identifier: Apache-2.0 */
/* Sphinx binaries. The quantiser's tables (1.3 MB at order 3) would drown the
 * rest, so the input leaves them out: they are filled in, with one value that
 * the input chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "lm/ngram_internal.h"
#include "tests/fuzz/use_ngram.h"

enum { TABLE_BYTES = 65536 * 4, MAGIC_BYTES = 19 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  const size_t order = data[0] % 4u;
  const size_t head = 1 + 4 * order + (order > 1 ? 4 : 0);
  const size_t tables = order > 1 ? 2 * (order - 2) + 1 : 0;
  if (size < head + 4) return 0;
  const size_t total = MAGIC_BYTES + tables * TABLE_BYTES + size - 4;
  uint8_t *const file = malloc(total);
  if (file == NULL) return 0;
  uint8_t *at = file;
  memcpy(at, SNI_SPHINX_LM_MAGIC, MAGIC_BYTES);
  at += MAGIC_BYTES;
  memcpy(at, data, head);
  at[0] = (uint8_t)order;
  at += head;
  for (size_t i = 0; i < tables * 65536; i++, at += 4)
    memcpy(at, data + size - 4, 4);
  memcpy(at, data + head, size - 4 - head);
  sn_ngram *lm = NULL;
  sn_err err = {0};
  if (sni_sphinx_lm_read(file, total, "fuzz", NULL, &lm, &err) == SN_OK)
    fuzz_use_ngram(lm);
  sn_ngram_destroy(lm);
  free(file);
  return 0;
}
