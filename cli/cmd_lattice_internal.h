/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_lattice_internal.h - what the lattice commands share: options,
 * inputs with their words and scales, outputs. */
#ifndef SN_CLI_CMD_LATTICE_INTERNAL_H
#define SN_CLI_CMD_LATTICE_INTERNAL_H
#include "cli/cli.h"
#include "decoder/lat_align.h"
#include "decoder/lat_io.h"
#include "decoder/lat_paths.h"
#include "decoder/lat_spans.h"

/* The first table of every lattice command. */
typedef struct sni_lat_opts {
  const char *words;
  double acoustic_scale, lm_scale, word_penalty, frame_shift;
} sni_lat_opts;
extern const sn_opt sni_lat_opt_table[];
#define SNI_LAT_TABLE \
  { sni_lat_opt_table, sizeof(sni_lat_opts) }

#define SNI_LAT_IN_HELP                                                       \
  "IN is ark:FILE (Kaldi, text or binary), slf:FILE or slf:FOLDER (HTK), or " \
  "FILE (Senone's archive); - is standard input for the first two."
#define SNI_LAT_OUT_HELP                                               \
  "OUT is ark:FILE, ark,t:FILE (text), slf:FILE, slf:FOLDER/ or FILE " \
  "(Senone's archive)."

/* An open source. */
typedef struct sni_lat_in {
  const char *specifier;
  sn_lat_reader *reader;
  sn_lat_words *words; /* borrowed */
  bool spelt;          /* labels have spellings; else they print as numbers */
  sn_lat_scales k;     /* options, else what the archive says, else 1, 1/12 */
  double frame_s;
  sn_lat_clock *clock; /* of the utterance that was read last */
} sni_lat_in;

/* A new table of words, filled from --words where that is given. */
sn_status sni_lat_words(sn_cli *cli, sn_lat_words **out);
/* words: shared by all sources of a command. */
sn_status sni_lat_open(sn_cli *cli, const char *specifier, sn_lat_words *words,
                       sni_lat_in *out);
void sni_lat_close(sni_lat_in *in); /* zeroed is fine */
/* As sn_lat_next; refuses labels that --words does not spell. */
sn_status sni_lat_next(sn_cli *cli, sni_lat_in *in, const char **key,
                       sn_lat *lat);
/* Prints " word" or " 17" for each; the first without a blank before it. */
void sni_lat_print_words(sn_cli *cli, const sni_lat_in *in,
                         const int32_t *labels, size_t n);
/* Borrowed; digits (the caller's) where there is no spelling. */
const char *sni_lat_word(const sni_lat_in *in, int32_t label, char digits[16]);

/* When the words of its arcs are said, by the phones of the archive's
 * alignments. *found false: the archive does not tell what its labels are, or
 * (with a warning) an alignment is not of its model. */
sn_status sni_lat_spans(sn_cli *cli, const sni_lat_in *in, const char *key,
                        const sn_lat *lat, sn_lat_spans *out, bool *found);

/* A destination that takes over the source's words, facts and scales. */
sn_status sni_lat_create(sn_cli *cli, const char *specifier,
                         const sni_lat_in *like, sn_lat_writer **out);

/* One function for each lattice of IN = args[0]: opens, loops, closes. */
typedef sn_status sni_lat_fn(sn_cli *cli, void *user, const sni_lat_in *in,
                             const char *key, sn_lat *lat);
sn_status sni_lat_each(sn_cli *cli, sni_lat_fn *fn, void *user);
/* The same, and `fn` changes *lat, which then goes to OUT = args[1]. */
sn_status sni_lat_filter(sn_cli *cli, sni_lat_fn *fn, void *user);

/* Grid of scales against a reference (senone lattice best --sweep). */
typedef struct sni_lat_sweep {
  const char *reference, *weights, *penalties;
} sni_lat_sweep;
int sni_lat_run_sweep(sn_cli *cli, const sni_lat_sweep *sweep);
#endif
