/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/feat_config_internal.h - the parts of an sn_feat_config. */
#ifndef SN_FRONTEND_FEAT_CONFIG_INTERNAL_H
#define SN_FRONTEND_FEAT_CONFIG_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/opt.h"
#include "frontend/feat.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sni_post_cmn {
  SNI_POST_CMN_NONE,
  SNI_POST_CMN_UTTERANCE,
  SNI_POST_CMN_SLIDING,
  SNI_POST_CMN_SPEAKER
} sni_post_cmn;

/* Kaldi dialect: what follows the base frames, in this order: CMVN, deltas,
 * splicing, transform. The defaults do nothing. */
typedef struct sni_post_opts {
  int32_t cmn; /* sni_post_cmn */
  bool norm_means, norm_vars, center;
  int32_t cmn_window, min_cmn_window;
  int32_t delta_order, delta_window, left_context, right_context;
  const char *transform;
} sni_post_opts;

extern const sn_opt sni_post_opt_table[];
const sni_post_opts *sni_feat_config_post(const sn_feat_config *c);

/* As sn_feat_config_read_params, from a reader (tests, fuzzing). */
sn_status sni_feat_config_read(sn_feat_config *c, sn_reader *r, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
