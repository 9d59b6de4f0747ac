/* SPDX-License-Identifier: Apache-2.0 */
/* base/kaldi_pack_internal.h - Kaldi's compressed matrices, as bytes. */
#ifndef SN_BASE_KALDI_PACK_INTERNAL_H
#define SN_BASE_KALDI_PACK_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The three layouts, by the token that stands before them. */
typedef enum sni_packing {
  SNI_PACK_CM,  /* 8 bits, four quantiles per column, column by column */
  SNI_PACK_CM2, /* 16 bits over the matrix's range */
  SNI_PACK_CM3  /* 8 bits over the matrix's range */
} sni_packing;

/* What follows the token, 16 bytes, little-endian. */
typedef struct sni_pack_header {
  float min_value, range;
  int32_t rows, cols;
} sni_pack_header;

/* Bytes after the header; rows * cols must not overflow. */
size_t sni_pack_bytes(sni_packing p, size_t rows, size_t cols);
/* m [rows x cols], all finite; fills h and the bytes. `column` is scratch,
 * [rows]. */
void sni_pack(sni_packing p, sn_cmat m, sni_pack_header *h,
              unsigned char *bytes, float *column);
void sni_unpack(sni_packing p, const sni_pack_header *h,
                const unsigned char *bytes, sn_mat m);
#ifdef __cplusplus
}
#endif
#endif
