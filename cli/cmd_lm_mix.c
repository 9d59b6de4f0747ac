/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm mix, lm marginals. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cmd_lm_save.h"
#include "lm/class_token.h"
#include "lm/mix.h"
#include "lm/word_count.h"

static const sn_opt format_table[] = {SN_CLI_LM_FORMAT_OPT, SN_OPT_END};

typedef struct mix_opts {
  const char *weights, *tune;
} mix_opts;

static const sn_opt mix_table[] = {
    {"weights", SN_OPT_STRING, offsetof(mix_opts, weights), 0, 0, 0, "", "",
     "one for each model, with commas; scaled to sum to one. Default: equal"},
    {"tune", SN_OPT_STRING, offsetof(mix_opts, tune), 0, 0, 0, "", "",
     "held-out text, one sentence a line, whose likelihood sets the weights"},
    SN_OPT_END};

static sn_status save(sn_cli *cli, const sn_ngram *lm, const char *path) {
  const sn_cli_lm_format *const f = cli->opts[1];
  return sn_cli_lm_save(cli, lm, f->format, path);
}

/* 0, or the exit status after a message. */
static int parse_weights(sn_cli *cli, const char *text, double *w, size_t n) {
  sn_span rest = sn_span_of(text), field;
  size_t got = 0;
  double sum = 0.0;
  for (; sn_next_field_sep(&rest, ',', &field); got++) {
    if (got == n || !sn_parse_double(sn_span_trim(field), &w[got]) ||
        !(w[got] >= 0.0 && w[got] < (double)INFINITY))
      return sn_cli_usage(
          cli, "--weights=%s: not %zu numbers, 0 or above, with commas", text,
          n);
    sum += w[got];
  }
  if (got != n)
    return sn_cli_usage(cli, "--weights=%s: %zu numbers for %zu models", text,
                        got, n);
  if (!(sum > 0.0))
    return sn_cli_usage(cli, "--weights=%s: all weights are 0", text);
  return 0;
}

static sn_status tune(sn_cli *cli, const char *path, sn_ngram **lm, size_t n,
                      double *w) {
  sn_reader *r = NULL;
  sn_mix_report report;
  SN_TRY(sn_reader_open(path, &r, &cli->err));
  const sn_status s =
      sn_mix_weights((const sn_ngram *const *)lm, n, r, w, &report, &cli->err);
  sn_reader_destroy(r);
  SN_TRY(s);
  for (size_t i = 0; i < n; i++)
    sn_info(cli->log, "%s: weight %.6f; alone, perplexity %.4f of %lld tokens",
            cli->args[i], w[i], report.alone[i], (long long)report.n_alone[i]);
  sn_info(cli->log,
          "mixed: perplexity %.4f of %lld tokens, %lld unknown to all; %d "
          "iterations",
          report.perplexity, (long long)report.n_tokens,
          (long long)report.n_oov, report.n_iterations);
  return SN_OK;
}

/* Named classes are shared like words; says which of them model i lacks. */
static sn_status warn_lacking(sn_cli *cli, sn_ngram *const *lm, size_t n,
                              size_t i) {
  for (size_t k = 0; k < n; k++) {
    sn_str names = {0};
    int32_t n_lacking;
    if (k == i) continue;
    const sn_status s = sn_class_tokens(lm[k], SN_CLASS_NAMED, lm[i], &names,
                                        &n_lacking, &cli->err);
    if (s == SN_OK && n_lacking > 0)
      sn_warn(cli->log,
              "%s lacks %d of the classes of %s (%s): it gives them no "
              "probability, and has their members as words, if at all; "
              "estimate it from a text that has them too",
              cli->args[i], n_lacking, cli->args[k], sn_str_get(&names));
    sn_str_clear(&names);
    SN_TRY(s);
  }
  return SN_OK;
}

