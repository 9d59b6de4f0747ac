/* SPDX-License-Identifier: Apache-2.0 */
/* train/align_adapt.h - transforms of speakers for alignment: the corpus is
 * aligned, each speaker's frames estimate an fMLLR transform of the features
 * under the pdfs that the words say, and the corpus is aligned again.
 *
 * Source: Gales 1998, "Maximum likelihood linear transformations for HMM-based
 * speech recognition", section 3.1, with a transcript that is known. */
#ifndef SN_TRAIN_ALIGN_ADAPT_H
#define SN_TRAIN_ALIGN_ADAPT_H
#include "decoder/adapt.h"
#include "train/force_align.h"
#ifdef __cplusplus
extern "C" {
#endif

/* All borrowed. */
typedef struct sn_align_job {
  const sn_am *am;
  const sn_am *first; /* of features as they are; NULL: am itself */
  const sn_lexicon *lex;
  const char *temp;          /* folder for small temporary files */
  const sn_align_opts *opts; /* NULL: the defaults */
  const sn_utt *utts;        /* [n] */
  size_t n;
  const sn_spk_cmvn *means; /* of sn_align_speakers, or NULL */
  sn_pool *pool;
  sn_log *log;
} sn_align_job;

/* Transforms by speaker, as sn_utt_speaker names them. */
typedef struct sn_spk_transforms sn_spk_transforms;

/* Aligns the corpus `passes` times, from the second on with the transforms so
 * far, and estimates the transforms of features as they come anew after each.
 * Posteriors of a pdf's Gaussians are those of the Gaussians that the
 * alignment was made with. Utterances that can not be aligned are left out.
 * Speakers with too few frames have none, and are named in a warning. The same
 * for any pool. *out is the caller's. SN_ENOMEM, SN_EIO (temporary files),
 * SN_EMISMATCH, SN_ECANCEL. */
SN_NODISCARD sn_status sn_align_adapt(const sn_align_job *job,
                                      const sn_adapt_opts *how, int32_t passes,
                                      sn_spk_transforms **out, sn_err *err);
void sn_spk_transforms_destroy(sn_spk_transforms *s); /* NULL is fine */
/* Borrowed; NULL: the speaker has none (nor has any, where s is NULL). */
const sn_transform *sn_spk_transforms_find(const sn_spk_transforms *s,
                                           const char *speaker);

/* Aligns utterance u of the job with one of its aligners: reads the recording,
 * and sets its speaker's mean and transform (NULL: none has one). Errors:
 * those of sn_aligner_run, and of recordings. */
SN_NODISCARD sn_status sn_align_utt(sn_aligner *a, const sn_spk_cmvn *means,
                                    const sn_spk_transforms *transforms,
                                    const sn_utt *u, sn_log *log,
                                    sn_alignment *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
