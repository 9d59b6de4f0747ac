/* SPDX-License-Identifier: Apache-2.0 */
/* senone score: word, character and sentence error rates. */
#include "base/io.h"
#include "cli/cli.h"
#include "score/report.h"

typedef struct score_opts {
  bool sclite, cer, per_speaker, alignment, json;
  const char *utt2spk, *map, *fit;
  int32_t extra, ref_format, hyp_format, draws, seed;
} score_opts;

enum { EXTRA_REFUSE, EXTRA_IGNORE, MAX_NAMED = 10, MAX_SYSTEMS = 2 };

static const sn_opt score_table[] = {
    {"sclite", SN_OPT_BOOL, offsetof(score_opts, sclite), 0, 0, 1, NULL, "",
     "sclite's costs and ties (substitution 4, insertion and deletion 3), "
     "and its way to read words"},
    {"cer", SN_OPT_BOOL, offsetof(score_opts, cer), 0, 0, 1, NULL, "",
     "character error rate too"},
    {"per-speaker", SN_OPT_BOOL, offsetof(score_opts, per_speaker), 0, 0, 1,
     NULL, "",
     "a table by speaker, and an interval over speakers; without --utt2spk the "
     "speaker is what stands before the first - or _ of the utterance"},
    {"utt2spk", SN_OPT_STRING, offsetof(score_opts, utt2spk), 0, 0, 0, NULL,
     "FILE", "utterance and speaker on each line; intervals over speakers"},
    {"map", SN_OPT_STRING, offsetof(score_opts, map), 0, 0, 0, NULL, "FILE",
     "word, TAB, what it counts as (nothing, or words)"},
    {"fit-confidence", SN_OPT_STRING, offsetof(score_opts, fit), 0, 0, 0, NULL,
     "FILE",
     "fit a confidence model to HYP, a ctm with posteriors (senone transcribe "
     "-o ctm --confidence=posterior), and put it into FILE, a model.ini, as "
     "its "
     "section [confidence]"},
    {"alignment", SN_OPT_BOOL, offsetof(score_opts, alignment), 0, 0, 1, NULL,
     "", "print reference and hypothesis word below word"},
    {"json", SN_OPT_BOOL, offsetof(score_opts, json), 0, 0, 1, NULL, "",
     "print JSON"},
    {"extra", SN_OPT_ENUM, offsetof(score_opts, extra), EXTRA_REFUSE, 0, 1,
     "refuse|ignore", "",
     "what to do with utterances that only the hypothesis has"},
    {"ref-format", SN_OPT_ENUM, offsetof(score_opts, ref_format), 0, 0, 3,
     SN_TRANS_FORMAT_NAMES, "", "format of REF; auto tells it by content"},
    {"hyp-format", SN_OPT_ENUM, offsetof(score_opts, hyp_format), 0, 0, 3,
     SN_TRANS_FORMAT_NAMES, "", "format of HYP"},
    {"draws", SN_OPT_INT, offsetof(score_opts, draws), 10000, 40, 1e7, NULL, "",
     "draws of the bootstrap"},
    {"seed", SN_OPT_INT, offsetof(score_opts, seed), 1, 0, 2147483647, NULL, "",
     "seed of the bootstrap"},
    SN_OPT_END};

typedef struct job {
  sn_cli *cli;
  const score_opts *o;
  size_t n_systems;
  sn_score_words *words;
  sn_transcripts ref, hyp[MAX_SYSTEMS];
  sn_score score[MAX_SYSTEMS];
  sn_score_marks marks[MAX_SYSTEMS];
  sn_report report[MAX_SYSTEMS];
  sn_symtab *speakers;
  sn_arr_i32 speaker_of;
} job;

static void job_clear(job *j) {
  sn_score_words_destroy(j->words);
  sn_transcripts_clear(&j->ref);
  for (size_t i = 0; i < MAX_SYSTEMS; i++) {
    sn_transcripts_clear(&j->hyp[i]);
    sn_score_clear(&j->score[i]);
    sn_score_marks_clear(&j->marks[i]);
  }
  sn_symtab_destroy(j->speakers);
  SN_ARR_FREE(&j->speaker_of);
}

