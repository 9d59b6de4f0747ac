/* SPDX-License-Identifier: Apache-2.0 */
/* train/checkpoint_internal.h - where a stage stands after a pass, in
 * EXP/STAGE/checkpoint.bin, so that a run that was killed goes on from there
 * and makes the model that it would have made. */
#ifndef SN_TRAIN_CHECKPOINT_INTERNAL_H
#define SN_TRAIN_CHECKPOINT_INTERNAL_H
#include "base/io.h"
#include "train/train_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SNI_CHECKPOINT_MAGIC "SNTRAIN"
#define SNI_CHECKPOINT_VERSION 1u

/* Section "shape". */
typedef struct sni_checkpoint_shape {
  int64_t pass;
  int64_t identity; /* sni_run_identity */
  int64_t n_phones, n_hmms, n_pdfs, is_tri;
  int64_t n_gauss, dim;
  int64_t deltas, window, left, right; /* how features are made */
  int64_t rows, cols;                  /* the matrix; 0 x 0: none */
  int64_t n_utts, n_segs, n_speakers, n_json, n_tree, n_resumed;
} sni_checkpoint_shape;

/* A file's arrays, borrowed from the container. */
typedef struct sni_checkpoint {
  sni_checkpoint_shape shape;
  const int32_t *base_hmm, *hmm_pdfs, *hmm_tmat, *triphone;
  const float *tmats;
  const int32_t *first; /* [n_pdfs + 1] */
  const float *weights, *means, *vars;
  const double *occ;     /* [n_pdfs] */
  const float *matrix;   /* [rows x cols] */
  const int32_t *n_segs; /* [utterances] */
  const int32_t *failed; /* [utterances] */
  const double *logps;   /* [utterances] */
  const sni_seg *segs;
  const float *speakers;    /* [n_speakers x dim x (dim + 1)] */
  const int32_t *estimated; /* [n_speakers] */
  const char *json, *tree;
  const int32_t *resumed;
} sni_checkpoint;
/* Checks every count, index and number. SN_EFORMAT. */
SN_NODISCARD sn_status sni_checkpoint_read(sn_box *box, const char *name,
                                           sni_checkpoint *c, sn_err *err);

/* CRC-32 of what alignments and sums of this corpus depend on: ids, speakers,
 * words and, with_frames, features before deltas. */
uint32_t sni_corpus_crc(const sni_corpus *c, bool with_frames);
/* The same of a whole run of a stage: corpus, lexicon, options, the model of
 * the stage before (NULL: none). */
SN_NODISCARD sn_status sni_run_identity(const sni_trainer *t, const char *exp,
                                        const char *before, uint32_t *out,
                                        sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
