/* SPDX-License-Identifier: Apache-2.0 */
/* cli/transcribe_internal.h - what cmd_transcribe.c asks transcribe.c to do. */
#ifndef SN_CLI_TRANSCRIBE_INTERNAL_H
#define SN_CLI_TRANSCRIBE_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "api/senone.h"
#include "api/settings.h"
#include "cli/cli.h"
#include "decoder/output.h"

typedef struct sni_transcribe_opts {
  const char *model, *channel, *output_dir, *lattice;
  int32_t output; /* sn_out_format */
  int32_t jobs;
  int32_t live; /* 0 auto, 1 no, 2 yes */
  double raw_rate_hz;
  bool report;
} sni_transcribe_opts;

/* One recording, or a part of one. Strings are borrowed. */
typedef struct sni_item {
  const char *id, *path;
  double begin_s, end_s; /* end_s <= 0: to its end */
} sni_item;

typedef struct sni_totals {
  int64_t n_ok, n_failed;
  double audio_s;
} sni_totals;

/* Transcribes all items and prints them in order. SN_OK also when some failed
 * (they are in *totals and in the log). */
sn_status sni_transcribe(sn_cli *cli, const sni_transcribe_opts *o,
                         int32_t channel, const senone_model *model,
                         const sn_settings *settings, const sni_item *items,
                         size_t n, sni_totals *totals);
/* Options object with all of the settings' values. */
sn_status sni_make_options(const sn_settings *settings, senone_options **out,
                           sn_err *err);
/* error of the public API -> sn_err. */
sn_status sni_take_error(sn_err *err, const senone_error *e);
#endif
