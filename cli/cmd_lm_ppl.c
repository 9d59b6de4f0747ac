/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm ppl. */
#include "base/io.h"
#include "cli/cli.h"
#include "cli/cmd_lm_save.h"
#include "lm/classes.h"
#include "lm/ngram.h"
#include "lm/perplexity.h"

#define LN10 2.302585092994045684

typedef struct ppl_opts {
  bool debug;
  double n_oov;
  const char *classes;
} ppl_opts;

static const sn_opt ppl_table[] = {
    {"debug", SN_OPT_BOOL, offsetof(ppl_opts, debug), 0, 0, 1, NULL, "",
     "one line a word: `word` or, where the model lacks it, `oov`; sentence, "
     "word, order of the n-gram found, log10 p; </s> is the sentence's end"},
    {"oov-list", SN_OPT_DOUBLE, offsetof(ppl_opts, n_oov), 100, 0, 1e9, NULL,
     "words", "name at most that many unknown words"},
    {"classes", SN_OPT_STRING, offsetof(ppl_opts, classes), 0, 0, 0, "", "",
     "LM is a model over these classes: word, class, probability with TABs"},
    SN_OPT_END};

static void print_word(void *user, const sn_ppl_word *w) {
  sn_cli_print(user, "%s\t%lld\t%s\t%d\t%.6f\n", w->id < 0 ? "oov" : "word",
               (long long)w->sentence + 1, w->text, w->matched, w->logp / LN10);
}

static void print_result(sn_cli *cli, const sn_ngram *lm, sn_ppl *p) {
  const ppl_opts *const o = cli->opts[0];
  const sn_ppl_sums *const s = sn_ppl_get_sums(p);
  const double n_all = (double)(s->n_words + s->n_oov);
  sn_cli_print(cli, "sentences\t%lld\n", (long long)s->n_sentences);
  sn_cli_print(cli, "words\t%lld\n", (long long)(s->n_words + s->n_oov));
  sn_cli_print(cli, "oov\t%lld\t%.2f %%\n", (long long)s->n_oov,
               n_all > 0.0 ? 100.0 * (double)s->n_oov / n_all : 0.0);
  sn_cli_print(cli, "log10p\t%.4f\n", (s->words_logp + s->ends_logp) / LN10);
  sn_cli_print(cli, "perplexity\t%.4f\twords and sentence ends, no OOVs\n",
               sn_ppl_compute(p, true, false));
  sn_cli_print(cli, "perplexity-words\t%.4f\twords alone, no OOVs\n",
               sn_ppl_compute(p, false, false));
  if (sn_ngram_unk(lm) >= 0)
    sn_cli_print(cli, "perplexity-oov\t%.4f\twords, sentence ends and OOVs\n",
                 sn_ppl_compute(p, true, true));
  sn_ppl_sort_oov(p);
  for (int32_t i = 0; i < sn_ppl_n_oov_types(p); i++) {
    int64_t n;
    const char *const word = sn_ppl_oov(p, i, &n);
    if (i >= o->n_oov) {
      sn_info(cli->log, "%d more unknown words; see --oov-list",
              sn_ppl_n_oov_types(p) - i);
      break;
    }
    sn_cli_print(cli, "oov-word\t%s\t%lld\n", word, (long long)n);
  }
}

static sn_status add_texts(sn_cli *cli, sn_ppl *p) {
  const ppl_opts *const o = cli->opts[0];
  for (size_t i = 1; i < cli->n_args || i == 1; i++) {
    sn_reader *r = NULL;
    const char *const path = i < cli->n_args ? cli->args[i] : "-";
    SN_TRY(sn_reader_open(path, &r, &cli->err));
    const sn_status s =
        sn_ppl_add_text(p, r, o->debug ? print_word : NULL, cli, &cli->err);
    sn_reader_destroy(r);
    SN_TRY(s);
  }
  return SN_OK;
}

/* A file of another model's classes would leave words unknown in silence. */
static sn_status load_classes(sn_cli *cli, const sn_ngram *lm,
                              sn_classes *classes) {
  const char *const path = ((const ppl_opts *)cli->opts[0])->classes;
  SN_TRY(sn_classes_load(path, classes, &cli->err));
  const int32_t n = sn_symtab_n(classes->names);
  int32_t n_lacking = 0;
  for (int32_t i = 0; i < n; i++)
    n_lacking += sn_ngram_find(lm, sn_symtab_get(classes->names, i)) < 0;
  if (n_lacking == n)
    return sn_fail(&cli->err, SN_EMISMATCH,
                   "none of the %d classes of %s is a word of %s", n, path,
                   cli->args[0]);
  if (n_lacking > 0)
    sn_warn(cli->log, "%d of the %d classes of %s are no words of %s",
            n_lacking, n, path, cli->args[0]);
  if (!classes->has_probs)
    sn_warn(cli->log, "%s has no probabilities: words of a class are equal",
            path);
  return SN_OK;
}

static int run_ppl(sn_cli *cli) {
  const ppl_opts *const o = cli->opts[0];
  sn_ngram *lm = NULL;
  sn_ppl *p = NULL;
  sn_classes classes = {0};
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK && o->classes[0] != '\0') {
    sn_ppl_opts *const how = cli->opts[1];
    s = load_classes(cli, lm, &classes);
    how->classes = &classes;
  }
  ((sn_ppl_opts *)cli->opts[1])->log = cli->log;
  if (s == SN_OK) s = sn_ppl_create(lm, cli->opts[1], &p, &cli->err);
  if (s == SN_OK) s = add_texts(cli, p);
  if (s == SN_OK && sn_ppl_get_sums(p)->n_sentences == 0)
    sn_warn(cli->log, "the text has no sentences");
  if (s == SN_OK && classes.words == NULL && sn_ppl_get_sums(p)->n_oov > 0)
    s = sn_cli_lm_warn_classes(
        cli, cli->args[0], lm,
        "members that are no words of their own count as unknown; "
        "--classes=FILE says which words are whose");
  if (s == SN_OK) print_result(cli, lm, p);
  sn_ppl_destroy(p);
  sn_classes_clear(&classes);
  sn_ngram_destroy(lm);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_ppl = {
    .name = "lm ppl",
    .synopsis = "[--ids] [--fold=lower] [--debug] LM [TEXT ...]",
    .summary = "perplexity of a text under an n-gram model",
    .description =
        "TEXT has one sentence a line (also gzipped; standard input when none "
        "is given); <s> and </s> around it may be written or not. Words that "
        "the model does not have are counted and named, and left out of the "
        "perplexity; without an <unk> in the model the history begins anew "
        "after one.",
    .example =
        "echo go forward ten meters | senone lm ppl --debug "
        "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin",
    .tables = {{ppl_table, sizeof(ppl_opts)},
               {sn_ppl_opt_table, sizeof(sn_ppl_opts)}},
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_ppl};