static sn_status read_all(job *j) {
  sn_cli *const cli = j->cli;
  SN_TRY(sn_score_words_create(j->o->map, j->o->sclite, &j->words, &cli->err));
  SN_TRY(sn_transcripts_read(cli->args[0], (sn_trans_format)j->o->ref_format,
                             j->words, &j->ref, &cli->err));
  for (size_t i = 0; i < j->n_systems; i++)
    SN_TRY(sn_transcripts_read(cli->args[1 + i],
                               (sn_trans_format)j->o->hyp_format, j->words,
                               &j->hyp[i], &cli->err));
  if (j->o->utt2spk != NULL)
    return sn_speakers_read(j->o->utt2spk, &j->ref, &j->speakers,
                            &j->speaker_of, &cli->err);
  if (j->o->per_speaker)
    return sn_speakers_of_ids(&j->ref, &j->speakers, &j->speaker_of, &cli->err);
  return SN_OK;
}

/* Names the first few of some utterances. */
static void name_utts(sn_cli *cli, const sn_transcripts *of,
                      const sn_arr_i32 *utts, const char *what) {
  for (size_t i = 0; i < utts->n && i < MAX_NAMED; i++)
    sn_warn(cli->log, "%s: utterance '%s' %s", of->name,
            sn_symtab_get(of->ids, utts->data[i]), what);
  if (utts->n > MAX_NAMED)
    sn_warn(cli->log, "%s: %zu utterances in all %s", of->name, utts->n, what);
}

static sn_status score_system(job *j, size_t i) {
  sn_cli *const cli = j->cli;
  const sn_score_opts so = {.sclite = j->o->sclite, .cer = j->o->cer};
  sn_score *const s = &j->score[i];
  SN_TRY(sn_score_compare(&j->ref, &j->hyp[i], j->words, &so, s, &cli->err));
  if (s->extra.n > 0 && j->o->extra == EXTRA_REFUSE)
    return sn_fail(&cli->err, SN_EMISMATCH,
                   "%s: utterances that are not in %s: %zu, the first is '%s'; "
                   "--extra=ignore leaves them out",
                   j->hyp[i].name, j->ref.name, s->extra.n,
                   sn_symtab_get(j->hyp[i].ids, s->extra.data[0]));
  name_utts(cli, &j->hyp[i], &s->extra,
            "is not in the reference and not counted");
  for (size_t k = 0; k < s->missing.n && k < MAX_NAMED; k++)
    sn_warn(cli->log, "%s: no utterance '%s': its words count as deletions",
            j->hyp[i].name, sn_symtab_get(j->ref.ids, s->missing.data[k]));
  if (s->missing.n > MAX_NAMED)
    sn_warn(cli->log, "%s: %zu utterances in all are missing", j->hyp[i].name,
            s->missing.n);
  const sn_align_costs costs = j->o->sclite ? SN_ALIGN_SCLITE : SN_ALIGN_EDITS;
  sn_score_marks *const m = &j->marks[i];
  SN_TRY(sn_score_mark(&j->ref, &j->hyp[i], costs, m, &cli->err));
  if (m->n > 0 && m->n_without > 0)
    sn_warn(cli->log,
            "%s: %zu of %zu words have no confidence from 0 to 1; NCE is that "
            "of the others",
            j->hyp[i].name, m->n_without, m->n + m->n_without);
  j->report[i] =
      (sn_report){.ref = &j->ref,
                  .hyp = &j->hyp[i],
                  .words = j->words,
                  .score = s,
                  .speakers = j->speakers,
                  .speaker_of = j->speaker_of.data,
                  .costs = costs,
                  .marks = m,
                  .bootstrap = {.n_draws = j->o->draws, .seed = j->o->seed}};
  return sn_report_intervals(&j->report[i], &cli->err);
}

