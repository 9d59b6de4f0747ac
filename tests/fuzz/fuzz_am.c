/* SPDX-License-Identifier: Apache-2.0 */
/* am.bin: what passes the checks must be safe to look up and to score with. */
#include <string.h>

#include "am/gmm_internal.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void score(const sni_am_view *v) {
  sni_gmm *g = NULL;
  sni_gmm_work w;
  sn_mat in = {0}, out = {0};
  if (sni_gmm_create(v, &g, NULL) != SN_OK) return;
  if (sni_gmm_work_init(g, &w, NULL) == SN_OK) {
    if (sn_mat_alloc(3, g->dim, &in, NULL) == SN_OK &&
        sn_mat_alloc(3, g->n_pdfs, &out, NULL) == SN_OK)
      sni_gmm_score(g, &w, sn_mat_const(in), out);
    sni_gmm_work_clear(&w);
  }
  sn_mat_free(&in);
  sn_mat_free(&out);
  sni_gmm_destroy(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_box *box = NULL;
  sni_am_view v;
  if (size > 1 << 20) return 0;
  unsigned char *const copy = sn_calloc_aligned(size + 1, 1);
  if (copy == NULL) return 0;
  memcpy(copy, data, size);
  if (sn_box_memory(copy, size, "fuzz", SNI_AM_MAGIC, SNI_AM_VERSION, &box,
                    NULL) == SN_OK ||
      sn_box_memory(copy, size, "fuzz", SNI_AM_MAGIC, SNI_AM_VERSION_RAGGED,
                    &box, NULL) == SN_OK) {
    if (sni_am_read(box, "fuzz", &v, NULL) == SN_OK) {
      score(&v);
      for (int32_t p = 0; p < v.shape.n_phones; p++)
        (void)sni_am_find_tri(&v, p, 0, v.shape.n_phones - 1, 1);
    }
    sn_box_destroy(box);
  }
  sn_free_aligned(copy);
  return 0;
}
