/* SPDX-License-Identifier: Apache-2.0 */
/* api/speaker_internal.h - what is known of a speaker, and how a model adapts.
 */
#ifndef SN_API_SPEAKER_INTERNAL_H
#define SN_API_SPEAKER_INTERNAL_H
#include "am/am.h"
#include "api/senone.h"
#include "base/ini.h"
#include "decoder/adapt.h"
#include "decoder/decoder.h"
#include "frontend/feat.h"
#ifdef __cplusplus
extern "C" {
#endif

/* model.ini [adapt], and what adaptation needs beside the model. */
typedef struct sni_adapt {
  sn_adapt_opts opts; /* fmllr.min_count is of MLLR, too */
  sn_am *first;       /* of the first pass; NULL: the model's own */
  sn_feat *alone;     /* the front end where the speaker is not known; NULL: as
                         always, the front end does not ask for speakers */
  sn_feat *base;      /* with alone: frames whose mean is the speaker's */
} sni_adapt;

struct senone_speaker {
  const senone_model *model;
  senone_adapt_way way;
  sn_fmllr_stats stats;    /* zeroed until something was observed, or by MLLR */
  sn_map_stats means;      /* the same, or by fMLLR */
  sn_cmvn_stats *cmvn;     /* NULL: the front end does not need them */
  sn_feat_stream *heard;   /* NULL until the first sample */
  sn_transform *transform; /* NULL: none yet, or by MLLR */
  sn_mllr *mllr;           /* NULL: none yet, or by fMLLR */
};

/* The Gaussians whose means MLLR moves: those for features as they are. */
const sn_am *sni_adapt_unmoved(const senone_model *m);

/* Reads [adapt] and opens what it needs. */
SN_NODISCARD sn_status sni_adapt_open(sni_adapt *a, const char *dir,
                                      const sn_am *am, const sn_ini *ini,
                                      sn_log *log, sn_err *err);
void sni_adapt_clear(sni_adapt *a);

/* An utterance as its recognizer has finished it. */
typedef struct sni_observed {
  sn_decoder *decoder;
  const sn_scorer *scorer;  /* it kept its frames */
  const sn_lat *lat;        /* of the second pass; NULL: there was none, and
                               the search's own lattice is drawn */
  const senone_speaker *by; /* whose transform it scored with, or NULL */
  const sn_am *moved;       /* his means, or NULL */
} sni_observed;
/* Adds it to what is known of a speaker. */
SN_NODISCARD sn_status sni_speaker_observe(senone_speaker *to,
                                           const sni_observed *seen,
                                           sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
