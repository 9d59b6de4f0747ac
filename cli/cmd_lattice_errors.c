/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice oracle, and the sweep of senone lattice best: lattices against
 * reference texts, both normalised as senone score does. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cmd_lattice_internal.h"
#include "decoder/lat_mbr.h"
#include "score/score.h"

/* A reference, and what its words make of labels. */
typedef struct truth {
  sn_score_words *words;
  sn_transcripts ref;
  sn_arr_i32 id_of; /* label -> score id + 1; 0: nothing; -1: not known yet */
  sn_arr_i32 ids;
  int64_t n_missing; /* lattices without a reference */
} truth;

static sn_status truth_open(sn_cli *cli, const char *path, truth *t) {
  SN_TRY(sn_score_words_create(NULL, false, &t->words, &cli->err));
  return sn_transcripts_read(path, SN_TRANS_AUTO, t->words, &t->ref, &cli->err);
}

static void truth_clear(truth *t) {
  sn_score_words_destroy(t->words);
  sn_transcripts_clear(&t->ref);
  SN_ARR_FREE(&t->id_of);
  SN_ARR_FREE(&t->ids);
}

/* Labels of the lattice become score ids + 1, fillers 0. */
static sn_status relabel(sn_cli *cli, truth *t, const sni_lat_in *in,
                         sn_lat *lat) {
  char digits[16];
  for (int32_t i = 0; i < lat->n_arcs; i++) {
    const int32_t label = lat->arcs[i].word;
    while (t->id_of.n <= (size_t)label)
      SN_TRY(SN_ARR_PUSH(&t->id_of, -1, &cli->err));
    if (t->id_of.data[label] < 0) {
      t->ids.n = 0;
      if (label != 0)
        SN_TRY(sn_score_words_add(t->words,
                                  sn_span_of(sni_lat_word(in, label, digits)),
                                  &t->ids, &cli->err));
      t->id_of.data[label] = t->ids.n > 0 ? t->ids.data[0] + 1 : 0;
    }
    lat->arcs[i].word = t->id_of.data[label];
  }
  return SN_OK;
}

/* The reference of an utterance, as score ids + 1 in t->ids; false: none. */
static sn_status reference_of(sn_cli *cli, truth *t, const char *key,
                              bool *found) {
  const int32_t u = sn_symtab_finds(t->ref.ids, key);
  size_t n = 0;
  *found = u >= 0;
  if (u < 0) {
    t->n_missing++;
    sn_warn(cli->log, "%s: no utterance '%s': it is left out", t->ref.name,
            key);
    return SN_OK;
  }
  const int32_t *const ids = sn_transcripts_words(&t->ref, u, &n);
  SN_TRY(SN_ARR_RESIZE(&t->ids, n, &cli->err));
  for (size_t i = 0; i < n; i++) t->ids.data[i] = ids[i] + 1;
  return SN_OK;
}

/* ---- oracle ---- */

typedef struct oracle_opts {
  const char *reference;
} oracle_opts;

static const sn_opt oracle_table[] = {
    {"reference", SN_OPT_STRING, offsetof(oracle_opts, reference), 0, 0, 0,
     NULL, "FILE", "texts: Kaldi, trn or ctm"},
    SN_OPT_END};

typedef struct oracle_job {
  truth t;
  int64_t n_utts, n_words, ins, del, sub;
} oracle_job;

static sn_status oracle_one(sn_cli *cli, void *user, const sni_lat_in *in,
                            const char *key, sn_lat *lat) {
  oracle_job *const j = user;
  bool found;
  SN_TRY(relabel(cli, &j->t, in, lat));
  SN_TRY(reference_of(cli, &j->t, key, &found));
  if (!found) return SN_OK;
  sn_lat_oracle o;
  const size_t n = j->t.ids.n;
  SN_TRY(sn_lat_find_oracle(lat, &in->k, j->t.ids.data, n, &o, &cli->err));
  sn_cli_print(cli, "%s\t%d\t%zu\t%d\t%d\t%d\t", key, o.ins + o.del + o.sub, n,
               o.ins, o.del, o.sub);
  for (size_t i = 0; i < o.words.n; i++)
    sn_cli_print(cli, "%s%s", i > 0 ? " " : "",
                 sn_score_word(j->t.words, o.words.data[i] - 1));
  sn_cli_print(cli, "\n");
  j->n_utts++;
  j->n_words += (int64_t)n;
  j->ins += o.ins;
  j->del += o.del;
  j->sub += o.sub;
  sn_lat_oracle_clear(&o);
  return SN_OK;
}

