/* SPDX-License-Identifier: Apache-2.0 */
/* Data directories: the four files, one behind the other, with 0xFF between. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "frontend/datadir.h"
#include "frontend/datadir_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"wav.scp", "segments", "text", "utt2spk"};
  sn_reader *r[4] = {NULL, NULL, NULL, NULL};
  for (int i = 0; i < 4 && (i == 0 || size > 0); i++) {
    const uint8_t *const end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    const size_t n = end != NULL ? (size_t)(end - data) : size;
    if (sn_reader_memory(data, n, names[i], &r[i], NULL) != SN_OK) break;
    const size_t used = n + (end != NULL ? 1 : 0);
    data += used;
    size -= used;
  }
  if (r[0] != NULL) {
    const sni_datadir_files files = {r[0], r[1], r[2], r[3], "corpus/", false};
    sn_datadir d;
    sn_err err = {0};
    if (sni_datadir_parse(&files, NULL, &d, &err) == SN_OK)
      sn_datadir_clear(&d);
  }
  for (int i = 0; i < 4; i++) sn_reader_destroy(r[i]);
  return 0;
}
