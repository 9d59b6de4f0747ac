/* SPDX-License-Identifier: Apache-2.0 */
/* train/train_internal.h - the corpus in memory, utterance graphs, alignments
 * and passes. */
#ifndef SN_TRAIN_TRAIN_INTERNAL_H
#define SN_TRAIN_TRAIN_INTERNAL_H
#include "am/mixtures.h"
#include "am/tree.h"
#include "base/arena.h"
#include "base/arr.h"
#include "base/pool.h"
#include "frontend/datadir.h"
#include "lexicon/lexicon.h"
#include "train/sums_internal.h"
#include "train/train.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { SNI_STATES = 3, SNI_SHARD = 32 };

/* One phone of an alignment: state s lasts from begin[s] to begin[s + 1]. */
typedef struct sni_seg {
  int32_t phone, left, right; /* contexts: neighbours, silence at the edges */
  int32_t pos;                /* sn_wordpos */
  int32_t word;               /* which of the utterance's; -1: silence */
  int32_t pron;               /* in the lexicon; -1 */
  int32_t begin[SNI_STATES + 1];
} sni_seg;

typedef struct sni_utt {
  const sn_utt *from;
  const char *id, *speaker; /* speaker: its own id where none is known */
  double speed;             /* at which the recording is played */
  int32_t *words;           /* owned */
  size_t n_words;
  sn_mat base;  /* owned; [T x base_dim], less the speaker's mean */
  sn_mat feats; /* owned; [T x dim], of these, as sni_corpus_form makes them */
  SN_ARR(sni_seg) segs;
  double logp; /* of the last alignment */
  bool failed; /* the last alignment */
  bool idle;   /* not looked at: no features */
} sni_utt;

/* What is made of base frames: deltas, then frames side by side, then a
 * matrix (empty: none), [dim x D] or, affine, [dim x (D + 1)]. */
typedef struct sni_form {
  int32_t deltas, window, left, right;
  sn_cmat matrix;
} sni_form;

typedef struct sni_corpus {
  sn_datadir dir;
  sn_lexicon lex;
  int32_t n_phones; /* 0 is silence; phone p + 1 is p of the lexicon */
  const char **phones;
  sn_arena names; /* of utterances and speakers at other speeds */
  sni_utt *utts;  /* those that can be used */
  size_t n, n_left_out;
  sn_str left_out;      /* ids, separated by blanks */
  sn_feat_config *feat; /* how feats are made, but for the matrix */
  sn_mat transform;     /* owned; the matrix, or empty */
  size_t base_dim, dim;
  sni_form form; /* how feats are made; its matrix is transform */
} sni_corpus;
SN_NODISCARD sn_status sni_corpus_load(const char *data, const char *lexicon,
                                       const sn_train_opts *o, sn_pool *pool,
                                       sn_log *log, sni_corpus *c, sn_err *err);
void sni_corpus_clear(sni_corpus *c);
/* Parts of sni_corpus_load: words and phones; every utterance once for each
 * speed of a list (sn_train_opts), those of the first speed first; base and,
 * with deltas of two orders, feats. */
SN_NODISCARD sn_status sni_corpus_load_words(const char *data,
                                             const char *lexicon,
                                             const sn_train_opts *o,
                                             sn_log *log, sni_corpus *c,
                                             sn_err *err);
SN_NODISCARD sn_status sni_corpus_perturb(sni_corpus *c, const char *list,
                                          sn_err *err);
SN_NODISCARD sn_status sni_corpus_feats(sni_corpus *c, double rate_hz,
                                        sn_pool *pool, sn_log *log,
                                        sn_err *err);

/* feats and dim anew; c->feat and c->transform follow. */
SN_NODISCARD sn_status sni_corpus_form(sni_corpus *c, const sni_form *f,
                                       sn_pool *pool, sn_err *err);
/* Between the two: utterances [first, end) matter, and what their speakers
 * said elsewhere, for its mean; others are idle. */
SN_NODISCARD sn_status sni_corpus_only(sni_corpus *c, size_t first, size_t end,
                                       sn_err *err);
/* The matrix of a front end, [0 x 0] where it has none. */
SN_NODISCARD sn_status sni_feat_matrix(const sn_feat_config *feat, sn_mat *out,
                                       sn_err *err);
