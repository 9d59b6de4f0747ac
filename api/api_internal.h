/* SPDX-License-Identifier: Apache-2.0 */
/* api/api_internal.h - what the public types hold. */
#ifndef SN_API_API_INTERNAL_H
#define SN_API_API_INTERNAL_H
#include "am/am.h"
#include "api/senone.h"
#include "api/settings.h"
#include "base/log.h"
#include "base/status.h"
#include "decoder/decoder.h"
#include "frontend/feat.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_callbacks {
  senone_log_fn *log;
  senone_progress_fn *progress;
  senone_poll_fn *poll;
  void *user;
  senone_log_level level;
} sni_callbacks;

/* set: whether option i of the table was set by the caller. */
enum { SNI_MAX_SETTINGS = 32 };
struct senone_options {
  sn_settings settings;
  char *texts[SNI_MAX_SETTINGS]; /* owned values of string options */
  sni_callbacks callbacks;
};

struct senone_model {
  char *name, *dir;
  sni_callbacks callbacks;
  sn_log *log; /* calls the callbacks */
  sn_am *am;
  sn_graph *graph;
  sn_feat *feat;
  sn_settings settings; /* strings NULL */
  sn_decoder_opts decode;
};

/* Copies an sn_err into the caller's struct. Returns its status. */
senone_status sni_report(const sn_err *from, sn_status s, senone_error *to);

/* Folder of a model: `name` itself where it holds a model.ini, else the first
 * of the folders `models` ("a:b") that holds it. *dir is owned by the caller.
 */
SN_NODISCARD sn_status sni_model_find(const char *name, const char *models,
                                      char **dir, sn_err *err);

/* The graph file for the settings' lm, grammar or words: from the cache, or
 * compiled now. lexicon, lm: paths of the model's. *remove: it is a temporary
 * file, to be removed once it is open. */
typedef struct sni_compile {
  const sn_am *am;
  const sn_settings *settings;
  const char *lexicon;
  sn_log *log;
} sni_compile;
SN_NODISCARD sn_status sni_compile_graph(const sni_compile *c, char **path,
                                         bool *remove, sn_err *err);

/* ---- Streaming sample-rate conversion ---- */
typedef struct sni_resampler sni_resampler;
SN_NODISCARD sn_status sni_resampler_create(double from_hz, double to_hz,
                                            sni_resampler **out, sn_err *err);
void sni_resampler_destroy(sni_resampler *r);
/* Gives the samples that n more make possible; last: flushes (n may be 0).
 * *out: borrowed until the next call. */
SN_NODISCARD sn_status sni_resampler_push(sni_resampler *r,
                                          const float *samples, size_t n,
                                          bool last, const float **out,
                                          size_t *n_out, sn_err *err);

/* hyp with words as text; times are shifted by offset_s. */
SN_NODISCARD sn_status sni_result_create(const sn_graph *g, const sn_hyp *hyp,
                                         uint32_t flags, double begin_s,
                                         double end_s, senone_result **out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
