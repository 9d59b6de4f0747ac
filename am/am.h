/* SPDX-License-Identifier: Apache-2.0 */
/* am/am.h - acoustic models as the graph builder and the decoder see them.
 *
 * A model maps a triphone (base, left, right, word position) to an HMM: a
 * number of emitting states, each with a pdf (a senone), and a transition
 * matrix. Scoring goes through base/scorer.h. What is behind (Gaussians tied
 * in whatever way, networks) is private to am/. Immutable after load. */
#ifndef SN_AM_AM_H
#define SN_AM_AM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/mat.h"
#include "base/opt.h"
#include "base/scorer.h"
#include "base/status.h"
#include "frontend/feat.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_am sn_am;

/* Opens a model directory (docs/model.md). */
SN_NODISCARD sn_status sn_am_load(const char *dir, sn_log *log, sn_am **out,
                                  sn_err *err);
/* The same with the Gaussians that [files] NAME names in place of "am"; *out
 * NULL, and SN_OK, where model.ini has no such entry. SN_EMISMATCH: its phones,
 * HMMs or pdfs are others than those of `like` (may be NULL). */
SN_NODISCARD sn_status sn_am_load_part(const char *dir, const char *name,
                                       const sn_am *like, sn_log *log,
                                       sn_am **out, sn_err *err);
void sn_am_destroy(sn_am *am);

/* Front-end settings; borrowed. */
const sn_feat_config *sn_am_feat(const sn_am *am);
const char *sn_am_name(const sn_am *am);

/* ---- Phones ---- */
typedef enum sn_wordpos {
  SN_POS_INTERNAL,
  SN_POS_BEGIN,
  SN_POS_END,
  SN_POS_SINGLE,
  SN_N_POS
} sn_wordpos;

int32_t sn_am_n_phones(const sn_am *am);
const char *sn_am_phone(const sn_am *am, int32_t phone);
int32_t sn_am_find_phone(const sn_am *am, const char *name); /* or -1 */
bool sn_am_is_filler(const sn_am *am, int32_t phone);
int32_t sn_am_silence(const sn_am *am); /* phone id */

/* ---- HMMs ---- */
/* Distinct HMMs (a sequence of pdfs with a transition matrix), dense ids. */
typedef struct sn_hmm {
  int32_t n_states;    /* S, emitting */
  const int32_t *pdfs; /* [S] */
  const float *logp;   /* [S x (S+1)]: from state i to j; column S is the
                          exit. Natural log; -INFINITY where there is none.
                          State 0 is entered at no cost. */
} sn_hmm;

int32_t sn_am_n_pdfs(const sn_am *am);
int32_t sn_am_n_hmms(const sn_am *am);
sn_hmm sn_am_hmm(const sn_am *am, int32_t hmm);

/* HMM of `base` between left and right at a word position. A filler as a
 * context counts as silence; contexts -1 (utterance edge) too. Missing
 * triphones back off as docs/model.md tells; *backoff (may be NULL) gets the
 * class, an sn_am_backoff. Never fails for phones in range. */
typedef enum sn_am_backoff {
  SN_BACKOFF_EXACT,
  SN_BACKOFF_POSITION, /* other word position */
  SN_BACKOFF_EDGE,     /* outer context replaced by silence */
  SN_BACKOFF_BASE,     /* context-independent phone */
  SN_N_BACKOFF
} sn_am_backoff;
int32_t sn_am_triphone(const sn_am *am, int32_t base, int32_t left,
                       int32_t right, sn_wordpos pos, sn_am_backoff *backoff);
/* Context-independent HMM. */
int32_t sn_am_monophone(const sn_am *am, int32_t base);

/* ---- Fillers: silence and noises that may stand between words ---- */
typedef struct sn_am_filler {
  const char *word; /* "<sil>", "[NOISE]" */
  int32_t phone;
  float logp; /* natural log probability of taking it */
} sn_am_filler;
int32_t sn_am_n_fillers(const sn_am *am);
sn_am_filler sn_am_filler_at(const sn_am *am, int32_t i);

/* Default language scale, word insertion log-probability and decoding
 * settings, from model.ini [decode]. */
typedef struct sn_am_scales {
  double lm_scale;     /* multiplies LM log-probabilities only */
  double word_penalty; /* natural log, added per word, not scaled */
} sn_am_scales;
sn_am_scales sn_am_default_scales(const sn_am *am);