/* feats as a model's front end makes them, except for the mean, which is
 * always the speaker's. SN_EMISMATCH: base frames of other settings. */
SN_NODISCARD sn_status sni_corpus_like(sni_corpus *c,
                                       const sn_feat_config *feat,
                                       sn_pool *pool, sn_err *err);

/* HMMs by context; transition matrices are those of the phones. */
typedef struct sni_tied {
  int32_t n_phones, n_hmms, n_pdfs;
  int32_t *base_hmm, *hmm_pdfs, *hmm_tmat;
  int32_t *triphone; /* [4 P^3] or NULL */
  float *tmats;      /* [P x S x (S + 1)] */
} sni_tied;
void sni_tied_clear(sni_tied *t);
SN_NODISCARD sn_status sni_tied_mono(int32_t n_phones, sni_tied *t,
                                     sn_err *err);
SN_NODISCARD sn_status sni_tied_tree(const sn_tree *tree, const sni_tied *from,
                                     sni_tied *t, sn_err *err);
SN_NODISCARD sn_status sni_tied_load(const sn_am *am, sni_tied *t, sn_err *err);
/* What a model directory says of phones, HMMs and transitions; borrowed. The
 * rest of the parts is zero. */
sn_am_parts sni_tied_parts(const sni_tied *t);
int32_t sni_tied_hmm(const sni_tied *t, const sni_seg *seg);

/* A speaker's transform of features, [dim x (dim + 1)]. */
typedef struct sni_transform {
  sn_mat w; /* owned */
  bool estimated;
} sni_transform;

/* A state of training. */
typedef struct sni_trainer {
  sni_corpus *corpus;
  const sn_train_opts *o;
  sni_tied tied;
  sn_mixtures mix;
  const sn_mixtures *first; /* of the first pass of decoding; NULL: mix */
  sn_mix_tables *tables;
  sn_pool *pool;
  sn_log *log;
  double *occ; /* [N] frames of each pdf at the last update */
  sn_str json; /* passes so far, for train.json */
  sn_str tree; /* tree.json; empty: no trees */
  SN_ARR(sni_transform) speakers; /* by first appearance; of stage sat */
  sn_arr_i32 resumed; /* the passes after which a killed run went on */
  uint32_t identity;  /* of the run: see checkpoint_internal.h */
  const char *stage;
} sni_trainer;

/* Aligns: segs, logp and failed of u. words: the utterance's or, to compare,
 * another's; out may be NULL (the likelihood alone). */
SN_NODISCARD sn_status sni_align(const sni_trainer *t, sni_utt *u,
                                 const int32_t *words, size_t n_words,
                                 double *logp, bool keep, sn_err *err);
/* Adds to p the sums of u over all paths through its words, posteriors by its
 * features, sums of `sums_of` (the same, or others of as many frames).
 * *logp: of all paths; -inf: there is none, and p is as it was.
 * p->mix.logp grows by it. */
SN_NODISCARD sn_status sni_baum_welch(const sni_trainer *t, const sni_utt *u,
                                      sn_mat sums_of, sni_part *p, double *logp,
                                      sn_err *err);
/* First pronunciations between two silences, states of equal length. */
SN_NODISCARD sn_status sni_align_flat(const sni_trainer *t, sni_utt *u,
                                      sn_err *err);

typedef enum sni_realign { SNI_KEEP, SNI_FLAT, SNI_VITERBI } sni_realign;
/* One pass: (align,) accumulate, update; to `target` Gaussians. */
SN_NODISCARD sn_status sni_pass(sni_trainer *t, int pass, sni_realign how,
                                size_t target, double min_occ, sn_err *err);
/* Aligns and accumulates shards [first, end) of the corpus. *out is the
 * caller's, also on failure. */
SN_NODISCARD sn_status sni_accumulate_shards(sni_trainer *t, size_t first,
                                             size_t end, sni_sums *out,
                                             sn_err *err);
/* Adds an aligned utterance to p: posteriors by its features, sums of `sums_of`
 * (the same, or others of as many frames). */
void sni_accumulate(const sni_trainer *t, const sni_utt *u, sn_mat sums_of,
                    sni_part *p);
