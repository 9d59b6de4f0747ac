/* SPDX-License-Identifier: Apache-2.0 */
/* senone.h - speech recognition: audio in, words with their times out.
 *
 *   senone_model *model;                       one per process and vocabulary
 *   senone_model_load("en-us", options, &model, &error);
 *   senone_recognizer *r;                      one per stream of audio
 *   senone_recognizer_create(model, NULL, &r, &error);
 *   while (audio) senone_recognizer_push_i16(r, samples, n, 16000, &error);
 *   senone_recognizer_finish(r, &error);
 *   senone_result *result;
 *   senone_recognizer_take_result(r, &result, &error);
 *   puts(senone_result_text(result));
 *
 * Rules that hold for every function:
 *  - Types are opaque; structs that callers see only grow at their end, and are
 *    handed out by pointer, so a program runs with later libraries.
 *  - What fails returns a senone_status other than SENONE_OK and fills the
 *    caller's senone_error (which may be NULL); an out-parameter is then NULL.
 *  - The library never prints, never ends the process, never reads the
 *    environment.
 *  - A model is immutable: any number of threads may use it. A recognizer, an
 *    options object or a result belongs to one thread at a time.
 *  - Destroy functions accept NULL. Strings are UTF-8 as in the lexicon.
 */
#ifndef SN_API_SENONE_H
#define SN_API_SENONE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SENONE_API __attribute__((visibility("default")))
#else
#define SENONE_API
#endif

/* Version of the library, for example "0.2.0". Cannot fail. */
SENONE_API const char *senone_version(void);

/* ---- Failures ---- */
typedef enum senone_status {
  SENONE_OK = 0,
  SENONE_ENOMEM = 1,    /* out of memory */
  SENONE_EARG = 2,      /* option or argument out of range */
  SENONE_EIO = 3,       /* file could not be read or written */
  SENONE_EFORMAT = 4,   /* file does not follow its format */
  SENONE_EMISMATCH = 5, /* two inputs do not belong together */
  SENONE_ELIMIT = 6,    /* a limit was reached */
  SENONE_EEXTERNAL = 7, /* a third-party library failed */
  SENONE_ECANCEL = 8    /* the poll function asked to stop */
} senone_status;

/* Owned by the caller; start with {0} and clear it the same way: the first
 * failure stays. message: what was expected, what was found, where, what to
 * do. */
typedef struct senone_error {
  int32_t status; /* senone_status */
  char message[768];
} senone_error;

/* ---- Options ----
 * Names and values as on the command line ("beam", "12"); `senone transcribe
 * --help` lists them under the same names. What is not set stays as the model
 * says. */
typedef struct senone_options senone_options;
SENONE_API senone_status senone_options_create(senone_options **out,
                                               senone_error *error);
SENONE_API void senone_options_destroy(senone_options *o);
/* Copies value. SENONE_EARG: no such option, or a value out of range. */
SENONE_API senone_status senone_options_set(senone_options *o, const char *name,
                                            const char *value,
                                            senone_error *error);
/* The names there are: i from 0 until NULL. */
SENONE_API const char *senone_options_name(size_t i);

typedef enum senone_log_level {
  SENONE_LOG_ERROR,
  SENONE_LOG_WARN,
  SENONE_LOG_INFO,
  SENONE_LOG_DEBUG
} senone_log_level;
/* Called by one thread at a time. */
typedef void senone_log_fn(void *user, senone_log_level level,
                           const char *text);
/* Progress of long work (graph compilation): done of total, in `unit`s; total
 * <= 0 if unknown; last is 1 once, at the end. */
typedef void senone_progress_fn(void *user, const char *what, const char *unit,
                                int64_t done, int64_t total, int last);
/* Asked now and then by long work, from any thread; non-zero: stop, the call
 * then returns SENONE_ECANCEL. */
typedef int senone_poll_fn(void *user);

/* Any of the three may be NULL. Messages above level are dropped. */
SENONE_API void senone_options_set_callbacks(senone_options *o,
                                             senone_log_fn *log,
                                             senone_log_level level,
                                             senone_progress_fn *progress,
                                             senone_poll_fn *poll, void *user);