static int run_mix(sn_cli *cli) {
  const mix_opts *const o = cli->opts[0];
  const size_t n = cli->n_args - 1;
  if (n > SN_MIX_MAX)
    return sn_cli_usage(cli, "%zu models are more than %d", n, SN_MIX_MAX);
  if (o->weights[0] != '\0' && o->tune[0] != '\0')
    return sn_cli_usage(cli, "either --weights or --tune");
  sn_ngram *lm[SN_MIX_MAX] = {0}, *mixed = NULL;
  double w[SN_MIX_MAX];
  sn_status s = SN_OK;
  for (size_t i = 0; i < n; i++) w[i] = 1.0 / (double)n;
  if (o->weights[0] != '\0') {
    const int wrong = parse_weights(cli, o->weights, w, n);
    if (wrong != 0) return wrong;
  }
  for (size_t i = 0; i < n && s == SN_OK; i++) {
    s = sn_ngram_load(cli->args[i], cli->log, &lm[i], &cli->err);
    if (s == SN_OK) s = sn_class_refuse_found(lm[i], cli->args[i], &cli->err);
  }
  for (size_t i = 0; i < n && s == SN_OK; i++) s = warn_lacking(cli, lm, n, i);
  if (s == SN_OK && o->tune[0] != '\0') s = tune(cli, o->tune, lm, n, w);
  if (s == SN_OK)
    s = sn_ngram_mix((const sn_ngram *const *)lm, w, n, cli->log, &mixed,
                     &cli->err);
  if (s == SN_OK) s = save(cli, mixed, cli->args[n]);
  for (size_t i = 0; i < n; i++) sn_ngram_destroy(lm[i]);
  sn_ngram_destroy(mixed);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_mix = {
    .name = "lm mix",
    .synopsis = "[--tune=TEXT | --weights=W,W,...] LM LM ... OUT",
    .summary = "one n-gram model out of several, by linear interpolation",
    .description =
        "OUT has the words and n-grams of all models, each n-gram with the "
        "weighted sum of the models' probabilities; it sums to one after each "
        "history. --tune finds the weights under which a held-out text is "
        "likeliest (EM), and says each model's perplexity.",
    .example =
        "senone lm mix --weights=0.7,0.3 "
        "/usr/share/pocketsphinx/test/data/turtle.lm.bin "
        "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin mixed.bin",
    .tables = {{mix_table, sizeof(mix_opts)},
               {format_table, sizeof(sn_cli_lm_format)}},
    .min_args = 3,
    .max_args = SIZE_MAX,
    .run = run_mix};

/* ---- marginals ---- */

typedef struct marginal_opts {
  double beta, prior;
} marginal_opts;

static const sn_opt marginal_table[] = {
    {"beta", SN_OPT_DOUBLE, offsetof(marginal_opts, beta), 0.5, 0, 1, NULL, "",
     "0 leaves LM as it is, 1 takes over the text's word frequencies"},
    {"prior", SN_OPT_DOUBLE, offsetof(marginal_opts, prior), 1000, 1e-6, 1e12,
     NULL, "words", "how much text LM's own word frequencies stand for"},
    SN_OPT_END};

/* Counts of the model's words; sentence ends count as </s>. */
static sn_status count_words(sn_cli *cli, const sn_ngram *lm, int64_t *counts) {
  sn_word_count *c = NULL;
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  int64_t n_known = 0;
  sn_status s = sn_reader_open(cli->args[1], &r, &cli->err);
  if (s == SN_OK) s = sn_word_count_create(cli->log, &c, &cli->err);
  if (s == SN_OK) s = sn_text_source_create(cli->opts[2], &t, &cli->err);
  if (s == SN_OK) s = sn_word_count_add_text(c, t, r, &cli->err);
  if (s == SN_OK) {
    sn_text_report(t, cli->log);
    const int64_t n_sentences = sn_text_get_counts(t)->n_sentences;
    if (sn_ngram_eos(lm) >= 0) counts[sn_ngram_eos(lm)] = n_sentences;
    for (int32_t i = 0; i < sn_word_count_n(c); i++) {
      int64_t n;
      const int32_t w = sn_ngram_find(lm, sn_word_count_get(c, i, &n));
      if (w < 0) continue;
      counts[w] += n;
      n_known += n;
    }
    sn_info(cli->log,
            "%lld sentences, %lld words, %lld of them unknown to the model",
            (long long)n_sentences, (long long)sn_word_count_total(c),
            (long long)(sn_word_count_total(c) - n_known));
  }
  sn_text_source_destroy(t);
  sn_word_count_destroy(c);
  sn_reader_destroy(r);
  return s;
}

/* A class that the text does not have would look like a word that is rare. */
static void warn_uncounted(sn_cli *cli, const sn_ngram *lm,
                           const int64_t *counts) {
  int32_t n = 0;
  const char *first = "";
  for (int32_t w = 0; w < sn_ngram_n_words(lm); w++) {
    if (counts[w] > 0 || sn_class_token(sn_ngram_word(lm, w)) != SN_CLASS_NAMED)
      continue;
    if (n++ == 0) first = sn_ngram_word(lm, w);
  }
  if (n > 0)
    sn_warn(cli->log,
            "%d classes of %s are not in the text (%s%s) and become less "
            "likely; write the class where the text has a member",
            n, cli->args[0], first, n > 1 ? ", ..." : "");
}

static int run_marginals(sn_cli *cli) {
  const marginal_opts *const o = cli->opts[0];
  sn_ngram *lm = NULL, *adapted = NULL;
  int64_t *counts = NULL;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK) s = sn_class_refuse_found(lm, cli->args[0], &cli->err);
  if (s == SN_OK) {
    counts = sn_calloc((size_t)sn_ngram_n_words(lm), sizeof *counts);
    s = counts == NULL ? sn_fail_nomem(&cli->err, "adapting")
                       : count_words(cli, lm, counts);
  }
  if (s == SN_OK) warn_uncounted(cli, lm, counts);
  if (s == SN_OK)
    s = sn_ngram_adapt_marginals(lm, counts, o->prior, o->beta, &adapted,
                                 &cli->err);
  if (s == SN_OK) s = save(cli, adapted, cli->args[2]);
  sn_free(counts);
  sn_ngram_destroy(lm);
  sn_ngram_destroy(adapted);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_marginals = {
    .name = "lm marginals",
    .synopsis = "[--beta=B] [--prior=N] LM TEXT OUT",
    .summary = "adapt an n-gram model's word frequencies to a text",
    .description =
        "Each word's probability is multiplied by (its share of TEXT / its "
        "share in LM)^beta after every history, and normalised (Kneser, Peters "
        "and Klakow 1997). The share of TEXT is estimated with LM's own as "
        "prior, so that a short text moves little. Words that LM does not have "
        "are counted; add them with `lm mix`.",
    .example =
        "echo go forward ten meters | senone lm marginals "
        "/usr/share/pocketsphinx/test/data/turtle.lm.bin - adapted.lm",
    .tables = {{marginal_table, sizeof(marginal_opts)},
               {format_table, sizeof(sn_cli_lm_format)},
               {sn_text_opt_table, sizeof(sn_text_opts)}},
    .min_args = 3,
    .max_args = 3,
    .run = run_marginals};
