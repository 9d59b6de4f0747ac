/* SPDX-License-Identifier: Apache-2.0 */
/* Class files; the probabilities of each class that is accepted sum to one. */
#include <math.h>
#include <stdint.h>

#include "base/mem.h"
#include "lm/classes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r = NULL;
  sn_classes c = {0};
  if (sn_reader_memory(data, size, "fuzz", &r, NULL) != SN_OK) return 0;
  if (sn_classes_read(r, &c, NULL) == SN_OK) {
    double sum = 0;
    for (size_t w = 0; w < c.prob.n; w++) {
      if (!(c.prob.data[w] >= 0 && c.prob.data[w] <= 1)) __builtin_trap();
      sum += c.prob.data[w];
    }
    if (!(fabs(sum - (double)sn_symtab_n(c.names)) < 1e-6 * (sum + 1)))
      __builtin_trap();
    sn_classes_estimate(&c);
  }
  sn_classes_clear(&c);
  sn_reader_destroy(r);
  return 0;
}
