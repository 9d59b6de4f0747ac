/* SPDX-License-Identifier: Apache-2.0 */
/* Transcripts from hostile bytes; the first byte chooses format and dialect. A
 * text scored against itself has no errors. */
#include <stdint.h>

#include "score/score.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  sn_score_words *words = NULL;
  sn_transcripts t = {0};
  sn_score score = {0};
  const sn_score_opts opts = {.sclite = (data[0] & 0x80) != 0, .cer = true};
  if (sn_score_words_create(NULL, opts.sclite, &words, NULL) == SN_OK &&
      sn_transcripts_read_memory(data + 1, size - 1, "fuzz",
                                 (sn_trans_format)(data[0] % 4), words, &t,
                                 NULL) == SN_OK &&
      sn_score_compare(&t, &t, words, &opts, &score, NULL) == SN_OK) {
    SN_ASSERT(sn_score_errors(&score.total) == 0);
    SN_ASSERT(sn_score_errors(&score.total_chars) == 0);
  }
  sn_score_clear(&score);
  sn_transcripts_clear(&t);
  sn_score_words_destroy(words);
  return 0;
}