/* ---- Models ---- */
typedef struct senone_model senone_model;

/* Opens a model: an acoustic model with the search graph of a vocabulary.
 *
 * name     folder with a model.ini; or a name, which is looked up in the
 *          folders of the option "models" (separated by colons).
 * options  may be NULL. "graph": another graph file than the model's own;
 *          "lm", "grammar", "words": a graph is compiled for them from the
 *          model's lexicon ("class": lists or grammars for words like
 *          $CITY of the lm), and kept for the next time in the folder of
 *          "cache" where that is set. Decoding options become the defaults of
 *          its recognizers. Callbacks are used for as long as the model lives.
 * Errors: SENONE_EARG no model of that name (where it was looked for);
 *         SENONE_EIO, SENONE_EFORMAT files missing or damaged;
 *         SENONE_EMISMATCH the graph was made for another acoustic model, or
 *         words are not in the lexicon. */
SENONE_API senone_status senone_model_load(const char *name,
                                           const senone_options *options,
                                           senone_model **out,
                                           senone_error *error);
/* After all of its recognizers. */
SENONE_API void senone_model_destroy(senone_model *m);
SENONE_API const char *senone_model_name(const senone_model *m); /* borrowed */
/* Sampling rate that the model works at. Audio of other rates is resampled. */
SENONE_API double senone_model_rate_hz(const senone_model *m);
/* Words that its graph can recognise: number, and word i (borrowed). */
SENONE_API int32_t senone_model_n_words(const senone_model *m);
SENONE_API const char *senone_model_word(const senone_model *m, int32_t i);

/* ---- Recognition of one stream ---- */
typedef struct senone_recognizer senone_recognizer;

/* options: decoding options for this stream; NULL: as the model was loaded.
 * "models", "graph", "lm", "grammar", "words" have no effect here. The model
 * must outlive the recognizer. */
SENONE_API senone_status senone_recognizer_create(const senone_model *m,
                                                  const senone_options *options,
                                                  senone_recognizer **out,
                                                  senone_error *error);
SENONE_API void senone_recognizer_destroy(senone_recognizer *r);

/* Takes the next n samples (mono) and searches as far as they reach. Results
 * do not depend on how the samples are cut into calls.
 * rate_hz: 0 for the model's rate; another is resampled. It may not change
 *          within an utterance (SENONE_EARG).
 * Float samples are in [-1, 1]; NaN and infinity are SENONE_EFORMAT with the
 * sample's index. After a failure only reset and destroy work. */
SENONE_API senone_status senone_recognizer_push_i16(senone_recognizer *r,
                                                    const int16_t *samples,
                                                    size_t n, double rate_hz,
                                                    senone_error *error);
SENONE_API senone_status senone_recognizer_push_f32(senone_recognizer *r,
                                                    const float *samples,
                                                    size_t n, double rate_hz,
                                                    senone_error *error);

/* 1 when the speaker seems to have ended: a pause of "endpoint-pause" seconds
 * after words, of "endpoint-silence" seconds without any, or a shorter pause in
 * an utterance beyond "endpoint-length" seconds. Only a hint: call finish, take
 * the result, call next, and go on pushing. */
SENONE_API int senone_recognizer_at_endpoint(const senone_recognizer *r);

/* No more samples in this utterance: searches to its end. Twice is fine. */
SENONE_API senone_status senone_recognizer_finish(senone_recognizer *r,
                                                  senone_error *error);

/* Ready for the next utterance of the same stream: times go on, what was
 * learnt of the channel stays. */
SENONE_API senone_status senone_recognizer_next(senone_recognizer *r,
                                                senone_error *error);
/* Ready for another stream: as after create. */
SENONE_API senone_status senone_recognizer_reset(senone_recognizer *r,
                                                 senone_error *error);

/* ---- Results ---- */
typedef struct senone_result senone_result;

