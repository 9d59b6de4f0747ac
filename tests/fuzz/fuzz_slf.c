/* SPDX-License-Identifier: Apache-2.0 */
/* HTK lattices. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "decoder/lat_slf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_reader *r = NULL;
  sn_lat_words *words = NULL;
  sn_slf_head head = {0};
  sn_lat l = {0};
  sn_err err = {0};
  if (sn_reader_memory(data, size, "fuzz", &r, &err) == SN_OK &&
      sn_lat_words_create(&words, &err) == SN_OK &&
      sn_lat_read_slf(r, 0.01, words, &head, &l, &err) == SN_OK) {
    int32_t n_frames;
    SN_ASSERT(sn_lat_check(&l, &err) == SN_OK);
    int32_t *const frames = sn_calloc((size_t)l.n_states + 1, sizeof *frames);
    if (frames != NULL && sn_lat_times(&l, frames, &n_frames, &err) != SN_OK)
      sn_err_clear(&err);
    sn_free(frames);
  }
  sn_lat_clear(&l);
  sn_slf_head_clear(&head);
  sn_lat_words_destroy(words);
  sn_reader_destroy(r);
  return 0;
}