/* ---- What it is, for reports ---- */
typedef enum sn_am_kind {
  SN_AM_CONTINUOUS, /* each pdf has Gaussians of its own */
  SN_AM_SEMI,       /* all pdfs share one codebook of Gaussians */
  SN_AM_PTM         /* the pdfs of a phone share one codebook */
} sn_am_kind;
const char *sn_am_kind_name(sn_am_kind kind); /* "continuous", ... */

typedef struct sn_am_info {
  sn_am_kind kind;
  int32_t n_phones, n_fillers; /* of these, filler phones */
  int32_t n_triphones, n_hmms, n_states, n_tmats, n_pdfs;
  int32_t n_codebooks, n_streams, n_gauss; /* Gaussians a codebook, stream */
  int64_t n_all_gauss;                     /* in the whole model; n_gauss is
                                              the most a pdf has where their
                                              number varies */
  int32_t dim;                             /* of a feature vector */
  int32_t top_n;   /* Gaussians of a codebook and stream that count; 0: all */
  double clip_nat; /* densities at most this far below the best; +INFINITY:
                      not clipped */
} sn_am_info;
sn_am_info sn_am_get_info(const sn_am *am);
/* Front-end dimensions of stream s; *n of them; borrowed. */
const int32_t *sn_am_stream_dims(const sn_am *am, int32_t s, int32_t *n);
/* CRC-32 of what a search graph depends on (phones, HMMs, pdfs, transitions):
 * the same for two models exactly when one's graph can be searched with the
 * other's scores. */
uint32_t sn_am_topology_crc(const sn_am *am);

/* ---- Import ---- */
typedef struct sn_am_import_opts {
  const char *name; /* "": base name of the Sphinx directory */
  double var_floor, mixw_floor, tmat_floor;
  int32_t top_n;
  double sil_prob, fill_prob;     /* of fillers: silence, noises */
  double lm_scale, word_ins_prob; /* defaults for [decode] */
} sn_am_import_opts;
extern const sn_opt sn_am_import_opt_table[];

/* Makes a model directory of an acoustic model of CMU Sphinx: mdef (text or
 * binary), means, variances, mixture_weights or sendump, transition_matrices,
 * feat.params, noisedict (optional), senmgau (optional). opts may be NULL.
 * Errors: SN_EIO a file is missing or unreadable (named); SN_EFORMAT with
 * file, field and offset; SN_EMISMATCH two files disagree, with both numbers.
 * Source: cmusphinx/sphinxbase bio.c; cmusphinx/pocketsphinx bin_mdef.c,
 * mdef.c, ms_gauden.c, ms_senone.c, ptm_mgau.c, s2_semi_mgau.c, tmat.c. */
SN_NODISCARD sn_status sn_am_import_sphinx(const char *sphinx_dir,
                                           const char *out_dir,
                                           const sn_am_import_opts *opts,
                                           sn_log *log, sn_err *err);

/* ---- Scoring ---- */
/* A scorer fed from a feature stream (decoder side pulls; it pulls frames from
 * `feats`, borrowed, as they come). */
SN_NODISCARD sn_status sn_am_scorer_create(const sn_am *am,
                                           sn_feat_stream *feats,
                                           sn_scorer **out, sn_err *err);
/* Ready for the next utterance, after the feature stream was reset; s must be
 * one of sn_am_scorer_create's. */
void sn_am_scorer_reset(sn_scorer *s);
/* For frames from now on, before the first of an utterance: scored after t
 * [dim x dim] or [dim x (dim + 1)], borrowed while the scorer is used; NULL:
 * as they are. SN_EMISMATCH: t has other sizes; SN_ENOMEM. */
SN_NODISCARD sn_status sn_am_scorer_set_transform(sn_scorer *s,
                                                  const sn_transform *t,
                                                  sn_err *err);
/* Whether the frames of an utterance are kept as they come from the feature
 * stream (not transformed), all of them, [n x dim], until the next reset; the
 * view is borrowed until the scorer is used again. */
void sn_am_scorer_keep(sn_scorer *s, bool keeps);
sn_cmat sn_am_scorer_kept(const sn_scorer *s);
/* Scores of given frames at once (tests, alignment). feats: [T x D] final
 * features; out: [T x n_pdfs] natural-log likelihoods. */
SN_NODISCARD sn_status sn_am_score_block(const sn_am *am, sn_cmat feats,
                                         sn_mat out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