/* Before finish: the best words so far, which more audio may change. After
 * finish: the answer. The caller owns *out (senone_result_destroy); it stays
 * valid when recognizer and model are gone. */
SENONE_API senone_status senone_recognizer_take_result(senone_recognizer *r,
                                                       senone_result **out,
                                                       senone_error *error);
SENONE_API void senone_result_destroy(senone_result *result);

/* Costs are negative natural logarithms; the acoustic one is not scaled. Times
 * are seconds from the start of the stream. */
typedef struct senone_word {
  const char *word;
  double begin_s, end_s;
  double graph_cost, acoustic_cost;
  size_t first_phone, n_phones; /* of the result's phones */
  /* Since 0.2. How likely the word is right, 0 to 1; -1: not known (partial
   * results; no lattice was made: see the option "confidence"). */
  double confidence;
  size_t first_alternative, n_alternatives; /* of the result's alternatives */
} senone_word;

/* What else may have been said in a word's place (option "alternatives"),
 * likeliest first. word "": nothing. */
typedef struct senone_alternative {
  const char *word;
  double posterior;
} senone_alternative;

/* One of the best word sequences (option "nbest"), best first. posterior: its
 * share of all that the lattice holds. */
typedef struct senone_sentence {
  const char *text;
  double graph_cost, acoustic_cost, posterior;
} senone_sentence;

typedef struct senone_phone {
  const char *phone;
  double begin_s, end_s;
  int32_t word; /* index; -1: silence, noise, or a word not yet known */
} senone_phone;

enum {
  SENONE_RESULT_FINAL = 1,      /* taken after finish */
  SENONE_RESULT_NO_PATH = 2,    /* nothing survived the beam: the answer is
                                   empty for that reason; widen the beam */
  SENONE_RESULT_INCOMPLETE = 4, /* final, but the best path ends where a
                                   sentence of the grammar or LM can not */
  SENONE_RESULT_RESCORED = 8,   /* by the language model of the second pass
                                   (option "rescore-lm") */
  SENONE_RESULT_NO_SPEECH = 16  /* final, of some audio: all of it is silence
                                   or noise to the front end or on the best
                                   path */
};

/* Everything is borrowed from the result. */
SENONE_API const char *senone_result_text(const senone_result *result);
SENONE_API uint32_t senone_result_flags(const senone_result *result);
SENONE_API size_t senone_result_n_words(const senone_result *result);
SENONE_API const senone_word *senone_result_word(const senone_result *result,
                                                 size_t i);
SENONE_API size_t senone_result_n_phones(const senone_result *result);
SENONE_API const senone_phone *senone_result_phone(const senone_result *result,
                                                   size_t i);
SENONE_API size_t senone_result_n_alternatives(const senone_result *result);
SENONE_API const senone_alternative *senone_result_alternative(
    const senone_result *result, size_t i);
SENONE_API size_t senone_result_n_sentences(const senone_result *result);
SENONE_API const senone_sentence *senone_result_sentence(
    const senone_result *result, size_t i);
/* Of the whole path; infinite where there is none, NaN where the words of
 * least risk (option "mbr") are on none. */
SENONE_API double senone_result_graph_cost(const senone_result *result);
SENONE_API double senone_result_acoustic_cost(const senone_result *result);
/* Where the utterance lies in the stream. */
SENONE_API double senone_result_begin_s(const senone_result *result);
SENONE_API double senone_result_end_s(const senone_result *result);

/* ---- Lattices (since 0.2) ----
 * All that the search thought of within "lattice-beam": an acyclic graph whose
 * paths from state 0 to a final state are word sequences, each there once. */
typedef struct senone_lattice senone_lattice;

/* After finish, until next or reset; of the second pass where there was one.
 * The caller owns *out; it needs the model, not the recognizer. Where no path
 * survived it has no states. SENONE_EARG: before finish, or no option asked
 * for lattices ("keep-lattice"; another one does for utterances up to the
 * length of "lattice-stretch"). */
SENONE_API senone_status senone_recognizer_take_lattice(senone_recognizer *r,
                                                        senone_lattice **out,
                                                        senone_error *error);
