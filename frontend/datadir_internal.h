/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/datadir_internal.h - a data directory from byte sources, for tests
 * and fuzzing. */
#ifndef SN_FRONTEND_DATADIR_INTERNAL_H
#define SN_FRONTEND_DATADIR_INTERNAL_H
#include <stdbool.h>

#include "base/io.h"
#include "frontend/datadir.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_datadir_files {
  sn_reader *wav_scp;                   /* needed */
  sn_reader *segments, *text, *utt2spk; /* NULL: not there */
  const char *corpus; /* what relative paths belong to: "" or "dir/" */
  bool check_paths;   /* whether recordings must exist */
} sni_datadir_files;

SN_NODISCARD sn_status sni_datadir_parse(const sni_datadir_files *f,
                                         sn_log *log, sn_datadir *out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
