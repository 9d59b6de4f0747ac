/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_align_internal.h - where words begin and end by their phones. */
#ifndef SN_DECODER_LAT_ALIGN_INTERNAL_H
#define SN_DECODER_LAT_ALIGN_INTERNAL_H
#include <stdbool.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sni_boundary {
  SNI_NO_BOUNDARY,
  SNI_ENDS,  /* a word ends here, if there was one, and none begins */
  SNI_BEGINS /* one begins here; the one before, if any, ends */
} sni_boundary;

/* What entering a label (its character in SN_LAT_META_LABELS) does; *in_word
 * tells whether a word goes on, before and after. */
sni_boundary sni_boundary_of(char label, bool *in_word);
/* Whether labels tell where in a word they are. */
bool sni_have_positions(const char *labels);
#ifdef __cplusplus
}
#endif
#endif
