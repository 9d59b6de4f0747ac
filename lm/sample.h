/* SPDX-License-Identifier: Apache-2.0 */
/* lm/sample.h - random sentences of a model. */
#ifndef SN_LM_SAMPLE_H
#define SN_LM_SAMPLE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_sampler sn_sampler;
/* lm is borrowed. EARG for a model without </s>: its sentences do not end. */
SN_NODISCARD sn_status sn_sampler_create(const sn_ngram *lm, uint64_t seed,
                                         sn_sampler **out, sn_err *err);
/* Whether <unk> may come (the default); without it words keep their shares of
 * each other. */
void sn_sampler_set_unk(sn_sampler *s, bool is_wanted);
void sn_sampler_destroy(sn_sampler *s); /* NULL is fine */
void sn_sampler_begin(sn_sampler *s);   /* a new sentence */
/* The next word, or -1 at </s>. Never <s>. Drawn from the model's distribution
 * after the words so far; one that does not sum to one is scaled. */
int32_t sn_sampler_next(sn_sampler *s);
#ifdef __cplusplus
}
#endif
#endif
