/* SPDX-License-Identifier: Apache-2.0 */
/* train/train.h - acoustic models from recordings and their words.
 *
 * Each stage goes over the corpus in passes: shards of 32 utterances are
 * accumulated by the threads, added along a fixed tree, and the model is
 * updated. The result does not depend on the number of threads. A stage's
 * folder EXP/STAGE is a model directory with a train.json; a stage that has
 * both is not done again, one that was stopped goes on after its last pass
 * (EXP/STAGE/checkpoint.bin). */
#ifndef SN_TRAIN_TRAIN_H
#define SN_TRAIN_TRAIN_H
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_statistics {
  SN_STATISTICS_VITERBI,   /* of the best path, found anew at some passes */
  SN_STATISTICS_BAUM_WELCH /* of all paths, each pass */
} sn_statistics;

typedef struct sn_train_opts {
  int32_t jobs;                    /* threads; 0: as many as the machine has */
  int32_t mono_gauss, mono_passes; /* Gaussians in all, passes */
  int32_t tri_leaves, tri_gauss, tri_passes;
  int32_t lda_context, lda_dim; /* frames on each side; dimensions kept */
  int32_t lda_leaves, lda_gauss, lda_passes;
  int32_t sat_leaves, sat_gauss, sat_passes;
  double sat_min_frames; /* of speech that a speaker's transform takes */
  int32_t roots;         /* sn_tree_roots */
  int32_t statistics;    /* sn_statistics */
  double power;   /* Gaussians of a pdf grow as its frames to this power */
  double beam;    /* nat, of the alignment; widened fourfold once */
  double silence; /* probability of silence between words */
  bool estimate_silence; /* into model.ini, as aligned; else `silence` */
  double min_occ;        /* frames that keep a Gaussian */
  double var_floor;
  double var_prior;              /* frames of the average variance of a pdf */
  double lm_scale, word_penalty; /* into model.ini */
  bool word_pos;                 /* whether trees may ask for word positions */
  bool check_transcripts;        /* ends where they do not fit */
  const char *silence_phone;
  double sample_rate; /* Hz, of the features; recordings are resampled */
  const char *speed;  /* "0.9,1,1.1": each utterance at each of these speeds */
} sn_train_opts;
extern const sn_opt sn_train_opt_table[];

/* A stage of senone train ("mono", "tri", "lda", "sat"), or all of them in
 * order (NULL). data: a data directory with text (and utt2spk); lexicon: any
 * that sn_lexicon_load reads; exp: the folder of all stages, from which a stage
 * takes those before it. opts may be NULL. Errors: those of the files; SN_EARG:
 * no such stage; SN_EMISMATCH: no utterance can be used, the transcripts do not
 * fit the recordings (with figures); SN_ECANCEL. */
SN_NODISCARD sn_status sn_train(const char *stage, const char *data,
                                const char *lexicon, const char *exp,
                                const sn_train_opts *opts, sn_log *log,
                                sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
