/* SPDX-License-Identifier: Apache-2.0 */
/* score/confidence.h - how far confidences of words can be trusted, and a small
 * logistic model that makes probabilities of posteriors. */
#ifndef SN_SCORE_CONFIDENCE_H
#define SN_SCORE_CONFIDENCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What the model looks at: a constant; the word's posterior and the mean of its
 * neighbours' (the word's own where it has none), both as log odds; natural log
 * of its duration in seconds, and of its letters. */
enum { SN_CONF_N = 5 };
typedef struct sn_conf_model {
  double weights[SN_CONF_N];
} sn_conf_model;

typedef struct sn_conf_word {
  double posterior; /* 0 to 1; below 0: not known */
  double duration_s;
  int32_t n_letters;
} sn_conf_word;

/* Code points of a spelling (UTF-8), without the number of word(2). */
int32_t sn_conf_letters(sn_span word);

/* x [out] of word i of an utterance's n words. Posteriors are held within
 * [1e-4, 1 - 1e-4]: what four printed digits can tell apart. */
void sn_conf_features(const sn_conf_word *words, size_t n, size_t i,
                      double x[SN_CONF_N]);

/* The probability, 0 to 1, that a word with these features is right. */
double sn_conf_apply(const sn_conf_model *m, const double x[SN_CONF_N]);

/* Maximum likelihood with a Gaussian prior (variance 1) on all weights but the
 * constant, by Newton's method with halved steps.
 * x      [in] [n] features
 * right  [in] [n] whether the word is right
 * Errors: SN_EARG for fewer than 50 words, or words that are all right or all
 * wrong; SN_ENOMEM. Source: McCullagh and Nelder 1989, section 4.4. */
SN_NODISCARD sn_status sn_conf_fit(const double (*x)[SN_CONF_N],
                                   const bool *right, size_t n,
                                   sn_conf_model *out, sn_err *err);

/* Section [confidence]. *found: whether it is there; then every weight must be
 * (SN_EFORMAT). */
SN_NODISCARD sn_status sn_conf_from_ini(const sn_ini *ini, sn_conf_model *out,
                                        bool *found, sn_err *err);
/* Sets section [confidence] in the file at path, which is made where it is not
 * there. Comments of a file that is there are not kept. */
SN_NODISCARD sn_status sn_conf_to_file(const sn_conf_model *m, const char *path,
                                       sn_err *err);

/* NIST's normalised cross entropy, (H(base) - H(confidences)) / H(base): 1 for
 * perfect confidences, 0 for those that tell no more than the share of right
 * words, below 0 for worse. Confidences are held within [1e-7, 1 - 1e-7], as
 * sclite does. NAN where all words are right, or all wrong.
 * Source: NIST, "The 2000 NIST Evaluation Plan for Recognition of
 * Conversational Speech over the Telephone", section 4.2. */
double sn_conf_nce(const double *confidence, const bool *right, size_t n);
#ifdef __cplusplus
}
#endif
#endif
