/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings, through libsndfile's virtual I/O. */
#include <stddef.h>
#include <stdint.h>

#include "frontend/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const sn_audio_opts o = {SN_CHANNEL_MIX,         data[0] & 1 ? 16000 : 0,
                           data[0] & 2 ? 8000 : 0, data[0] & 4 ? 0.001 : 0,
                           data[0] & 8 ? 0.01 : 0, data[0] & 16 ? 1.1 : 0};
  sn_audio *a = NULL;
  sn_err err = {0};
  if (sn_audio_open_memory(data + 1, size - 1, "fuzz", &o, NULL, &a, &err) !=
      SN_OK)
    return 0;
  float part[512];
  size_t got = 1;
  for (int i = 0; got > 0 && i < 100; i++)
    if (sn_audio_read(a, part, 512, &got, &err) != SN_OK) break;
  sn_audio_destroy(a);
  return 0;
}
