/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice mbr, sausage, posteriors. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cmd_lattice_internal.h"
#include "decoder/lat_mbr.h"

static int end(sn_cli *cli, sn_status s) {
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

/* ---- mbr ---- */

enum { FORM_RISK, FORM_TEXT, FORM_CTM };

typedef struct mbr_opts {
  int32_t output;
  bool keep_best;
} mbr_opts;

static const sn_opt mbr_table[] = {
    {"output", SN_OPT_ENUM, offsetof(mbr_opts, output), FORM_RISK, 0, 2,
     "risk|text|ctm", "", "what to print for each utterance"},
    {"keep-best", SN_OPT_BOOL, offsetof(mbr_opts, keep_best), 0, 0, 1, NULL, "",
     "the words of the best path, with their posteriors"},
    SN_OPT_END};

/* Posterior of the place's word. */
static double confidence(const sn_mbr *m, size_t word) {
  const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[word]];
  for (uint32_t i = 0; i < b->n; i++)
    if (m->entries.data[b->first + i].word == m->words.data[word])
      return m->entries.data[b->first + i].posterior;
  return 0.0;
}

static void print_mbr_ctm(sn_cli *cli, const sni_lat_in *in, const char *key,
                          const sn_mbr *m) {
  char digits[16];
  for (size_t i = 0; i < m->words.n; i++) {
    const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[i]];
    /* hundredths, so that a word ends where the next one begins */
    const double from = round(100 * sn_lat_clock_begin_s(in->clock, b->begin));
    const double to = round(100 * sn_lat_clock_end_s(in->clock, b->end));
    sn_cli_print(cli, "%s 1 %.2f %.2f %s %.3f\n", key, from / 100,
                 (to - from) / 100, sni_lat_word(in, m->words.data[i], digits),
                 fmin(confidence(m, i), 1.0));
  }
}

/* The network, with words where their phones are if the archive tells how. */
static sn_status make_network(sn_cli *cli, const sni_lat_in *in,
                              const char *key, const sn_lat *lat, bool update,
                              sn_mbr *out) {
  sn_lat_spans spans;
  bool found = false;
  memset(out, 0, sizeof *out);
  SN_TRY(sni_lat_spans(cli, in, key, lat, &spans, &found));
  const sn_mbr_opts o = {.update = update, .spans = found ? &spans : NULL};
  const sn_status s = sn_lat_mbr(lat, &in->k, &o, out, &cli->err);
  sn_lat_spans_clear(&spans);
  return s;
}

static sn_status mbr_one(sn_cli *cli, void *user, const sni_lat_in *in,
                         const char *key, sn_lat *lat) {
  (void)user;
  const mbr_opts *const o = cli->opts[1];
  sn_mbr m;
  SN_TRY(make_network(cli, in, key, lat, !o->keep_best, &m));
  if (o->output == FORM_CTM) {
    print_mbr_ctm(cli, in, key, &m);
  } else {
    if (o->output == FORM_RISK)
      sn_cli_print(cli, "%s\t%.6g\t", key, m.risk);
    else
      sn_cli_print(cli, m.words.n > 0 ? "%s " : "%s", key);
    sni_lat_print_words(cli, in, m.words.data, m.words.n);
    sn_cli_print(cli, "\n");
  }
  sn_mbr_clear(&m);
  return SN_OK;
}

static int run_mbr(sn_cli *cli) {
  return end(cli, sni_lat_each(cli, mbr_one, NULL));
}

