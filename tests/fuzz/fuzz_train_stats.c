/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of training, and checkpoints: what is read can be summed, or
 * walked over. */
#include <string.h>

#include "base/mem.h"
#include "train/checkpoint_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_box *box = NULL;
  if (size > 1 << 20) return 0;
  unsigned char *const copy = sn_calloc_aligned(size + 1, 1);
  if (copy == NULL) return 0;
  memcpy(copy, data, size);
  if (sn_box_memory(copy, size, "fuzz", SNI_STATS_MAGIC, SNI_STATS_VERSION,
                    &box, NULL) == SN_OK) {
    sni_stats_file f, again;
    if (sni_stats_read(box, "fuzz", &f, NULL) == SN_OK) {
      (void)sni_sums_root(&f.sums, NULL);
      if (sni_stats_read(box, "fuzz", &again, NULL) == SN_OK) {
        if (sni_stats_merge(&f, "a", &again, "b", NULL) == SN_OK)
          __builtin_trap(); /* every shard was there already */
        sni_stats_clear(&again);
      }
      sni_stats_clear(&f);
    }
    sn_box_destroy(box);
  }
  if (sn_box_memory(copy, size, "fuzz", SNI_CHECKPOINT_MAGIC,
                    SNI_CHECKPOINT_VERSION, &box, NULL) == SN_OK) {
    sni_checkpoint c;
    if (sni_checkpoint_read(box, "fuzz", &c, NULL) == SN_OK) {
      int64_t sum = 0;
      for (int64_t i = 0; i < c.shape.n_segs; i++)
        sum += c.hmm_pdfs[3 * c.base_hmm[c.segs[i].phone]];
      if (sum < 0) __builtin_trap();
    }
    sn_box_destroy(box);
  }
  sn_free_aligned(copy);
  return 0;
}
