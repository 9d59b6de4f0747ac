/* SPDX-License-Identifier: Apache-2.0 */
/* cli/transcribe_internal.h - what cmd_transcribe.c asks transcribe.c to do. */
#ifndef SN_CLI_TRANSCRIBE_INTERNAL_H
#define SN_CLI_TRANSCRIBE_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "api/senone.h"
#include "api/settings.h"
#include "base/arr.h"
#include "base/str.h"
#include "cli/cli.h"
#include "decoder/output.h"
#include "frontend/audio.h"
#include "frontend/datadir.h"

typedef enum sni_adapt_how {
  SNI_ADAPT_AUTO, /* as model.ini says */
  SNI_ADAPT_NONE,
  SNI_ADAPT_FMLLR,
  SNI_ADAPT_MLLR
} sni_adapt_how;
enum { SNI_PER_SPEAKER, SNI_PER_RECORDING };

typedef struct sni_transcribe_opts {
  const char *model, *channel, *output_dir, *lattice;
  int32_t output; /* sn_out_format */
  int32_t jobs;
  int32_t live;      /* 0 auto, 1 no, 2 yes */
  int32_t adapt;     /* sni_adapt_how */
  int32_t adapt_per; /* SNI_PER_... */
  int32_t adapt_passes;
  double raw_rate_hz;
  bool report;
} sni_transcribe_opts;

/* One recording, or a part of one. Strings are borrowed. */
typedef struct sni_item {
  const char *id, *path;
  double begin_s, end_s; /* end_s <= 0: to its end */
  const char *speaker;   /* NULL: not known */
} sni_item;

typedef struct sni_inputs {
  SN_ARR(sni_item) items;
  SN_ARR(sn_datadir) dirs;
  sn_arr_str ids; /* owned */
} sni_inputs;

typedef struct sni_totals {
  int64_t n_ok, n_failed, n_no_speech;
  double audio_s;
} sni_totals;

/* The items that the arguments name. What can not be read is counted as failed,
 * and the others go on. */
sn_status sni_gather(sn_cli *cli, sni_totals *totals, sni_inputs *in);
void sni_inputs_clear(sni_inputs *in);

/* Transcribes all items and prints them in order. SN_OK also when some failed
 * (they are in *totals and in the log). */
sn_status sni_transcribe(sn_cli *cli, const sni_transcribe_opts *o,
                         int32_t channel, const senone_model *model,
                         const sn_settings *settings, const sni_item *items,
                         size_t n, sni_totals *totals);
/* A file for each id: two recordings of one id would write the same one.
 * SN_EARG names both. A '/' in an id becomes '_' in the file's name. */
sn_status sni_check_ids(const sni_item *items, size_t n, sn_err *err);
/* Options object with all of the settings' values. */
sn_status sni_make_options(const sn_settings *settings, senone_options **out,
                           sn_err *err);
/* Where the audio of a run comes from; everything is borrowed. */
typedef struct sni_source {
  sn_cli *cli;
  const sni_transcribe_opts *opts;
  int32_t channel;
  const senone_model *model;
  const sni_item *items;
  size_t n;
} sni_source;
sn_status sni_open_audio(const sni_source *src, const sni_item *item,
                         sn_audio **out, sn_err *err);

/* Speakers of a run as the passes before the last have found them. Zeroed:
 * nobody is known. */
typedef struct sni_speakers {
  sn_symtab *names;
  senone_speaker **list; /* [n] */
  size_t n;
  int32_t *of; /* [items] index in list */
} sni_speakers;
/* Hears and adapts to speakers where options and model want it. settings: of
 * the recognisers. */
sn_status sni_speakers_make(const sni_source *src, const sn_settings *settings,
                            sni_speakers *out, sn_err *err);
void sni_speakers_clear(sni_speakers *s);
/* Of item i; NULL: nobody known. */
const senone_speaker *sni_speaker_of(const sni_speakers *s, size_t i);

/* ---- A run: transcribe.c, transcribe_format.c, transcribe_print.c ---- */

/* One item's result. Zeroed is empty. */
typedef struct sni_done {
  sn_str text;
  sn_err err; /* why there is no text */
  double audio_s, rate_hz;
  int32_t n_channels;
  size_t n_words;
  senone_lattice *lattice; /* NULL: not asked for */
  bool no_path, no_speech;
  bool is_cut_off;   /* no word, and no way to the graph's end */
  bool was_searched; /* frames of it came to the search */
} sni_done;
void sni_done_clear(sni_done *d);

typedef struct sni_job {
  sn_cli *cli;
  const sni_transcribe_opts *opts;
  int32_t channel;
  const senone_model *model;
  senone_options *batch, *live;
  const sni_item *items;
  const sn_settings *settings; /* of batch */
  sni_speakers speakers;
  sni_done *done;                  /* [n] */
  senone_recognizer **recognizers; /* [n_threads], made on first use */
  senone_lattice_writer *lattices; /* NULL: not asked for */
  sni_totals *totals;
  int64_t n_low_rate, n_many_channels;
} sni_job;

/* Adds the result in a format to *out. */
sn_status sni_format_result(sn_out_format format, const char *id,
                            const senone_result *r, sn_str *out, sn_err *err);
/* Prints or writes a result, its lattice, and warnings; counts it. */
sn_status sni_print_done(sni_job *j, const sni_item *item, const char *id,
                         const sni_done *d, sn_err *err);
/* error of the public API -> sn_err. */
sn_status sni_take_error(sn_err *err, const senone_error *e);
#endif