static sn_status print_text(job *j, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < j->n_systems; i++) {
    const sn_report *const r = &j->report[i];
    if (j->n_systems > 1) SN_TRY(sn_str_addf(out, err, "%s\n", r->hyp->name));
    if (j->o->alignment) SN_TRY(sn_report_alignments(r, out, err));
    SN_TRY(sn_report_text(r, out, err));
    if (j->o->per_speaker) SN_TRY(sn_report_speakers(r, out, err));
  }
  if (j->n_systems < 2) return SN_OK;
  sn_comparison c;
  SN_TRY(sn_report_compare(&j->report[0], &j->report[1], &c, err));
  return sn_report_comparison_text(&j->report[0], &j->report[1], &c, out, err);
}

static sn_status print_json(job *j, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, "{\"systems\": [", err));
  for (size_t i = 0; i < j->n_systems; i++) {
    if (i > 0) SN_TRY(sn_str_adds(out, ",\n", err));
    SN_TRY(sn_report_json(&j->report[i], j->o->alignment, out, err));
  }
  SN_TRY(sn_str_adds(out, "]", err));
  if (j->n_systems > 1) {
    sn_comparison c;
    SN_TRY(sn_report_compare(&j->report[0], &j->report[1], &c, err));
    SN_TRY(sn_str_adds(out, ",\n\"comparison\": ", err));
    SN_TRY(sn_report_comparison_json(&c, out, err));
  }
  return sn_str_adds(out, "}\n", err);
}

static sn_status fit(job *j) {
  const sn_score_marks *const m = &j->marks[0];
  sn_conf_model model;
  if (m->n == 0)
    return sn_fail(&j->cli->err, SN_EFORMAT,
                   "%s: no confidences to fit; --fit-confidence wants a ctm "
                   "with posteriors in its sixth column",
                   j->hyp[0].name);
  SN_TRY(sn_conf_fit((const double(*)[SN_CONF_N])m->features, m->right, m->n,
                     &model, &j->cli->err));
  return sn_conf_to_file(&model, j->o->fit, &j->cli->err);
}

static int run_score(sn_cli *cli) {
  job j = {.cli = cli, .o = cli->opts[0], .n_systems = cli->n_args - 1};
  sn_str out = {0};
  sn_status s = read_all(&j);
  for (size_t i = 0; s == SN_OK && i < j.n_systems; i++)
    s = score_system(&j, i);
  if (s == SN_OK && j.o->fit != NULL) s = fit(&j);
  if (s == SN_OK)
    s = j.o->json ? print_json(&j, &out, &cli->err)
                  : print_text(&j, &out, &cli->err);
  if (s == SN_OK) sn_cli_print(cli, "%s", sn_str_get(&out));
  sn_str_clear(&out);
  job_clear(&j);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_score = {
    .name = "score",
    .synopsis = "[--option=value ...] REF HYP [HYP2]",
    .summary = "error rates of transcripts, with intervals",
    .description =
        "Compares hypotheses with reference texts. Each file is Kaldi text "
        "(utt-id word ...), trn or Sphinx (word ... (utt-id), word ... (utt-id "
        "score)) or ctm, told by content. Case, <s>, </s>, fillers (<sil>, "
        "[NOISE], ++NOISE++, +SPN+) and the number of word(2) are left out of "
        "account; nothing else is, unless --map says so.\n"
        "Where HYP is a ctm with confidences, their normalised cross entropy "
        "(NCE) is printed. --fit-confidence fits a model that turns posteriors "
        "into probabilities.\n"
        "Utterances that HYP does not have count as deletions and are named. "
        "With HYP2 the two systems are compared on the same utterances.",
    .example =
        "senone score /usr/share/pocketsphinx/test/data/librivox/transcription "
        "/usr/share/pocketsphinx/test/data/librivox/test-lm.match\n"
        "senone score --sclite --alignment "
        "/usr/share/pocketsphinx/test/data/librivox/transcription "
        "/usr/share/pocketsphinx/test/data/librivox/test-lm.match",
    .tables = {{score_table, sizeof(score_opts)}},
    .min_args = 2,
    .max_args = 3,
    .run = run_score};
