/* SPDX-License-Identifier: Apache-2.0 */
/* senone corpus check|stats: what a corpus holds, and whether it is sound. */
#include <stddef.h>
#include <string.h>

#include "cli/cli.h"
#include "train/corpus.h"

/* ---- check ---- */

typedef struct check_opts {
  const char *lexicon, *fix;
  int32_t jobs;
} check_opts;
#define AT(field) offsetof(check_opts, field)
static const sn_opt check_table[] = {
    {"lexicon", SN_OPT_STRING, AT(lexicon), 0, 0, 0, "", "",
     "its words are the known ones"},
    {"fix", SN_OPT_STRING, AT(fix), 0, 0, 0, "", "",
     "write a repaired copy to this folder, with changes.tsv"},
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "recordings at a time; 0: as many as the machine has"},
    SN_OPT_END};
#undef AT

static void print_faults(sn_cli *cli, const sn_corpus *c) {
  int64_t n[SN_N_CORPUS_FAULTS] = {0};
  for (size_t i = 0; i < c->faults.n; i++) {
    const sn_corpus_fault *const f = &c->faults.data[i];
    n[f->kind]++;
    if (f->line > 0)
      sn_cli_print(cli, "%s/%s:%d: ", cli->args[0], f->file, (int)f->line);
    else
      sn_cli_print(cli, "%s/%s: ", cli->args[0], f->file);
    sn_cli_print(cli, "%s: %s\n", sn_corpus_fault_name(f->kind), f->text);
  }
  sn_cli_print(cli, "%zu utterances, %zu recordings, %zu faults", c->utts.n,
               c->recs.n, c->faults.n);
  const char *before = " (";
  for (int k = 0; k < SN_N_CORPUS_FAULTS; k++) {
    if (n[k] == 0) continue;
    sn_cli_print(cli, "%s%lld %s", before, (long long)n[k],
                 sn_corpus_fault_name((sn_corpus_fault_kind)k));
    before = ", ";
  }
  sn_cli_print(cli, "%s\n", c->faults.n > 0 ? ")" : "");
}

static sn_status check(sn_cli *cli, sn_corpus *c, sn_lexicon *lex,
                       sn_pool **pool) {
  const check_opts *const o = cli->opts[0];
  if (o->lexicon[0] != '\0')
    SN_TRY(sn_lexicon_load(o->lexicon, cli->log, lex, &cli->err));
  SN_TRY(sn_pool_create((size_t)o->jobs, pool, &cli->err));
  SN_TRY(sn_corpus_read(cli->args[0], c, &cli->err));
  SN_TRY(sn_corpus_check(c, o->lexicon[0] != '\0' ? lex : NULL, cli->opts[1],
                         *pool, cli->log, &cli->err));
  print_faults(cli, c);
  if (o->fix[0] == '\0') return SN_OK;
  size_t kept = 0;
  SN_TRY(sn_corpus_fix(c, o->fix, &kept, &cli->err));
  sn_cli_print(cli,
               "wrote %s: %zu utterances, %zu left out; %s/changes.tsv has "
               "each change\n",
               o->fix, kept, c->utts.n - kept, o->fix);
  return SN_OK;
}

static int run_check(sn_cli *cli) {
  const check_opts *const o = cli->opts[0];
  sn_corpus c = {0};
  sn_lexicon lex = {0};
  sn_pool *pool = NULL;
  const sn_status s = check(cli, &c, &lex, &pool);
  const bool bad = c.faults.n > 0 && o->fix[0] == '\0';
  sn_corpus_clear(&c);
  sn_lexicon_clear(&lex);
  sn_pool_destroy(pool);
  if (s != SN_OK) return sn_cli_fail(cli);
  return sn_cli_finish(cli, bad ? SN_EXIT_FAILED : SN_EXIT_OK);
}

const sn_command sn_cmd_corpus_check = {
    .name = "corpus check",
    .synopsis = "[--option=value ...] DATA_DIR",
    .summary = "name every fault of a corpus, and repair it",
    .description =
        "Reads wav.scp, segments, text and utt2spk and all recordings and "
        "prints a line 'FILE:LINE: KIND: what is wrong' for every fault: "
        "unsorted, duplicate, malformed or misencoded lines, utterances that "
        "are in one file only, recordings that are missing, damaged, silent "
        "or of another rate, segments beyond the audio's end, empty "
        "transcripts, words outside the lexicon, words that do not fit their "
        "time. docs/corpora.md explains each. The exit status is 1 if there "
        "were any.\n\n"
        "--fix writes what is sound to another folder, sorted, with "
        "changes.tsv: each fault, what was done about it, and each utterance "
        "that was left out. The status is then 0.",
    .example = "senone corpus check --lexicon=lexicon.db cards",
    .tables = {{check_table, sizeof(check_opts)},
               {sn_corpus_check_opt_table, sizeof(sn_corpus_check_opts)}},
    .shorts = "j=jobs",
    .min_args = 1,
    .max_args = 1,
    .run = run_check};

/* ---- stats ---- */

