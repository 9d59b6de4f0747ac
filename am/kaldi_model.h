/* SPDX-License-Identifier: Apache-2.0 */
/* am/kaldi_model.h - the transition model at the head of a Kaldi model file
 * (final.mdl): what the transition ids in its graphs and lattices mean.
 * Source: kaldi-asr.org/doc/hmm.html. */
#ifndef SN_AM_KALDI_MODEL_H
#define SN_AM_KALDI_MODEL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A transition of a tied HMM state. With Kaldi's order of self-loops
 * (--reorder=true, its default) a path leaves a state first and loops then:
 * the frame of a forward transition belongs to the state that it leaves. */
typedef struct sn_kaldi_tid {
  int32_t phone;     /* as in phones.txt, from 1 */
  int32_t hmm_state; /* of the state that is left or looped on, from 0 */
  int32_t pdf;
  int32_t state; /* transition state, from 1: one per (phone, HMM state, pdf) */
  float logp;
  bool is_loop;
} sn_kaldi_tid;

/* Zeroed is empty; owned by the caller. tids.data[0] stands for no transition:
 * ids begin at 1. */
typedef struct sn_kaldi_trans {
  SN_ARR(sn_kaldi_tid) tids;
  int32_t n_pdfs, n_states;
} sn_kaldi_trans;

/* Reads a binary transition model; what follows it in the file (Gaussians, a
 * network) is left alone. SN_EFORMAT names the field and the offset; a text
 * model is refused with how to convert it. */
SN_NODISCARD sn_status sn_kaldi_trans_load(const char *path,
                                           sn_kaldi_trans *out, sn_err *err);
SN_NODISCARD sn_status sn_kaldi_trans_read(sn_reader *r, sn_kaldi_trans *out,
                                           sn_err *err);
void sn_kaldi_trans_clear(sn_kaldi_trans *t);
#ifdef __cplusplus
}
#endif
#endif
