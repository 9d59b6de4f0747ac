/* SPDX-License-Identifier: Apache-2.0 */
/* JSGF text. */
#include <stdint.h>

#include "lm/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_grammar g;
  sn_err err = {0};
  if (sn_grammar_parse_jsgf((const char *)data, size, "fuzz", NULL, &g, &err) ==
      SN_OK)
    sn_grammar_clear(&g);
  return 0;
}
