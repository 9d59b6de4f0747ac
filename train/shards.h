/* SPDX-License-Identifier: Apache-2.0 */
/* train/shards.h - one pass of training in steps, for several machines: each
 * accumulates a part of the corpus into a file, the files are summed, and the
 * sum updates the model. The model is the same, bit for bit, for any parts and
 * any number of threads. */
#ifndef SN_TRAIN_SHARDS_H
#define SN_TRAIN_SHARDS_H
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_accumulate_opts {
  const char *shard; /* "i/n": part i, from 1, of n */
  int32_t jobs;
  double beam, silence; /* as in sn_train_opts */
  int32_t statistics;   /* likewise */
  const char *silence_phone;
} sn_accumulate_opts;
extern const sn_opt sn_accumulate_opt_table[];

/* What sums say; counts are of the utterances in them. */
typedef struct sn_sums_info {
  int64_t n_utts;            /* of the whole corpus */
  int64_t n_shards, n_there; /* of 32 utterances: all, in the file */
  int64_t n_aligned_frames, n_failed;
  double logp_per_frame; /* nat; NaN without frames */
} sn_sums_info;

/* Aligns part i of n of a corpus with a model that senone train made, and
 * writes the sums. Means of speakers are those of the whole corpus, of which
 * only what these speakers said is read. Warns by name of utterances left out
 * or not aligned. Errors: those of the files; SN_EARG: no such part, or another
 * kind of model; SN_EMISMATCH: phones or front end disagree. */
SN_NODISCARD sn_status sn_train_accumulate(const char *model, const char *data,
                                           const char *lexicon, const char *out,
                                           const sn_accumulate_opts *opts,
                                           sn_log *log, sn_sums_info *info,
                                           sn_err *err);

/* Adds files. SN_EMISMATCH: of different models or corpora (named); SN_EARG:
 * an utterance in two of them. */
SN_NODISCARD sn_status sn_train_sum(const char *out, const char *const *paths,
                                    size_t n, sn_sums_info *info, sn_err *err);

typedef struct sn_update_opts {
  int32_t gaussians; /* in all, after splitting; 0: none are split */
  double power, min_occ, var_floor, var_prior;
  int32_t seed; /* of splitting */
} sn_update_opts;
extern const sn_opt sn_update_opt_table[];

/* Writes the model directory out: model, updated by the sums of a whole corpus.
 * SN_EMISMATCH: sums of another model, or of a part of the corpus. */
SN_NODISCARD sn_status sn_train_update(const char *model, const char *sums,
                                       const char *out,
                                       const sn_update_opts *opts, sn_log *log,
                                       sn_sums_info *info, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
