/* SPDX-License-Identifier: Apache-2.0 */
/* train/corpus.h - a corpus as an object that can be checked, repaired, cut
 * into parts and written as a Kaldi-style data directory.
 *
 * frontend/datadir.h reads a directory for use and refuses a faulty one; this
 * reads it for inspection: every fault is kept with its file and line, and the
 * rest of the directory is there all the same. docs/corpora.md describes the
 * files and what each fault means. */
#ifndef SN_TRAIN_CORPUS_H
#define SN_TRAIN_CORPUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/arr.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/status.h"
#include "lexicon/lexicon.h"
#ifdef __cplusplus
extern "C" {
#endif

/* name, what a repair does about it */
#define SN_CORPUS_FAULT_MAP(X)                              \
  X(ENCODING, "encoding", "line left out")                  \
  X(SYNTAX, "syntax", "line left out")                      \
  X(DUPLICATE, "duplicate", "line left out")                \
  X(UNSORTED, "unsorted", "sorted")                         \
  X(STRANGER, "stranger", "line left out")                  \
  X(UNUSED, "unused-recording", "line left out")            \
  X(NO_SEGMENT, "no-recording", "utterance left out")       \
  X(NO_TEXT, "no-text", "utterance left out")               \
  X(NO_SPEAKER, "no-speaker", "made a speaker of its own")  \
  X(EMPTY_TEXT, "empty-text", "utterance left out")         \
  X(OOV, "oov", "utterance left out")                       \
  X(NO_AUDIO, "no-audio", "utterances left out")            \
  X(CUT_AUDIO, "cut-audio", "kept")                         \
  X(RATE, "rate", "utterances left out")                    \
  X(BEYOND_END, "beyond-end", "ends where the audio ends")  \
  X(BEGINS_LATE, "begins-beyond-end", "utterance left out") \
  X(SILENT, "silent", "utterance left out")                 \
  X(TOO_SHORT, "too-short", "utterance left out")

typedef enum sn_corpus_fault_kind {
#define X(name, text, action) SN_CORPUS_##name,
  SN_CORPUS_FAULT_MAP(X)
#undef X
      SN_N_CORPUS_FAULTS
} sn_corpus_fault_kind;
const char *sn_corpus_fault_name(sn_corpus_fault_kind k);   /* "oov" */
const char *sn_corpus_fault_action(sn_corpus_fault_kind k); /* of a repair */

typedef struct sn_corpus_fault {
  sn_corpus_fault_kind kind;
  const char *file; /* base name */
  int32_t line;     /* from 1; 0: the file as a whole */
  const char *text; /* one line: what is wrong */
} sn_corpus_fault;

typedef struct sn_corpus_rec {
  const char *id;
  const char *path; /* resolved */
  int32_t line;     /* of wav.scp */
  double length_s;  /* -1 until sn_corpus_measure */
  double rate_hz;   /* of the file; 0 until then */
} sn_corpus_rec;

typedef struct sn_corpus_utt {
  const char *id;
  int32_t rec;           /* in recs; -1: of none, see faults */
  double begin_s, end_s; /* end_s < 0: to the recording's end */
  const char *text;      /* NULL: none */
  const char *speaker;   /* NULL: none */
  int32_t line;          /* of segments, else wav.scp */
  int32_t text_line;     /* 0: none */
  float peak;            /* largest |sample - mid-range|, 16-bit units; -1
                            unless samples were read */
  uint32_t faults;       /* 1u << kind, of those that concern it */
} sn_corpus_utt;

/* Zeroed is empty. Strings live as long as the corpus. */
typedef struct sn_corpus {
  SN_ARR(sn_corpus_rec) recs;
  SN_ARR(sn_corpus_utt) utts;
  SN_ARR(sn_corpus_fault) faults; /* in the order found */
  bool has_segments, has_text, has_speakers;
  char *dir; /* where it was read from; NULL: made in memory */
  sn_arena strings;
} sn_corpus;

void sn_corpus_clear(sn_corpus *c); /* zeroed is fine; twice is fine */

/* Reads wav.scp, segments, text and utt2spk of `dir` with every fault that the
 * texts alone show. Errors: SN_EIO, SN_ENOMEM; faults are none. */
SN_NODISCARD sn_status sn_corpus_read(const char *dir, sn_corpus *out,
                                      sn_err *err);
/* The same, but faults other than UNSORTED and UNUSED are SN_EFORMAT with the
 * first of them, their number and how to see the others. */
SN_NODISCARD sn_status sn_corpus_load(const char *dir, sn_corpus *out,
                                      sn_err *err);

typedef enum sn_corpus_depth {
  SN_CORPUS_HEADERS, /* lengths and rates from the headers */
  SN_CORPUS_SAMPLES  /* every sample: damage, silence */
} sn_corpus_depth;
/* Fills length_s, rate_hz (and peak); adds NO_AUDIO, CUT_AUDIO. pool may be
 * NULL. The result does not depend on its threads. SN_ENOMEM, SN_ECANCEL. */
SN_NODISCARD sn_status sn_corpus_measure(sn_corpus *c, sn_corpus_depth depth,
                                         sn_pool *pool, sn_log *log,
                                         sn_err *err);
/* Length of a measured utterance; -1 where its audio can not be read. */
double sn_corpus_length_s(const sn_corpus *c, const sn_corpus_utt *u);

typedef struct sn_corpus_check_opts {
  bool text;                /* transcripts are wanted */
  int32_t audio;            /* 0: none, 1: headers, 2: samples */
  double min_phone_s;       /* shortest phone: 3 states of 10 ms */
  double max_letters_per_s; /* where there is no lexicon */
  double silence_peak;      /* at or below: silent; 16-bit units */
} sn_corpus_check_opts;
extern const sn_opt sn_corpus_check_opt_table[];

/* All that can be found out about a corpus that sn_corpus_read has read; what
 * is found is added to c->faults. lex (grouped) may be NULL. */
SN_NODISCARD sn_status sn_corpus_check(sn_corpus *c, const sn_lexicon *lex,
                                       const sn_corpus_check_opts *opts,
                                       sn_pool *pool, sn_log *log, sn_err *err);
/* Writes what is sound, as sn_corpus_fault_action says, to `dir`, and
 * DIR/changes.tsv: a line for every fault and every utterance left out.
 * n_kept may be NULL. Errors: SN_EARG where dir is the corpus's own or nothing
 * would be left; SN_EIO. */
SN_NODISCARD sn_status sn_corpus_fix(sn_corpus *c, const char *dir,
                                     size_t *n_kept, sn_err *err);

/* Writes the utterances of which keep[i] is true (NULL: all), sorted by id,
 * as a data directory. Recordings below the parent of `dir` get relative
 * paths, others absolute ones. Errors: SN_EARG for the corpus's own folder or
 * for no utterance; SN_EIO. */
SN_NODISCARD sn_status sn_corpus_write(const sn_corpus *c, const bool *keep,
                                       const char *dir, sn_err *err);

/* ---- Parts ---- */

typedef struct sn_corpus_split_opts {
  int32_t by;          /* 0: speaker, 1: utterance */
  double fraction;     /* of speakers or utterances that are chosen */
  int32_t n;           /* > 0: that many instead */
  int32_t per_speaker; /* > 0: at most so many utterances of each chosen one */
  double hours;        /* > 0: stop when this is reached; needs lengths */
  int32_t order;       /* 0: shuffled, 1: first, 2: shortest (needs lengths) */
  int32_t seed;
  const char *list; /* file with a name per line, "-" stdin; "": none */
} sn_corpus_split_opts;
/* "random|first|shortest" of order, "speaker|utterance" of by. */
extern const sn_opt sn_corpus_split_opt_table[];
/* Marks utterances; chosen[c->utts.n]. The same seed and corpus give the same
 * choice whatever the order of the files' lines. Errors: SN_EARG for a name in
 * the list that the corpus lacks, for no speakers, for a choice of none. */
SN_NODISCARD sn_status sn_corpus_choose(const sn_corpus *c,
                                        const sn_corpus_split_opts *opts,
                                        bool *chosen, sn_err *err);

/* ---- Other forms ---- */

typedef struct sn_corpus_import_opts {
  int32_t from;          /* sn_corpus_form */
  const char *audio_dir; /* of relative paths; "": the source's folder */
  const char *fileids;   /* sphinx */
  const char *ending;    /* sphinx: of recordings, "wav" */
  bool speaker_prefix;   /* ids become SPEAKER-ID */
  bool skip_faulty;      /* leave out what is faulty, by name */
} sn_corpus_import_opts;
typedef enum sn_corpus_form {
  SN_CORPUS_AUTO,
  SN_CORPUS_TSV,
  SN_CORPUS_LIBRISPEECH,
  SN_CORPUS_SPHINX
} sn_corpus_form;
extern const sn_opt sn_corpus_import_opt_table[];
/* Reads a TSV manifest, a LibriSpeech-style tree or Sphinx's fileids and
 * transcription. Errors: SN_EFORMAT with file and line of the first fault; the
 * others go to log. With skip_faulty all go to log as warnings. */
SN_NODISCARD sn_status sn_corpus_import(const char *source,
                                        const sn_corpus_import_opts *opts,
                                        sn_log *log, sn_corpus *out,
                                        sn_err *err);

/* ---- Figures ---- */

typedef struct sn_corpus_stats {
  int64_t n_utts, n_recs, n_speakers; /* speakers 0: not known */
  int64_t n_words, n_types, n_oov, n_oov_types, n_letters;
  double speech_s, shortest_s, longest_s;
  double min_rate_hz, max_rate_hz;
} sn_corpus_stats;
/* Of a measured corpus, or of one speaker's part of it (NULL: all). lex may be
 * NULL. */
SN_NODISCARD sn_status sn_corpus_count(const sn_corpus *c,
                                       const sn_lexicon *lex,
                                       const char *speaker,
                                       sn_corpus_stats *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