const sn_command sn_cmd_lattice_mbr = {
    .name = "lattice mbr",
    .synopsis = "[--output=text|ctm] IN",
    .summary = "the words with the fewest expected errors",
    .description =
        "Minimum Bayes risk: prints utterance, expected number of errors and "
        "words, TAB-separated; or 'utterance word ...' (text); or ctm with "
        "times and the posterior of each word as its "
        "confidence. " SNI_LAT_IN_HELP,
    .example = "senone lattice mbr --output=ctm an4.lat",
    .tables = {SNI_LAT_TABLE, {mbr_table, sizeof(mbr_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_mbr};

/* ---- sausage ---- */

typedef struct sausage_opts {
  double min_posterior;
  bool gaps;
} sausage_opts;

static const sn_opt sausage_table[] = {
    {"min-posterior", SN_OPT_DOUBLE, offsetof(sausage_opts, min_posterior), 0,
     0, 1, NULL, "", "words below it are not printed"},
    {"gaps", SN_OPT_BOOL, offsetof(sausage_opts, gaps), 0, 0, 1, NULL, "",
     "print the places between words too"},
    SN_OPT_END};

static sn_status sausage_one(sn_cli *cli, void *user, const sni_lat_in *in,
                             const char *key, sn_lat *lat) {
  (void)user;
  const sausage_opts *const o = cli->opts[1];
  char digits[16];
  sn_mbr m;
  SN_TRY(make_network(cli, in, key, lat, true, &m));
  /* The places of words are the odd ones. */
  for (size_t i = o->gaps ? 0 : 1; i < m.bins.n; i += o->gaps ? 1 : 2) {
    const sn_sausage_bin *const b = &m.bins.data[i];
    sn_cli_print(cli, "%s\t%zu\t%.3f\t%.3f", key, i,
                 sn_lat_clock_begin_s(in->clock, b->begin),
                 sn_lat_clock_end_s(in->clock, b->end));
    for (uint32_t k = 0; k < b->n; k++) {
      const sn_sausage_entry *const e = &m.entries.data[b->first + k];
      if (e->posterior < o->min_posterior) continue;
      sn_cli_print(cli, "\t%s %.4f",
                   e->word == 0 ? "-" : sni_lat_word(in, e->word, digits),
                   e->posterior);
    }
    sn_cli_print(cli, "\n");
  }
  sn_mbr_clear(&m);
  return SN_OK;
}

static int run_sausage(sn_cli *cli) {
  return end(cli, sni_lat_each(cli, sausage_one, NULL));
}

const sn_command sn_cmd_lattice_sausage = {
    .name = "lattice sausage",
    .synopsis = "[--min-posterior=P] [--gaps] IN",
    .summary = "confusion networks: what may have been said at each place",
    .description =
        "Prints utterance, place, begin and end in seconds, and then 'word "
        "posterior', likeliest first (- is nothing), TAB-separated. Odd "
        "places are words, even ones the gaps between them. " SNI_LAT_IN_HELP,
    .example = "senone lattice sausage --min-posterior=0.01 an4.lat",
    .tables = {SNI_LAT_TABLE, {sausage_table, sizeof(sausage_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_sausage};

/* ---- posteriors ---- */

typedef struct posterior_opts {
  double min_posterior;
} posterior_opts;

static const sn_opt posterior_table[] = {
    {"min-posterior", SN_OPT_DOUBLE, offsetof(posterior_opts, min_posterior),
     0.001, 0, 1, NULL, "", "arcs below it are not printed"},
    SN_OPT_END};

static void print_posteriors(sn_cli *cli, const sni_lat_in *in, const char *key,
                             const sn_lat *lat, const sn_lat_spans *spans,
                             const double *posteriors) {
  const posterior_opts *const o = cli->opts[1];
  char digits[16];
  for (int32_t i = 0; i < lat->n_arcs; i++) {
    const sn_lat_arc *const a = &lat->arcs[i];
    if (posteriors[i] < o->min_posterior) continue;
    sn_cli_print(cli, "%s\t%.3f\t%.3f\t%s\t%.6f\n", key,
                 sn_lat_clock_begin_s(in->clock, spans->begin[i]),
                 sn_lat_clock_end_s(in->clock, spans->end[i]),
                 a->word == 0 ? "-" : sni_lat_word(in, a->word, digits),
                 fmin(posteriors[i], 1.0));
  }
}

static sn_status posteriors_one(sn_cli *cli, void *user, const sni_lat_in *in,
                                const char *key, sn_lat *lat) {
  (void)user;
  double total;
  bool found = false;
  sn_lat_spans spans = {0};
  double *const posteriors = sn_calloc((size_t)lat->n_arcs, sizeof *posteriors);
  sn_status s = posteriors ? SN_OK : sn_fail_nomem(&cli->err, "posteriors");
  if (s == SN_OK)
    s = sn_lat_posteriors(lat, &in->k, posteriors, NULL, &total, &cli->err);
  if (s == SN_OK) s = sni_lat_spans(cli, in, key, lat, &spans, &found);
  if (s == SN_OK && !found) s = sn_lat_spans_of_arcs(lat, &spans, &cli->err);
  if (s == SN_OK) print_posteriors(cli, in, key, lat, &spans, posteriors);
  sn_lat_spans_clear(&spans);
  sn_free(posteriors);
  return s;
}

static int run_posteriors(sn_cli *cli) {
  return end(cli, sni_lat_each(cli, posteriors_one, NULL));
}

const sn_command sn_cmd_lattice_posteriors = {
    .name = "lattice posteriors",
    .synopsis = "[--min-posterior=P] IN",
    .summary = "how likely each arc is, with its times",
    .description =
        "Prints utterance, begin and end in seconds, word (- is none) and "
        "posterior probability of each arc, TAB-separated, by forward and "
        "backward sums over all paths. " SNI_LAT_IN_HELP,
    .example = "senone lattice posteriors --min-posterior=0.1 an4.lat",
    .tables = {SNI_LAT_TABLE, {posterior_table, sizeof(posterior_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_posteriors};
