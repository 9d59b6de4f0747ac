/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/kept_internal.h - which links and nodes pruning keeps. Four of five
 * go and nothing tells which, so these loops have no branch; where the
 * processor can, they take four at a time. The results are the same. */
#ifndef SN_DECODER_KEPT_INTERNAL_H
#define SN_DECODER_KEPT_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "decoder/links_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Writers may write so many elements behind the last one they count. */
#define SNI_KEPT_PAD 4

typedef struct sni_kept_kernels {
  /* I  links [n], limit [nodes they lead to]
   * O  which [n + SNI_KEPT_PAD]: those with cost - limit[to] <= beam, ascending
   * Returns how many. */
  size_t (*links)(const sni_link *links, size_t n, const float *limit,
                  float beam, int32_t *which);
  /* I  extra [n]
   * O  which [n + SNI_KEPT_PAD]: those with extra <= beam, ascending */
  size_t (*nodes)(const float *extra, size_t n, float beam, int32_t *which);
} sni_kept_kernels;

extern const sni_kept_kernels sni_kept_plain;
/* The quickest that this processor has. */
const sni_kept_kernels *sni_kept_choose(void);
#ifdef __cplusplus
}
#endif
#endif
