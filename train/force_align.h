/* SPDX-License-Identifier: Apache-2.0 */
/* train/force_align.h - when each word and phone of a known transcript is
 * said, with any acoustic model.
 *
 * The search graph of one utterance is its words in a row, each with all its
 * pronunciations, and the model's fillers (silence, noises) optional before,
 * between and behind them; the search is the decoder's. Language scale and
 * word penalty are 1 and 0: the path is the most likely one under the model.
 * The beam widens when nothing reaches the end. */
#ifndef SN_TRAIN_FORCE_ALIGN_H
#define SN_TRAIN_FORCE_ALIGN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "am/am.h"
#include "base/arena.h"
#include "base/mat.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/status.h"
#include "frontend/datadir.h"
#include "frontend/postproc.h"
#include "lexicon/lexicon.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_align_opts {
  bool keep_frames; /* also features and the pdf of each frame */
  float beam;       /* nat below the best path */
  float retry_beam; /* doubled on failure up to this */
} sn_align_opts;
extern const sn_opt sn_align_opt_table[];

/* Why there is no alignment. */
typedef enum sn_align_failure {
  SN_ALIGN_DONE,
  SN_ALIGN_NO_WORDS,  /* the transcript is empty */
  SN_ALIGN_OOV,       /* words without pronunciation: detail names them */
  SN_ALIGN_TOO_SHORT, /* fewer frames than the words' phones have states */
  SN_ALIGN_BEAM       /* nothing reached the end within retry_beam */
} sn_align_failure;

typedef struct sn_align_word {
  const char *text;
  double begin_s, end_s;
  double loglik; /* acoustic, of its frames */
} sn_align_word;

typedef struct sn_align_phone {
  const char *name;
  int32_t word; /* index in words; -1: filler */
  double begin_s, end_s;
} sn_align_phone;

/* Zeroed is empty; times from the start of the samples. */
typedef struct sn_alignment {
  sn_align_failure failure;
  const char *detail; /* one line; "" where it is done */
  sn_align_word *words;
  size_t n_words;
  sn_align_phone *phones;
  size_t n_phones;
  int64_t n_frames;
  double audio_s; /* length of the samples */
  float beam;     /* that it took */
  double loglik;  /* acoustic log-likelihood of the path */
  double margin;  /* that minus the sum of each frame's best pdf: 0 would be the
                     best of all state sequences, words or not; far below the
                     corpus's usual value a frame, the words were not said */
  const int32_t *pdfs; /* [n_frames] where keep_frames, else NULL */
  const bool *speech;  /* [n_frames] likewise: not in a filler */
  sn_mat feats;        /* [n_frames x D] likewise, not transformed */
  sn_arena memory;
} sn_alignment;
void sn_alignment_clear(sn_alignment *a); /* zeroed is fine; twice is fine */

/* One thread's; model and lexicon (grouped) are borrowed and shared. temp is a
 * folder for small temporary files. opts may be NULL. */
typedef struct sn_aligner sn_aligner;
SN_NODISCARD sn_status sn_aligner_create(const sn_am *am, const sn_lexicon *lex,
                                         const char *temp,
                                         const sn_align_opts *opts,
                                         sn_aligner **out, sn_err *err);
void sn_aligner_destroy(sn_aligner *a);         /* NULL is fine */
double sn_aligner_rate_hz(const sn_aligner *a); /* of the samples it wants */
/* Base frames of every speaker of utts [n] (an utterance without one is its
 * own), for models whose front end has cmn = speaker; of others *out is NULL,
 * and nothing is read. Recordings that cannot be read are left out: aligning
 * them says why. *out is the caller's. SN_ENOMEM, SN_ECANCEL. */
SN_NODISCARD sn_status sn_align_speakers(const sn_am *am, const sn_utt *utts,
                                         size_t n, sn_pool *pool, sn_log *log,
                                         sn_spk_cmvn **out, sn_err *err);
/* The speaker of u is that of the utterances that follow, by the means that
 * sn_align_speakers made (copied). Before the first call, and with speakers
 * NULL, each utterance is a speaker of its own. SN_ENOMEM. */
SN_NODISCARD sn_status sn_aligner_set_speaker(sn_aligner *a,
                                              const sn_spk_cmvn *speakers,
                                              const sn_utt *u, sn_err *err);
/* For the utterances that follow: features are transformed by t, and scored by
 * the aligner's model; where t is NULL they are as they are, and scored by
 * `first` (a model of the same topology, NULL: the same). Both borrowed. */
void sn_aligner_set_first(sn_aligner *a, const sn_am *first);
void sn_aligner_set_transform(sn_aligner *a, const sn_transform *t);
/* samples: n in 16-bit units. text: words separated by blanks. What is wrong
 * with the utterance is out->failure, not an error. Errors: SN_ENOMEM, SN_EIO
 * for the temporary folder, SN_EFORMAT for a sample that is no number,
 * SN_EMISMATCH for phones that the model lacks or a transform of other sizes.
 */
SN_NODISCARD sn_status sn_aligner_run(sn_aligner *a, const float *samples,
                                      size_t n, const char *text,
                                      sn_alignment *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
