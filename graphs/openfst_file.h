/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/openfst_file.h - graphs that other toolkits wrote with OpenFst, as
 * plain arrays: "vector" and "const" files of "standard" (tropical) arcs.
 *
 * Read byte by byte rather than through OpenFst, which ends the process on some
 * damage and believes the sizes and state numbers of the file.
 * Source: OpenFst 1.7.9, fst/fst.h (FstHeader), vector-fst.h, const-fst.h,
 * symbol-table.h. */
#ifndef SN_GRAPHS_OPENFST_FILE_H
#define SN_GRAPHS_OPENFST_FILE_H
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_fst_file_arc {
  int32_t input, output; /* labels; 0: epsilon */
  float cost;
  int32_t next;
} sn_fst_file_arc;

/* Zeroed is empty; owned by the caller. All state numbers have been checked;
 * costs are not NaN; labels are >= 0. */
typedef struct sn_fst_file {
  SN_ARR(sn_fst_file_arc) arcs; /* by state */
  SN_ARR(int64_t) first;        /* [n_states + 1] in arcs */
  sn_arr_f32 finals;            /* [n_states]; +INFINITY: not final */
  int32_t n_states, start;      /* start -1: empty */
} sn_fst_file;

/* Embedded symbol tables are passed over. SN_EFORMAT names field and offset. */
SN_NODISCARD sn_status sn_fst_file_load(const char *path, sn_fst_file *out,
                                        sn_err *err);
SN_NODISCARD sn_status sn_fst_file_read(sn_reader *r, sn_fst_file *out,
                                        sn_err *err);
void sn_fst_file_clear(sn_fst_file *f);
#ifdef __cplusplus
}
#endif
#endif