SENONE_API void senone_lattice_destroy(senone_lattice *l);

typedef struct senone_arc {
  int32_t from, to;      /* states; to > from */
  const char *word;      /* borrowed from the model */
  double begin_s, end_s; /* of the word, by its phones on the best path that
                            takes the arc */
  double graph_cost, acoustic_cost; /* acoustic unscaled */
  double posterior;                 /* share of the paths that take it */
} senone_arc;

SENONE_API int32_t senone_lattice_n_states(const senone_lattice *l);
SENONE_API int32_t senone_lattice_n_arcs(const senone_lattice *l);
/* Arc i in order of its source; NULL: there is none. Borrowed from l. */
SENONE_API const senone_arc *senone_lattice_arc(const senone_lattice *l,
                                                int32_t i);
/* Whether a sentence may end in the state, and at what graph cost (infinite:
 * it may not). */
SENONE_API double senone_lattice_final_cost(const senone_lattice *l,
                                            int32_t state);

/* Writes lattices of one model: FILE or lat:FILE is Senone's archive, ark:FILE
 * and ark,t:FILE are Kaldi's, slf:FOLDER/ is HTK's. The file appears with
 * close; destroying a writer before leaves none. */
typedef struct senone_lattice_writer senone_lattice_writer;
SENONE_API senone_status
senone_lattice_writer_create(const senone_model *m, const char *specifier,
                             senone_lattice_writer **out, senone_error *error);
SENONE_API senone_status senone_lattice_writer_add(senone_lattice_writer *w,
                                                   const char *id,
                                                   const senone_lattice *l,
                                                   senone_error *error);
SENONE_API senone_status senone_lattice_writer_close(senone_lattice_writer *w,
                                                     senone_error *error);
SENONE_API void senone_lattice_writer_destroy(senone_lattice_writer *w);

/* ---- Language models (since 0.2) ----
 * n-gram models and their queries, without a recognizer. A model is immutable:
 * any number of threads may use it. All probabilities are natural logarithms.
 *
 *   senone_lm_history h = senone_lm_begin(lm);             after <s>
 *   senone_lm_score(lm, &h, senone_lm_find(lm, "go"), &logp, NULL, &error);
 */
typedef struct senone_lm senone_lm;

/* The words so far, as far as the model goes by them; small, of fixed size, to
 * be copied as you like. {0}: no words, not even <s>. */
typedef struct senone_lm_history {
  int64_t node;
  int32_t length; /* words that count, below the order */
  int32_t reserved;
} senone_lm_history;

/* Reads ARPA (also packed), Sphinx's .lm.bin or one of Senone's binaries, which
 * is mapped, and verified as a whole. options: may be NULL; its callback is
 * told what was repaired. SENONE_EFORMAT names file and line, or the section.
 */
SENONE_API senone_status senone_lm_load(const char *path,
                                        const senone_options *options,
                                        senone_lm **out, senone_error *error);
SENONE_API void senone_lm_destroy(senone_lm *m);
SENONE_API int32_t senone_lm_order(const senone_lm *m);
SENONE_API int32_t senone_lm_n_words(const senone_lm *m);
/* NULL: no such id. Borrowed from the model. */
SENONE_API const char *senone_lm_word(const senone_lm *m, int32_t id);
/* Id of a word, of "<s>", "</s>" or "<unk>"; -1: the model lacks it. */
SENONE_API int32_t senone_lm_find(const senone_lm *m, const char *word);
SENONE_API senone_lm_history senone_lm_begin(const senone_lm *m);
/* log p of a word after *history, which then has it. -1: a word that the model
 * lacks, which is its <unk>, or else of log p -infinity, and ends the history.
 * order (may be NULL): of the n-gram that was found. SENONE_EARG: no such id,
 * or a history of another model. */
SENONE_API senone_status senone_lm_score(const senone_lm *m,
                                         senone_lm_history *history,
                                         int32_t word, double *logp,
                                         int32_t *order, senone_error *error);
