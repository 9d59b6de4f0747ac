/* SPDX-License-Identifier: Apache-2.0 */
/* train/map_train.h - adapts a model to a corpus, by MAP or MLLR: align,
 * accumulate, update. */
#ifndef SN_TRAIN_MAP_TRAIN_H
#define SN_TRAIN_MAP_TRAIN_H
#include "am/map.h"
#include "am/mllr.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/status.h"
#include "frontend/datadir.h"
#include "lexicon/lexicon.h"
#include "train/force_align.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_map_job {
  const char *model_dir; /* the model that is adapted */
  const sn_lexicon *lex; /* grouped */
  const sn_datadir *data;
  sn_align_opts align;
  sn_map_opts map;
  const sn_mllr_opts *mllr; /* NULL: MAP; else map does not matter */
  const char *temp;         /* folder for small temporary files */
  double max_failed;        /* share of utterances that may fail */
  sn_pool *pool;            /* may be NULL */
  sn_log *log;              /* names utterances that fail; may be NULL */
} sn_map_job;

typedef struct sn_map_result {
  int64_t n_used, n_failed, n_frames;
  double loglik, margin; /* a frame, of the old model: see sn_alignment */
  sn_map_report update;
  sn_mllr_report mllr;
} sn_map_result;

/* Writes a model directory: am.bin with the new Gaussians, and a model.ini
 * that names the old model's graph, lexicon and other files. The result does
 * not depend on the pool's threads. Errors: SN_EMISMATCH when more than
 * max_failed of the utterances can not be aligned (nothing is written), SN_EARG
 * for the model's own folder, SN_EIO, SN_ECANCEL. */
SN_NODISCARD sn_status sn_map_train(const sn_map_job *job, const char *out_dir,
                                    sn_map_result *result, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
