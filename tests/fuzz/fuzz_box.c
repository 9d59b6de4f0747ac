/* SPDX-License-Identifier: Apache-2.0 */
/* The container. Its checksum would stop nearly every input at the door, so
 * each one is tried as it is and with the checksum put right. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_open(const uint8_t *bytes, size_t n) {
  sn_box *b = NULL;
  sn_err err = {0};
  if (sn_box_memory(bytes, n, "fuzz", "SNFUZZ", 1, &b, &err) != SN_OK) return;
  static const char *const names[] = {"a", "b", "ints"};
  unsigned sum = 0;
  for (size_t i = 0; i < 3; i++)
    for (size_t size = 1; size <= 8; size *= 2) {
      const void *p = NULL;
      size_t count = 0;
      if (sn_box_section(b, names[i], size, SN_BOX_LAZY | SN_BOX_OPTIONAL, &p,
                         &count, NULL) != SN_OK)
        continue;
      for (size_t k = 0; k < count * size; k++) sum += ((const uint8_t *)p)[k];
    }
  /* the sum is used, so that the reads are made */
  if (sn_box_check(b, &err) == SN_OK && sum == 0) sn_err_clear(&err);
  sn_box_destroy(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *const copy = sn_calloc(size + 1, 1); /* aligned */
  if (copy == NULL) return 0;
  if (size > 0) memcpy(copy, data, size);
  try_open(copy, size);
  uint64_t table = 0;
  if (size >= 64) {
    memcpy(copy, "SNFUZZ\0\0\1\0\0\0\4\3\2\1", 16);
    const uint64_t n = size;
    memcpy(copy + 16, &n, 8);
    memcpy(&table, copy + 24, 8);
  }
  if (table >= 64 && table <= size) {
    memset(copy + 60, 0, 4);
    uint32_t crc = sn_crc32(0, copy, 64);
    crc = sn_crc32(crc, copy + table, size - table);
    memcpy(copy + 60, &crc, 4);
    try_open(copy, size);
  }
  sn_free(copy);
  return 0;
}
