/* SPDX-License-Identifier: Apache-2.0 */
/* Means and variances, weights, transitions, codebook maps and dumps of
 * Sphinx. */
#include "am/sphinx_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sni_s3_gauss g;
  sni_s3_mixw w;
  sni_s3_tmat t;
  sni_s3_map m;
  sni_sendump d;
  if (sni_s3_gauss_read(data, size, "fuzz", &g, NULL) == SN_OK)
    sni_s3_gauss_clear(&g);
  if (sni_s3_mixw_read(data, size, "fuzz", &w, NULL) == SN_OK)
    sni_s3_mixw_clear(&w);
  if (sni_s3_tmat_read(data, size, "fuzz", &t, NULL) == SN_OK)
    sni_s3_tmat_clear(&t);
  if (sni_s3_map_read(data, size, "fuzz", &m, NULL) == SN_OK)
    sni_s3_map_clear(&m);
  if (sni_sendump_read(data, size, "fuzz", 3, 8, 15, &d, NULL) == SN_OK)
    sni_sendump_clear(&d);
  return 0;
}
