/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter files, and the front ends that their settings make. */
#include <stddef.h>
#include <stdint.h>

#include "frontend/feat_config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A front end of these settings, over a little audio. */
static void use(const sn_feat_config *c) {
  static const float samples[3000] = {1, -20, 300, 4000, -5000, 60};
  sn_feat *f = NULL;
  sn_feat_stream *s = NULL;
  if (sn_feat_create(c, SN_FEAT_FULL, &f, NULL) == SN_OK &&
      sn_feat_dim(f) < 10000 &&
      sn_feat_stream_create(f, SN_CMN_DEFAULT, &s, NULL) == SN_OK &&
      sn_feat_stream_push(s, samples, 3000, NULL) == SN_OK)
    (void)!sn_feat_stream_finish(s, NULL);
  sn_feat_stream_destroy(s);
  sn_feat_destroy(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (int k = 0; k < 2; k++) {
    sn_feat_config *c = NULL;
    sn_reader *r = NULL;
    if (sn_feat_config_create(k == 0 ? SN_FEAT_SPHINX : SN_FEAT_KALDI, &c,
                              NULL) == SN_OK &&
        sn_reader_memory(data, size, "fuzz", &r, NULL) == SN_OK) {
      const sn_status s = sni_feat_config_read(c, r, NULL);
      /* files that a setting names are not to be opened here */
      const char *file = sn_feat_config_get(c, k == 0 ? "lda" : "transform");
      if (s == SN_OK && file != NULL && file[0] == '\0') use(c);
    }
    sn_reader_destroy(r);
    sn_feat_config_destroy(c);
  }
  return 0;
}