/* log p of a sentence (words with white space between them, without <s> and
 * </s>) and of its end. Words that the model lacks, and <unk>, are left out of
 * logp and counted apart, as `senone lm ppl` does; n_words, n_unknown may be
 * NULL. */
SENONE_API senone_status senone_lm_score_text(const senone_lm *m,
                                              const char *words, double *logp,
                                              int32_t *n_words,
                                              int32_t *n_unknown,
                                              senone_error *error);

/* ---- Speakers (since 0.2) ----
 * A second pass that knows the speaker: recognise his utterances once with the
 * option "observe", let him observe each, adapt, and recognise them again.
 *
 *   for each utterance u:  recognise u with r ("observe" = yes), finish,
 *                          senone_recognizer_observe(r, speaker)
 *   senone_speaker_adapt(speaker)
 *   for each utterance u:  senone_recognizer_use_speaker(r2, speaker),
 *                          recognise u with r2
 *
 * Adaptation is fMLLR, one affine transform of the feature vectors, or MLLR,
 * transforms of the Gaussians' means (model.ini [adapt] has their options). A
 * speaker may be used by many recognizers at a time while nobody changes it. */
typedef enum senone_adapt_way {
  SENONE_ADAPT_NONE,
  SENONE_ADAPT_FMLLR,
  SENONE_ADAPT_MLLR
} senone_adapt_way;
typedef struct senone_speaker senone_speaker;
SENONE_API senone_status senone_speaker_create(const senone_model *m,
                                               senone_speaker **out,
                                               senone_error *error);
SENONE_API void senone_speaker_destroy(senone_speaker *p); /* NULL is fine */
/* How to adapt to him, before anything is observed: as the model wants by
 * default, by fMLLR where it wants nothing. SENONE_EARG: something was
 * observed; SENONE_ADAPT_NONE. */
SENONE_API senone_status senone_speaker_set_way(senone_speaker *p,
                                                senone_adapt_way way,
                                                senone_error *error);
/* Whether the model's front end subtracts the mean of a speaker: then a speaker
 * has to hear all of his audio (mono float samples at the model's rate, last
 * at the end of each recording) before he is used; else hearing does nothing.
 * Without a speaker the mean of the utterance is taken. */
SENONE_API int senone_model_needs_speakers(const senone_model *m);
SENONE_API senone_status senone_speaker_hear_f32(senone_speaker *p,
                                                 const float *samples, size_t n,
                                                 int last, senone_error *error);
/* The way that model.ini wants ([adapt] default): a senone_adapt_way. */
SENONE_API int senone_model_adapts(const senone_model *m);
/* Adds what `from` has observed and heard. The order of merging decides the
 * last bits: keep to one. SENONE_EARG: of another model or way. */
SENONE_API senone_status senone_speaker_merge(senone_speaker *into,
                                              const senone_speaker *from,
                                              senone_error *error);
/* Adds the finished utterance of r. SENONE_EARG: not finished, or r was made
 * without "observe". */
SENONE_API senone_status senone_recognizer_observe(senone_recognizer *r,
                                                   senone_speaker *to,
                                                   senone_error *error);
typedef struct senone_adaptation {
  int adapted;          /* 0: too little was observed; nothing changes */
  double frames;        /* of speech */
  double frames_needed; /* for a transform */
  double gain;          /* log-likelihood a frame, as the first pass saw it */
  const char *why_not;  /* static; NULL where adapted */
} senone_adaptation;
/* Makes the transforms, in place of those that were there, and forgets what was
 * observed. info may be NULL. */
SENONE_API senone_status senone_speaker_adapt(senone_speaker *p,
                                              senone_adaptation *info,
                                              senone_error *error);
/* Ready for a stream of this speaker (borrowed until another is used or r goes;
 * NULL: nobody known), as after senone_recognizer_reset. */
SENONE_API senone_status senone_recognizer_use_speaker(senone_recognizer *r,
                                                       const senone_speaker *p,
                                                       senone_error *error);
#ifdef __cplusplus
}
#endif
#endif
