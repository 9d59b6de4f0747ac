/* SPDX-License-Identifier: Apache-2.0 */
/* api/api_internal.h - what the public types hold. */
#ifndef SN_API_API_INTERNAL_H
#define SN_API_API_INTERNAL_H
#include "am/am.h"
#include "api/senone.h"
#include "api/settings.h"
#include "api/speaker_internal.h"
#include "base/arr.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "decoder/decoder.h"
#include "decoder/lat_rescore.h"
#include "frontend/feat.h"
#include "graphs/graph.h"
#include "score/confidence.h"
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
enum { SNI_MAX_SETTINGS = 48 };
struct senone_options {
  sn_settings settings;
  char *texts[SNI_MAX_SETTINGS]; /* owned values of string options */
  sni_callbacks callbacks;
};

/* The second pass: the model that the graph was made from goes out of the
 * lattice, a larger one comes in. first NULL: there is none. */
typedef struct sni_second {
  sn_ngram *first, *full;
  sn_arr_i32 first_words, full_words; /* [words of the graph + 1] */
  sn_lat_rescore_opts opts;
} sni_second;

struct senone_model {
  char *name, *dir;
  sni_callbacks callbacks;
  sn_log *log; /* calls the callbacks */
  sn_am *am;
  sn_graph *graph;
  sn_feat *feat;
  sn_settings settings; /* strings NULL */
  sn_decoder_opts decode;
  sni_second second;
  sn_conf_model confidence; /* of posteriors */
  bool has_confidence;
  int32_t *ali_of; /* [2 x labels of the graph], itself */
  sn_str labels;   /* of the graph, as in lattices: SN_LAT_META_LABELS */
  sni_adapt adapt;
};

/* What the lattice of an utterance tells: an answer, how sure it is, and what
 * else it might have been. Zeroed is empty. */
typedef struct sni_alternative {
  int32_t word; /* label; 0: nothing */
  double posterior;
} sni_alternative;

typedef struct sni_sentence {
  sn_arr_i32 words; /* labels */
  double graph, acoustic, posterior;
} sni_sentence;

typedef struct sni_answer {
  sn_hyp hyp;
  uint32_t flags;
  double *confidence;        /* [hyp.n_words], -1: not known; NULL: of none */
  size_t *first_alternative; /* [hyp.n_words + 1]; NULL with confidence */
  SN_ARR(sni_alternative) alternatives;
  SN_ARR(sni_sentence) nbest;
} sni_answer;
void sni_answer_clear(sni_answer *a);

/* ---- Portions: an utterance's lattice, from the stretches that the decoder
 * settles while it goes on; a short utterance is one portion ---- */

/* What one lattice tells. */
typedef struct sni_portion {
  sn_arr_i32 words;  /* of the answer, labels */
  bool by_search;    /* they are the search's own; the path is empty */
  sn_lat_path path;  /* that says them; of least risk that are on no path: the
                        best one */
  sn_hyp_word *bins; /* [words.n] in that case; else NULL */
  int64_t first_frame, n_frames;
  double *confidence;        /* [words.n]; NULL: not asked for, or too large */
  size_t *first_alternative; /* [words.n + 1] */
  SN_ARR(sni_alternative) alternatives;
  SN_ARR(sni_sentence) nbest; /* best first; posterior: its total cost */
  double total;               /* -ln of the sum over all of its paths */
} sni_portion;

typedef struct sni_portions {
  const senone_model *model;
  const sn_settings *settings;
  SN_ARR(sni_portion) list;
  bool is_lost;        /* the search ended without any path */
  sn_lat_row *second;  /* NULL: one pass */
  size_t n_added;      /* lattices */
  int64_t n_frames;    /* of `list` */
  SN_ARR(sn_lat) row;  /* of `list`, if they are kept */
  bool row_is_dropped; /* memory stays bounded; then the row is empty */
  double beam;         /* narrowest of a confusion network; infinite: whole */
} sni_portions;
/* Zeroed is fresh. Begin: ready for an utterance. */
SN_NODISCARD sn_status sni_portions_begin(sni_portions *p,
                                          const senone_model *m,
                                          const sn_settings *set,
                                          const sn_decoder *d, sn_err *err);
void sni_portions_clear(sni_portions *p);
/* Takes over *lat, the next one of the decoder, and empties it. last: the
 * utterance ends with it; it is empty if nothing survived. */
SN_NODISCARD sn_status sni_portions_add(sni_portions *p, sn_decoder *d,
                                        sn_lat *lat, bool last, sn_err *err);
/* Whether the second pass has changed any of them. */
bool sni_portions_rescored(const sni_portions *p);
/* After the last: the utterance's lattice, once; empty where it is dropped. */
SN_NODISCARD sn_status sni_portions_lattice(sni_portions *p, sn_lat *out,
                                            sn_err *err);
/* The n best sentences of all portions in a row, into *a. */
SN_NODISCARD sn_status sni_sentences_make(const sni_portions *p, size_t n,
                                          sni_answer *a, sn_err *err);

/* Whether recognizers with these settings make lattices. */
bool sni_wants_lattice(const senone_model *m, const sn_settings *s);
/* Whether they rescore them. */
bool sni_wants_second(const senone_model *m, const sn_settings *s);
/* Opens the models of the second pass where settings (as given to load) or
 * model.ini name them. */
SN_NODISCARD sn_status sni_second_open(senone_model *m, const sn_ini *ini,
                                       const sn_settings *s, sn_err *err);
void sni_second_clear(sni_second *x);
/* What rescores the lattices of an utterance, one after the other. */
SN_NODISCARD sn_status sni_second_row(const senone_model *m,
                                      const sn_lat_scales *k, sn_lat_row **out,
                                      sn_err *err);
/* The answer of a finished utterance: from its portions, or (NULL) from the
 * search alone. */
SN_NODISCARD sn_status sni_answer_make(const sn_settings *set, sn_decoder *d,
                                       const sni_portions *portions,
                                       bool has_audio, sni_answer *out,
                                       sn_err *err);
/* The answer's confidences as the model calibrates them, where it does and
 * settings do not ask for plain posteriors. */
SN_NODISCARD sn_status sni_answer_calibrate(const senone_model *m,
                                            const sn_settings *set,
                                            sni_answer *a, sn_err *err);
/* A public lattice: a copy of lat, with labels of the graph as alignments. */
SN_NODISCARD sn_status sni_lattice_create(const senone_model *m,
                                          const sn_decoder *d,
                                          const sn_lat *lat, double begin_s,
                                          senone_lattice **out, sn_err *err);
/* Path of a file of the model: what [files] names, relative to the model's
 * folder, else `usual` in it; *path NULL where both are missing. */
SN_NODISCARD sn_status sni_model_file(const senone_model *m, const sn_ini *ini,
                                      const char *key, const char *usual,
                                      char **path, sn_err *err);

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

/* The answer with words as text; times are shifted by begin_s. */
SN_NODISCARD sn_status sni_result_create(const sn_graph *g, const sni_answer *a,
                                         double begin_s, double end_s,
                                         senone_result **out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