static int run_oracle(sn_cli *cli) {
  const oracle_opts *const o = cli->opts[1];
  if (o->reference == NULL || o->reference[0] == '\0')
    return sn_cli_usage(cli, "--reference=FILE is needed");
  oracle_job j = {.t = {.words = NULL}};
  sn_status s = truth_open(cli, o->reference, &j.t);
  if (s == SN_OK) s = sni_lat_each(cli, oracle_one, &j);
  if (s == SN_OK && j.n_utts == 0)
    s = sn_fail(&cli->err, SN_EMISMATCH, "%s and %s: no utterance is in both",
                cli->args[0], o->reference);
  if (s == SN_OK && j.n_words > 0) {
    const int64_t errors = j.ins + j.del + j.sub;
    sn_cli_print(cli,
                 "oracle WER %.2f %%: %lld errors in %lld words (%lld sub, "
                 "%lld del, %lld ins), %lld utterances\n",
                 100.0 * (double)errors / (double)j.n_words, (long long)errors,
                 (long long)j.n_words, (long long)j.sub, (long long)j.del,
                 (long long)j.ins, (long long)j.n_utts);
  }
  truth_clear(&j.t);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lattice_oracle = {
    .name = "lattice oracle",
    .synopsis = "--reference=FILE IN",
    .summary = "the path of each lattice that is nearest to the truth",
    .description =
        "Prints utterance, errors, reference words, insertions, deletions, "
        "substitutions and the words of the path with the fewest errors, "
        "TAB-separated, and the error rate of all. Words are compared as by "
        "senone score (case folded, fillers dropped). " SNI_LAT_IN_HELP,
    .example = "senone lattice oracle --reference=text an4.lat",
    .tables = {SNI_LAT_TABLE, {oracle_table, sizeof(oracle_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_oracle};

/* ---- sweep ---- */

enum { MAX_STEPS = 1000 };

typedef struct range {
  double from, step;
  size_t n;
} range;

typedef struct sweep_job {
  truth t;
  range weights, penalties;
  sn_score_counts *counts; /* [weights.n * penalties.n] */
} sweep_job;

/* "FROM:TO:STEP", or one number. */
static bool parse_range(const char *text, range *out) {
  sn_span rest = sn_span_of(text), f[4];
  double x[3] = {0.0, 0.0, 1.0};
  size_t n = 0;
  while (n < 4 && sn_next_field_sep(&rest, ':', &f[n])) n++;
  if (n != 1 && n != 3) return false;
  for (size_t i = 0; i < n; i++)
    if (!sn_parse_double(f[i], &x[i]) || !isfinite(x[i])) return false;
  if (n == 1) x[1] = x[0];
  if (x[1] < x[0] || x[2] <= 0.0 || (x[1] - x[0]) / x[2] >= MAX_STEPS)
    return false;
  *out = (range){x[0], x[2], 1 + (size_t)((x[1] - x[0]) / x[2] + 1e-6)};
  return true;
}

static double at(const range *r, size_t i) {
  return r->from + (double)i * r->step;
}

static sn_status sweep_one(sn_cli *cli, void *user, const sni_lat_in *in,
                           const char *key, sn_lat *lat) {
  sweep_job *const j = user;
  bool found;
  SN_TRY(relabel(cli, &j->t, in, lat));
  SN_TRY(reference_of(cli, &j->t, key, &found));
  if (!found) return SN_OK;
  for (size_t w = 0; w < j->weights.n; w++)
    for (size_t p = 0; p < j->penalties.n; p++) {
      const sn_lat_scales k = {1.0, 1.0 / at(&j->weights, w),
                               at(&j->penalties, p)};
      sn_lat_path path;
      sn_score_counts c;
      SN_TRY(sn_lat_best(lat, &k, &path, &cli->err));
      const sn_status s =
          sn_align(j->t.ids.data, j->t.ids.n, path.words.data, path.words.n,
                   SN_ALIGN_EDITS, &c, NULL, NULL, &cli->err);
      sn_lat_path_clear(&path);
      SN_TRY(s);
      sn_score_counts_add(&j->counts[w * j->penalties.n + p], &c);
    }
  return SN_OK;
}

static void print_counts(sn_cli *cli, const char *before, double weight,
                         double penalty, const sn_score_counts *c) {
  const int64_t errors = sn_score_errors(c);
  sn_cli_print(cli, "%s%g\t%g\t%.2f\t%lld\t%lld\t%lld\t%lld\n", before, weight,
               penalty,
               c->n_ref > 0 ? 100.0 * (double)errors / (double)c->n_ref : 0.0,
               (long long)errors, (long long)c->ins, (long long)c->del,
               (long long)c->sub);
}

static void print_sweep(sn_cli *cli, const sweep_job *j) {
  size_t best = 0;
  sn_cli_print(cli, "lm-weight\tword-penalty\tWER\terrors\tins\tdel\tsub\n");
  for (size_t i = 0; i < j->weights.n * j->penalties.n; i++) {
    if (sn_score_errors(&j->counts[i]) < sn_score_errors(&j->counts[best]))
      best = i;
    print_counts(cli, "", at(&j->weights, i / j->penalties.n),
                 at(&j->penalties, i % j->penalties.n), &j->counts[i]);
  }
  print_counts(cli, "best\t", at(&j->weights, best / j->penalties.n),
               at(&j->penalties, best % j->penalties.n), &j->counts[best]);
}

int sni_lat_run_sweep(sn_cli *cli, const sni_lat_sweep *sweep) {
  sweep_job j = {.t = {.words = NULL}};
  if (!parse_range(sweep->weights, &j.weights) || j.weights.from <= 0.0)
    return sn_cli_usage(cli, "--lm-weights=%s: expected FROM:TO:STEP above 0",
                        sweep->weights);
  if (!parse_range(sweep->penalties, &j.penalties))
    return sn_cli_usage(cli, "--word-penalties=%s: expected FROM:TO:STEP",
                        sweep->penalties);
  j.counts = sn_calloc(j.weights.n * j.penalties.n, sizeof *j.counts);
  sn_status s =
      j.counts != NULL ? SN_OK : sn_fail_nomem(&cli->err, "sweep of scales");
  if (s == SN_OK) s = truth_open(cli, sweep->reference, &j.t);
  if (s == SN_OK) s = sni_lat_each(cli, sweep_one, &j);
  if (s == SN_OK && j.counts[0].n_ref == 0)
    s = sn_fail(&cli->err, SN_EMISMATCH, "%s and %s: no utterance is in both",
                cli->args[0], sweep->reference);
  if (s == SN_OK) print_sweep(cli, &j);
  truth_clear(&j.t);
  sn_free(j.counts);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}