/* Transitions of phones that were seen. */
void sni_update_tmats(sni_trainer *t, const sni_part *p);
/* The alignments alone. */
SN_NODISCARD sn_status sni_realign_all(sni_trainer *t, sn_err *err);
/* The Gaussians of t->mix over other features: posteriors come from the
 * corpus's features and t->mix, sums from plain [utterances]. One that was not
 * seen stays what it is. *out is the caller's. */
SN_NODISCARD sn_status sni_pass_plain(sni_trainer *t, const sn_mat *plain,
                                      sn_mixtures *out, sn_err *err);
SN_NODISCARD sn_status sni_tables(sni_trainer *t, sn_err *err);
/* Whether the transcripts fit, by alignments that are there, of a model with
 * one Gaussian for each pdf: SN_EMISMATCH with figures. SN_ECANCEL. */
SN_NODISCARD sn_status sni_check_fit(sni_trainer *t, sn_err *err);

SN_NODISCARD sn_status sni_stage_path(const char *exp, const char *stage,
                                      const char *file, char **out,
                                      sn_err *err);
/* *done: model.ini and train.json are there. */
SN_NODISCARD sn_status sni_stage_done(const char *exp, const char *stage,
                                      sn_log *log, bool *done, sn_err *err);
/* SN_EARG: the features of model directory dir are adapted to speakers. */
SN_NODISCARD sn_status sni_check_plain(const char *dir, sn_err *err);
SN_NODISCARD sn_status sni_stage_write(sni_trainer *t, const char *exp,
                                       sn_err *err);
/* Silence between words, as aligned, and its smoothed probability. */
typedef struct sni_silence {
  int64_t n_places, n_silent;
  double probability;
} sni_silence;
sni_silence sni_count_silence(const sni_corpus *c);
/* The lexicon with probabilities as aligned: pron_probs.c. *out is the
 * caller's, grouped; empty on failure. */
SN_NODISCARD sn_status sni_pron_probs(const sni_corpus *c, sn_lexicon *out,
                                      sn_err *err);
/* The same as EXP/STAGE/lexiconp.txt. */
SN_NODISCARD sn_status sni_pron_probs_write(const sni_trainer *t,
                                            const char *exp, sn_err *err);
/* SN_EMISMATCH: the model of folder `dir` has other phones. */
SN_NODISCARD sn_status sni_same_phones(const sni_corpus *c, const sn_am *am,
                                       const char *dir, sn_err *err);
/* Tying and Gaussians of EXP/stage; phones must be those of the corpus. */
SN_NODISCARD sn_status sni_stage_load(sni_trainer *t, const char *exp,
                                      const char *stage, sn_err *err);
/* What EXP/STAGE/checkpoint.bin says, where it is of this run: model,
 * alignments, features, and the pass it was written after; else *pass is 0. */
SN_NODISCARD sn_status sni_resume(sni_trainer *t, const char *exp, int *pass,
                                  sn_err *err);
SN_NODISCARD sn_status sni_checkpoint_write(const sni_trainer *t,
                                            const char *exp, int pass,
                                            sn_err *err);
void sni_checkpoint_remove(const sni_trainer *t, const char *exp);
/* Gaussians wanted after pass n of n_passes: growing to three quarters. */
size_t sni_target_at(size_t from, size_t to, int n, int n_passes);
/* A tree of the corpus as it is aligned, at most max_leaves; its tying, and one
 * Gaussian for each leaf. */
SN_NODISCARD sn_status sni_plant(sni_trainer *t, int32_t max_leaves,
                                 sn_err *err);

/* The stages, each in a file of its own. */
SN_NODISCARD sn_status sni_run_mono(sni_trainer *t, const char *exp,
                                    sn_err *err);
SN_NODISCARD sn_status sni_run_tri(sni_trainer *t, const char *exp,
                                   sn_err *err);
SN_NODISCARD sn_status sni_run_lda(sni_trainer *t, const char *exp,
                                   sn_err *err);
SN_NODISCARD sn_status sni_run_sat(sni_trainer *t, const char *exp,
                                   sn_err *err);
void sni_trainer_clear(sni_trainer *t);
#ifdef __cplusplus
}
#endif
#endif