typedef struct stats_opts {
  const char *lexicon;
  bool per_speaker;
  int32_t jobs;
} stats_opts;
#define AT(field) offsetof(stats_opts, field)
static const sn_opt stats_table[] = {
    {"lexicon", SN_OPT_STRING, AT(lexicon), 0, 0, 0, "", "",
     "count the words that it lacks"},
    {"per-speaker", SN_OPT_BOOL, AT(per_speaker), 0, 0, 1, NULL, "",
     "a line for each speaker as well"},
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "recordings at a time; 0: as many as the machine has"},
    SN_OPT_END};
#undef AT

static void print_stats(sn_cli *cli, const sn_corpus_stats *t, bool oov) {
  const double s = t->speech_s, n = (double)t->n_utts;
  sn_cli_print(cli, "utterances        %lld\n", (long long)t->n_utts);
  sn_cli_print(cli, "recordings        %lld\n", (long long)t->n_recs);
  sn_cli_print(cli, "speakers          %lld\n", (long long)t->n_speakers);
  sn_cli_print(cli, "hours             %.4f (%.1f s)\n", s / 3600, s);
  sn_cli_print(cli, "utterance length  %.2f s (%.2f to %.2f)\n",
               n > 0 ? s / n : 0, t->shortest_s, t->longest_s);
  if (t->min_rate_hz == t->max_rate_hz)
    sn_cli_print(cli, "sampling rate     %g Hz\n", t->max_rate_hz);
  else
    sn_cli_print(cli, "sampling rate     %g to %g Hz\n", t->min_rate_hz,
                 t->max_rate_hz);
  sn_cli_print(cli, "words             %lld\n", (long long)t->n_words);
  sn_cli_print(cli, "word types        %lld\n", (long long)t->n_types);
  if (oov)
    sn_cli_print(
        cli, "out of lexicon    %lld words (%.2f %%), %lld types\n",
        (long long)t->n_oov,
        t->n_words > 0 ? 100 * (double)t->n_oov / (double)t->n_words : 0,
        (long long)t->n_oov_types);
  sn_cli_print(cli, "words per second  %.2f\n",
               s > 0 ? (double)t->n_words / s : 0);
  sn_cli_print(cli, "letters per word  %.2f\n",
               t->n_words > 0 ? (double)t->n_letters / (double)t->n_words : 0);
}

static sn_status print_speakers(sn_cli *cli, const sn_corpus *c) {
  sn_symtab *names = NULL;
  sn_status s = sn_symtab_create(&names, &cli->err);
  sn_cli_print(cli, "\nspeaker utterances seconds words words/s\n");
  for (size_t i = 0; i < c->utts.n && s == SN_OK; i++) {
    const char *const name = c->utts.data[i].speaker;
    int32_t id = 0;
    const int32_t before = sn_symtab_n(names);
    if (name == NULL) continue;
    s = sn_symtab_add(names, name, strlen(name), &id, &cli->err);
    if (s != SN_OK || id < before) continue;
    sn_corpus_stats t;
    s = sn_corpus_count(c, NULL, name, &t, &cli->err);
    if (s == SN_OK)
      sn_cli_print(cli, "%s %lld %.1f %lld %.2f\n", name, (long long)t.n_utts,
                   t.speech_s, (long long)t.n_words,
                   t.speech_s > 0 ? (double)t.n_words / t.speech_s : 0);
  }
  sn_symtab_destroy(names);
  return s;
}

static sn_status stats(sn_cli *cli, sn_corpus *c, sn_lexicon *lex,
                       sn_pool **pool) {
  const stats_opts *const o = cli->opts[0];
  const bool oov = o->lexicon[0] != '\0';
  if (oov) SN_TRY(sn_lexicon_load(o->lexicon, cli->log, lex, &cli->err));
  SN_TRY(sn_pool_create((size_t)o->jobs, pool, &cli->err));
  SN_TRY(sn_corpus_load(cli->args[0], c, &cli->err));
  SN_TRY(sn_corpus_measure(c, SN_CORPUS_HEADERS, *pool, cli->log, &cli->err));
  for (size_t i = 0; i < c->faults.n; i++)
    if (c->faults.data[i].kind == SN_CORPUS_NO_AUDIO ||
        c->faults.data[i].kind == SN_CORPUS_CUT_AUDIO)
      sn_warn(cli->log, "%s", c->faults.data[i].text);
  sn_corpus_stats t;
  SN_TRY(sn_corpus_count(c, oov ? lex : NULL, NULL, &t, &cli->err));
  print_stats(cli, &t, oov);
  return o->per_speaker ? print_speakers(cli, c) : SN_OK;
}

static int run_stats(sn_cli *cli) {
  sn_corpus c = {0};
  sn_lexicon lex = {0};
  sn_pool *pool = NULL;
  const sn_status s = stats(cli, &c, &lex, &pool);
  sn_corpus_clear(&c);
  sn_lexicon_clear(&lex);
  sn_pool_destroy(pool);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_corpus_stats = {
    .name = "corpus stats",
    .synopsis = "[--option=value ...] DATA_DIR",
    .summary = "utterances, speakers, hours and words of a corpus",
    .example = "senone corpus stats --lexicon=lexicon.db cards",
    .tables = {{stats_table, sizeof(stats_opts)}},
    .shorts = "j=jobs",
    .min_args = 1,
    .max_args = 1,
    .run = run_stats};
