/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/output_internal.h - shared by the output formats. */
#ifndef SN_DECODER_OUTPUT_INTERNAL_H
#define SN_DECODER_OUTPUT_INTERNAL_H
#include "decoder/output.h"
#ifdef __cplusplus
extern "C" {
#endif

/* x with that many decimals (at most 6), rounded, "." whatever the locale. */
SN_NODISCARD sn_status sni_out_number(sn_str *out, double x, int decimals,
                                      sn_err *err);
SN_NODISCARD sn_status sni_out_json(const sn_out_utt *u, sn_str *out,
                                    sn_err *err);
SN_NODISCARD sn_status sni_out_subtitles(sn_out_format f, const sn_out_utt *u,
                                         sn_str *out, sn_err *err);
SN_NODISCARD sn_status sni_out_textgrid(const sn_out_utt *u, sn_str *out,
                                        sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
