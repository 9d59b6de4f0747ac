/* SPDX-License-Identifier: Apache-2.0 */
/* api/settings.h - the option table behind senone_options, which the command
 * shares. */
#ifndef SN_API_SETTINGS_H
#define SN_API_SETTINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_settings_cmn {
  SN_SETTINGS_CMN_AUTO, /* the command: batch for files; else live */
  SN_SETTINGS_CMN_BATCH,
  SN_SETTINGS_CMN_LIVE
} sn_settings_cmn;

typedef enum sn_settings_confidence {
  SN_SETTINGS_CONFIDENCE_AUTO, /* where there is a lattice anyway */
  SN_SETTINGS_CONFIDENCE_NO,
  SN_SETTINGS_CONFIDENCE_YES,
  SN_SETTINGS_CONFIDENCE_POSTERIOR /* not calibrated */
} sn_settings_confidence;

/* 0 (or an empty string) everywhere: as the model says. */
typedef struct sn_settings {
  const char *models; /* folders where names of models are looked up */
  const char *graph, *lm, *grammar, *rule, *words, *classes;
  double grammar_weight;    /* beside lm: see graphs/build.h */
  int32_t grammar_place;    /* sn_graph_place */
  const char *cache, *temp; /* folders */
  bool keep_going;          /* leave out words that have no pronunciation */
  float beam;
  int32_t max_active, min_active;
  double lm_scale;
  const char *rescore_lm, *graph_lm;
  float lattice_beam;
  int32_t lattice_stretch; /* frames */
  bool keep_lattice, mbr;
  int32_t confidence; /* sn_settings_confidence */
  int32_t alternatives, nbest;
  int32_t cmn; /* sn_settings_cmn */
  bool observe;
  double endpoint_pause_s, endpoint_silence_s, endpoint_length_s;
} sn_settings;
extern const sn_opt sn_settings_table[];
#ifdef __cplusplus
}
#endif
#endif
